"""Which pictures the tasks of Label Studio are of: the addresses in their data, and which of them a result means."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lead.landmarks.frames import FILMS, frame_of

LOCAL = "/data/local-files/"
FIELD = "image"
"""The task's field that holds the address where nothing says otherwise."""
ENDINGS = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".avif", ".heic", ".heif", ".jp2"),
    *(".dcm", ".pgm", ".ppm", *FILMS),
)
"""By which an address is known for a picture's among a task's other texts, in lower case."""
_UPLOADED = re.compile(r"(?:.*/)?upload/(?:.*/)?([0-9a-f]{8}-)[^/]+", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Address:
    """Where a picture is.

    Attributes:
        path: its path, host or bucket first; of an uploaded file without the digits that Label Studio puts before it.
        whole: whether all of the path is the picture's name: it starts from a folder, not from a server.
    """

    path: str
    whole: bool

    @classmethod
    def of(cls, text: str, *, inside: bool = False) -> Address | None:
        """What a text of a task's data means; None where it names nothing.

        Args:
            text: such as ``"/data/upload/1/0a1b2c3d-1.jpg"``.
            inside: whether it stood in another address, and may not hold one itself.
        """
        if text.startswith("data:"):
            return None  # the picture itself, which has no name
        if _DRIVE.match(text):
            return cls._if_named(text.replace("\\", "/"), whole=True)
        try:
            parts = urlsplit(text)
        except ValueError:  # "//[": no address
            return cls._if_named(text, whole=True)
        query = parse_qs(parts.query)
        if parts.path.endswith(LOCAL) and (local := query.get("d")):
            return cls._if_named(local[0].replace("\\", "/"), whole=True)
        if not inside and (held := query.get("fileuri") or query.get("filepath")):
            return cls.of(_plain(held[0]), inside=True)
        named = [value for values in query.values() for value in values if value.lower().endswith(ENDINGS)]
        if named and not parts.path.lower().endswith(ENDINGS):  # "…/download?file=1.jpg"
            return cls._if_named(f"{_path(text, parts)}/{named[0]}", whole=False)
        if parts.scheme == "file":
            return cls._if_named(unquote(parts.path), whole=True)
        if not parts.scheme and not text.startswith("/") and not _UPLOADED.fullmatch(text):
            return cls._if_named(text.replace("\\", "/"), whole=True)
        return cls._if_named(_path(text, parts), whole=False)

    @classmethod
    def _if_named(cls, path: str, *, whole: bool) -> Address | None:
        uploaded = None if whole else _UPLOADED.fullmatch(path)
        if uploaded:
            path = path[: uploaded.start(1)] + path[uploaded.end(1) :]
        return cls(path, whole) if posixpath.basename(path) not in ("", ".", "..") else None

    @property
    def is_picture(self) -> bool:
        """Whether its ending is that of a picture, a film, or a film's frame."""
        return self.path.lower().endswith(ENDINGS) or frame_of(self.path) is not None


def _plain(held: str) -> str:
    """The address in an address of cloud storage, which is in base64, of either alphabet, with or without its end."""
    if "://" in held:
        return held
    text = held.replace(" ", "+").rstrip("=")  # a + stands for a space in a query
    try:
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if set(text) & set("-_") else None
        ).decode()
    except (binascii.Error, ValueError):
        return held


def _path(text: str, parts: SplitResult) -> str:
    """The path of an address on a server, which is named first; keys of cloud storage stand as they are."""
    if parts.scheme in ("", "http", "https"):
        path = unquote(parts.path).strip("/")
        return f"{parts.netloc}/{path}".lstrip("/") if path else ""
    return text.split("://", 1)[-1]


def fields_of(data: object) -> dict[str, list[Address]]:
    """The fields of a task's data that hold an address, or a list of them, of whatever may be a picture."""
    found: dict[str, list[Address]] = {}
    for field, value in data.items() if isinstance(data, dict) else ():
        texts = value if isinstance(value, list) else [value]
        addresses = [Address.of(text) for text in texts if isinstance(text, str)]
        if texts and len(addresses) == len(texts) and None not in addresses:
            found[str(field)] = [address for address in addresses if address is not None]
    return found


def field_of(fields: Mapping[str, list[Address]], to_name: object, source: object, *, several: bool) -> str | None:
    """The field whose picture a result is on; None if that cannot be told.

    Args:
        fields: of the task's data.
        to_name: what the result calls the picture.
        source: the result's own word for the field, ``"$image"``, which few have.
        several: whether results of the file are on more than one picture that no field is called by.
    """
    if isinstance(source, str) and source[:1] == "$" and source[1:] in fields:
        return source[1:]
    pictures = [field for field, addresses in fields.items() if all(address.is_picture for address in addresses)]
    on_servers = [field for field, (address, *_) in fields.items() if not address.whole]
    among = pictures or on_servers or list(fields)
    if to_name in (*among, *on_servers):
        return str(to_name)
    if len(among) == 1:
        return among[0]
    return FIELD if FIELD in among and not several else None


def names_of(addresses: Iterable[Address]) -> dict[Address, str]:
    """What pictures go by: their path, of those on a server the shortest end of it that no other picture's has."""
    distinct = list(dict.fromkeys(addresses))
    ends = Counter(end for path in {address.path for address in distinct} for end in _ends(path))
    names = {}
    for address in distinct:
        only = (end for end in _ends(address.path) if ends[end] == 1)
        names[address] = address.path if address.whole else next(only, address.path)
    return names


def _ends(path: str) -> list[str]:
    """The path's last part, its last two, …"""
    parts = path.split("/")
    return ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
