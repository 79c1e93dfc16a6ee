#!/usr/bin/env bash
# sleap-nn 0.3.5, wheel: its metadata and its licence file name two licences.
#
# METADATA says "License: BSD-3-Clause", and that is what package indexes, `pip show` and programs that list the licences
# of what is installed print. The file LICENSE, which the same metadata points to, is the GNU General Public License,
# version 3. Who decides by the metadata whether the package may be built upon decides by the wrong one.
#
# Seen:
#   METADATA: License: BSD-3-Clause
#   LICENSE: GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" download --quiet --no-deps --dest "$folder" sleap-nn==0.3.5
cd "$folder"
venv/bin/python -m zipfile -e sleap_nn-0.3.5-py3-none-any.whl wheel
info=wheel/sleap_nn-0.3.5.dist-info
{
    echo "METADATA: $(grep '^License: ' $info/METADATA)"
    echo "LICENSE: $(find $info -name LICENSE -exec head -n 2 {} + | xargs)"
} | tee seen.txt
diff - seen.txt <<'SEEN'
METADATA: License: BSD-3-Clause
LICENSE: GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007
SEEN
