"""iNaturalist Aves: the unlabelled birds that features are learnt from before they are judged on CUB-200-2011.

Files of the root::

    inat_aves_100K.txt              the list of Cheng et al. (ContrastLandmark), a picture a line
    train_val_images/Aves/…         the pictures of the iNaturalist 2017 competition, a folder for each species

Of a line of the list its last two parts count, species and file. The list's size is published as "100K" only, so it
is not checked. Each whole picture is squashed to a square, as the peers do.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from lead.datasets.archive import Archive
from lead.datasets.base import Dataset
from lead.datasets.cub import LISTS, WHOLE

ARCHIVE = Archive("iNaturalist 2017", "https://github.com/visipedia/inat_comp/tree/master/2017")
LIST = "inat_aves_100K.txt"
PICTURES = "train_val_images/Aves"


def present(root: Path) -> bool:
    """Whether a folder holds the list of birds."""
    return (root / LIST).is_file()


def load(root: Path) -> Dataset:
    """The pictures listed, all to train on; the identity is the species.

    Raises:
        LeadError: the list or a picture is missing, or a line is not a species and a file.
    """
    paths = [PurePosixPath(line.strip()) for line in LISTS.lines(root, LIST)]
    for number, path in enumerate(paths, start=1):
        if len(path.parts) < 2:
            raise LISTS.other(root / LIST, f"line {number}, {path}, is not a species and a file")
    ARCHIVE.path(root, PICTURES)
    files = tuple(f"{PICTURES}/{path.parent.name}/{path.name}" for path in paths)
    ARCHIVE.check_pictures(root, files)
    return Dataset(
        name="inat-aves",
        root=root,
        files=files,
        identity=tuple(path.parent.name for path in paths),
        split=("train",) * len(files),
        boxes=np.tile(WHOLE, (len(files), 1)),
    )
