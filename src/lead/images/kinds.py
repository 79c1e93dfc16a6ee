"""What a file of a folder is, by its ending: a picture, what goes with pictures, or something that is not read here.

Files of no known ending are told by how they begin.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from lead.images.containers import why_unreadable

EXTRA = "heic"
HEIF = (".heic", ".heif", ".hif")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
MOVING = (".gif", ".apng")
"""Pictures that may move: their first frame is read."""
_PILLOW = (
    *(".apng", ".bmp", ".dib", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg"),
    *(".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".svs", ".tga", ".tif", ".tiff", ".webp"),
)
_DICOM = (".dcm", ".dicom")

_RAW = "a camera's raw file: export it as TIFF or JPEG"
_MICROSCOPE = "a microscope's file: export it as TIFF"
_SCIENCE = "export it as TIFF or PNG"
_DRAWING = "no picture of pixels: export it as PNG"
_ARCHIVE = "an archive: unpack it"
_FILM = "a film of a kind that is not read: convert it to MP4"
_SOUND = "sound"
_WHY: Mapping[str, str] = {
    **dict.fromkeys(HEIF, f"install 'lead-landmarks[{EXTRA}]' or convert to JPEG"),
    ".avif": "needs a Pillow that reads AVIF, 11.3 or newer, or convert to PNG",
    ".jxl": "JPEG XL: convert to PNG or JPEG",
    **dict.fromkeys((".3fr", ".crw", ".erf", ".iiq", ".kdc", ".mrw", ".nrw", ".raw", ".rwl"), _RAW),
    **dict.fromkeys((".sr2", ".srf", ".srw", ".x3f"), _RAW),
    **dict.fromkeys((".dv", ".flex", ".lsm", ".stk", ".xdce"), _MICROSCOPE),
    **dict.fromkeys((".exr", ".fit", ".fits", ".hdr"), _SCIENCE),
    **dict.fromkeys((".ai", ".emf", ".eps", ".ppt", ".pptx", ".wmf"), _DRAWING),
    **dict.fromkeys((".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"), _ARCHIVE),
    **dict.fromkeys((".braw", ".cine", ".f4v", ".lrv", ".mod", ".mxf", ".r3d", ".rm", ".seq", ".tod", ".vob"), _FILM),
    **dict.fromkeys((".aac", ".flac", ".m4a", ".mp3", ".ogg", ".wav", ".wma"), _SOUND),
}
"""Why files of an ending are not read, or what to do, beside what :mod:`lead.images.containers` knows."""
_BESIDE = frozenset(
    [
        *(".csv", ".fcsv", ".h5", ".hdf5", ".json", ".jsonl", ".ndjson", ".pts", ".roi", ".slp", ".tps", ".tsv"),
        *(".cfg", ".ini", ".mat", ".npy", ".npz", ".parquet", ".pickle", ".pkl", ".rda", ".rds", ".toml", ".xml"),
        *(".bib", ".doc", ".docx", ".htm", ".html", ".ipynb", ".md", ".odt", ".ods", ".py", ".r", ".rmd", ".rst"),
        *(".bat", ".css", ".js", ".m", ".rtf", ".sh", ".tex", ".txt", ".xls", ".xlsx", ".yaml", ".yml"),
        *(".bak", ".ckpt", ".lock", ".log", ".onnx", ".part", ".pt", ".pth", ".safetensors", ".tmp"),
        *(".aae", ".db", ".lnk", ".md5", ".sha256", ".thm", ".url", ".xmp"),
    ]
)
"""Labels, tables, texts, settings, models, and what cameras and systems put beside pictures: nothing to be told of."""
_TEXTS = frozenset(
    ("readme", "license", "licence", "copying", "changelog", "notice", "authors", "citation", "makefile", "dockerfile")
)
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_DICOM_AT, _DICOM_MARK = 128, b"DICM"
_REMEMBERED = 200_000
"""Files whose beginning need not be read again."""

_begun_as_picture: OrderedDict[tuple[str, int, int], bool] = OrderedDict()


@cache
def picture_endings() -> frozenset[str]:
    """File name endings taken for pictures, in lower case; a file's own case does not matter."""
    from PIL import features

    further = [*HEIF] if importlib.util.find_spec("pi_heif") else []
    further += [".avif"] if features.check("avif") else []
    return frozenset((*_PILLOW, *_DICOM, *further))


def why_not(ending: str) -> str:
    """Why files of an ending are not read, or what to do about it; empty where nothing is known of it."""
    if ending in picture_endings():
        return ""
    return _WHY.get(ending) or why_unreadable(f"file{ending}") or ""


def goes_beside(file: str, ending: str) -> bool:
    """Whether a file is one that goes with pictures without being one: labels, a table, a text, settings, a model."""
    return ending in _BESIDE or file.rpartition("/")[2].casefold() in _TEXTS


def begins_as_picture(entry: os.DirEntry[str]) -> bool:
    """Whether a file of no known ending holds DICOM, JPEG or PNG; no more than its beginning is read."""
    try:
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe might never answer
            return False
        key = (entry.path, status.st_mtime_ns, status.st_size)
        if key not in _begun_as_picture:
            with open(entry.path, "rb") as file:  # noqa: PTH123 - as quick as can be, for there may be tens of thousands
                begin = file.read(_DICOM_AT + len(_DICOM_MARK))
            _begun_as_picture[key] = begin.startswith(_BEGINNINGS) or begin[_DICOM_AT:] == _DICOM_MARK
            while len(_begun_as_picture) > _REMEMBERED:
                _begun_as_picture.popitem(last=False)
        return _begun_as_picture[key]
    except OSError:
        return False


def why_heif(path: Path) -> str | None:
    """What a file is that begins as HEIC does, if that is not read here, in words that end the sentence "it is …"."""
    with path.open("rb") as file:
        begin = file.read(12)
    if begin[4:8] != b"ftyp" or begin[8:] not in _HEIF_BRANDS or HEIF[0] in picture_endings():
        return None
    return f"a HEIC picture: {_WHY[HEIF[0]]}"


def kinds_text(files: Mapping[str, list[str]], *, most: int = 6) -> str:
    """Files by their endings, in words: how many, the first, and why or what to do; first those of known kinds."""
    ordered = sorted(files.items(), key=lambda item: (not why_not(item[0]), -len(item[1])))
    parts = [_kind_text(ending, some) for ending, some in ordered[:most]]
    if rest := ordered[most:]:
        count = sum(len(some) for _, some in rest)
        parts.append(f"{count} × other endings ({_few(ending or 'none' for ending, _ in rest)})")
    return "; ".join(parts)


def _kind_text(ending: str, files: list[str]) -> str:
    why = why_not(ending)
    return f"{len(files)} × {ending or 'no ending'} ({files[0]}{' …' if len(files) > 1 else ''}){why and f': {why}'}"


def _few(texts: Iterable[str], most: int = 5) -> str:
    some = list(texts)
    return ", ".join(some[:most]) + (" …" if len(some) > most else "")
