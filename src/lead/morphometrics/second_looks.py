"""Gathering looks: whose points stand in which file, of which pictures, one person's beside the others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.images.folder_pictures import LabelledAs
from lead.landmarks import looks as look_files
from lead.landmarks.looks import LookHeader
from lead.landmarks.model import UNLABELLED, Labels, Schema, numbered
from lead.landmarks.naming import matched, nearly_same
from lead.landmarks.scales import Scale
from lead.morphometrics.opening import Ruler, opened
from lead.morphometrics.scaling import from_ruler
from lead.reporting import Say, counted, unsaid

FloatArray = npt.NDArray[np.float64]
NOBODY = "first labels"
"""Who is said to have placed labels of which nobody said whose they are."""


@dataclass(frozen=True)
class LookFile:
    """A file of looks: whose they are, and what it says of itself if it was made by the studio."""

    person: str
    path: Path
    header: LookHeader | None = None
    pictures: Path | None = None


@dataclass(frozen=True)
class Looks:
    """L series of looks at N pictures, each at two or more times, with the K landmarks that all files have.

    Attributes:
        schema: the landmarks.
        images: names of the pictures.
        people: L names, whose each series is; a person may have several.
        files: L, where each stands.
        xy: (L, N, K, 2) pixels of the upright pictures; NaN where there is no label.
        scales: of the pictures as each series knows them, empty if none does.
    """

    schema: Schema
    images: tuple[str, ...]
    people: tuple[str, ...]
    files: tuple[str, ...]
    xy: FloatArray
    scales: tuple[Mapping[str, Scale], ...]

    def labels(self, series: int) -> Labels:
        """One series as labels of all N pictures."""
        return Labels.from_xy(self.schema, self.images, self.xy[series])

    @property
    def sides(self) -> FloatArray:
        """(N, 2) millimetres a pixel, on average over the series that know it; NaN where none does."""
        known = [[(s.x, s.y) for of_series in self.scales if (s := of_series.get(image))] for image in self.images]
        return np.array([np.mean(sides, axis=0) if sides else (np.nan, np.nan) for sides in known]).reshape(-1, 2)


@dataclass
class _Series:
    file: LookFile
    labels: Labels
    scales: dict[str, Scale] = field(default_factory=dict)


def files_of(arguments: Sequence[str]) -> list[LookFile]:
    """The files that are meant by arguments of the command line.

    Args:
        arguments: each ``NAME=FILE``; or a file of looks, which says whose it is; or a label file with files of looks
            beside it, or the folder of one, which stand for all of these.

    Raises:
        LeadError: there is no such file, it is not said whose it is, one is named twice, or two people have one name.
    """
    found: list[LookFile] = []
    for argument in arguments:
        name, is_named, file = argument.partition("=")
        if is_named and not Path(argument).exists():
            if not name.strip():
                raise LeadError(
                    f"{argument!r}: no name before '='. Say whose labels they are: anna={file or 'anna.json'}"
                )
            found.append(_named(name.strip(), Path(file)))
        else:
            found += _unnamed(Path(argument))
    _refuse_same(found)
    return found


def _named(person: str, path: Path) -> LookFile:
    header = look_files.header_of(path)
    if header and header.person.casefold() != person.casefold():
        raise LeadError(
            f"{path}, 'look': it says that its person is {header.person!r}, and {person!r} was said. Give it as "
            f"{header.person}={path}, or correct the name in the file."
        )
    return LookFile(person, path, header)


def _unnamed(path: Path) -> list[LookFile]:
    if not path.exists():
        raise LeadError(
            f"No file or folder {path}. Give files as NAME=FILE, such as anna=anna.json, or a studio's folder."
        )
    if path.is_file() and (header := look_files.header_of(path)):
        return [LookFile(header.person, path, header)]
    labels = _labels_in(path) if path.is_dir() else path
    beside = [(other, header) for other in look_files.beside(labels) if (header := look_files.header_of(other))]
    if not beside:
        raise LeadError(
            f"{labels}: no looks of it beside it, and it does not say whose labels they are. Make a second look in "
            f"`lead studio`, or name the people: anna={labels} ben=…"
        )
    first_by = {header.first_by: other for other, header in beside if header.first_by}
    if len(first_by) > 1:
        (one, here), (other, there) = list(first_by.items())[:2]
        raise LeadError(
            f"{here} says that the first labels are by {one!r}, {there} by {other!r}. Correct 'first_by' in one of "
            "them; or name the people: NAME=FILE."
        )
    first = LookFile(next(iter(first_by), NOBODY), labels)
    return [first, *(LookFile(header.person, other, header, labels.parent) for other, header in beside)]


def _labels_in(folder: Path) -> Path:
    """The label file of a folder that has files of looks beside it."""
    found = map(look_files.header_of, sorted(folder.glob(f"*{look_files.INFIX}*.json")))
    names = sorted({header.labels for header in found if header})
    if len(names) != 1:
        which = (
            f"looks of several label files, {', '.join(names)}: name one of them"
            if names
            else ("no files of looks. Make a second look in `lead studio`, or name the people: anna=FILE ben=FILE")
        )
        raise LeadError(f"{folder} holds {which}.")
    if not (folder / names[0]).is_file():
        raise LeadError(f"{folder} holds looks of {names[0]}, which is not there. Name the people: NAME=FILE.")
    return folder / names[0]


def _refuse_same(files: Sequence[LookFile]) -> None:
    """Raises :class:`LeadError` for a file that is given twice, and for names that do not tell people apart."""
    seen: dict[Path, LookFile] = {}
    for one in files:
        if other := seen.get(one.path.resolve()):
            raise LeadError(
                f"{one.path} was given twice, as a look by {other.person!r} and by {one.person!r}. Give each look a "
                "file of its own."
            )
        seen[one.path.resolve()] = one
    for group in nearly_same({one.person for one in files}):
        where = ", ".join(str(one.path) for one in files if one.person in group)
        raise LeadError(
            f"Is this one person or several: {', '.join(map(repr, sorted(group)))} ({where})? Give one person one "
            "name, and two people names that differ."
        )


def gathered_looks(
    files: Sequence[LookFile],
    *,
    scale: str | None = None,
    ruler: Ruler | None = None,
    unit: str = "mm",
    pictures: Path | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    say: Say = unsaid,
) -> Looks:
    """The looks of some files, picture by picture and landmark by landmark.

    Args:
        files: see :func:`files_of`.
        scale, ruler, unit, pictures, only, labelled_as: see :func:`lead.morphometrics.opening.opened`.
        say: told what is likely a mistake, and what was left out.

    Raises:
        LeadError: a file cannot be understood; two hold the same look; they have no landmark in common, or no picture
            was looked at twice.
    """
    if scale is not None and ruler is not None:
        raise LeadError("Two sources of the scale were given. Give --scale or --ruler.")
    series = []
    for file in files:
        folder = pictures or file.pictures
        found = opened(file.path, scale=scale, unit=unit, pictures=folder, only=only, labelled_as=labelled_as, say=say)
        if len(own := _own(found.labels, say)):
            series.append(_Series(file, own, found.scales))
        else:
            say(f"{file.path}: no landmark in it that a person placed, so it is left out.")
    if len(series) < 2:
        raise LeadError("There is one look, and nothing to compare it with. Give looks at the same pictures.")
    _name_numbers(series, say)
    if ruler:
        for one in series:
            one.scales = _by_ruler(one, ruler, unit, say)
    schema = _in_common(series, say)
    images, names = _one_name_each(series)
    xy = np.full((len(series), len(images), len(schema.names), 2), np.nan)
    row_of = {image: row for row, image in enumerate(images)}
    for i, one in enumerate(series):
        xy[i, [row_of[names[i][image]] for image in one.labels.images]] = one.labels.only(schema.names).xy
    _refuse_copies(series, images, xy, say)
    looked = np.isfinite(xy[..., 0]).any(-1)  # (L, N)
    twice = looked.sum(0) > 1
    if not twice.any():
        shown = "; ".join(f"{one.file.path} has {one.labels.images[0]!r}" for one in series[:2])
        raise LeadError(
            f"No picture was looked at twice, so there is nothing to compare: {shown}. Give looks at the same."
        )
    if not twice.all():
        first = images[int(np.argmin(twice))]
        say(f"{counted(int((~twice).sum()), 'picture')} with a single look left out, the first is {first!r}.")
    scales = tuple(
        {names[i][image]: known for image, known in one.scales.items() if image in names[i]}
        for i, one in enumerate(series)
    )
    return Looks(
        schema,
        tuple(image for image, kept in zip(images, twice.tolist(), strict=True) if kept),
        tuple(one.file.person for one in series),
        tuple(str(one.file.path) for one in series),
        xy[:, twice],
        scales,
    )


def _by_ruler(one: _Series, ruler: Ruler, unit: str, say: Say) -> dict[str, Scale]:
    """The scales of one person's look, by where that person placed the ends of the ruler."""
    try:
        return from_ruler(one.labels, (ruler.start, ruler.end), ruler.length, unit=unit, say=say)
    except LeadError as error:
        raise LeadError(f"{one.file.path}: {error}") from error


def _own(labels: Labels, say: Say) -> Labels:
    """Labels of one specimen a picture that a person placed; what a model said is no look."""
    for image, count in labels.of_several().items():
        where = labels.where(labels.images.index(image))
        raise LeadError(f"{where}{image!r} shows {count} specimens; compare pictures of one each.")
    own = replace(labels.without_empty(), tracks=None).only_by_hand()
    if gone := int((labels.visible > UNLABELLED).sum() - (own.visible > UNLABELLED).sum()):
        say(f"{_file(labels)}: {counted(gone, 'label')} left out that a model said or suggested: nobody's look.")
    return own.take(np.flatnonzero((own.visible > UNLABELLED).any(1)).tolist())


def _file(labels: Labels) -> str:
    return labels.places.file if labels.places else "the labels"


def _name_numbers(series: Sequence[_Series], say: Say) -> None:
    """Gives landmarks that go by numbers, as in TPS, the names that another file has for as many, in their order."""
    named = [one for one in series if one.labels.schema.names != numbered(len(one.labels.schema.names))]
    for one in series if named else ():
        own, other = one.labels.schema.names, named[0].labels.schema.names
        if one in named:
            continue
        if len(own) != len(other):
            raise LeadError(
                f"{one.file.path} has {len(own)} landmarks by number, {named[0].file.path} has {len(other)} by name: "
                "that does not tell which is which. Give both the same names (lead convert writes a CSV to edit)."
            )
        say(f"{one.file.path} numbers its landmarks: 1 to {len(own)} are taken in the order of {named[0].file.path}.")
        one.labels = replace(one.labels, schema=named[0].labels.schema)


def _in_common(series: Sequence[_Series], say: Say) -> Schema:
    """The landmarks that all files have, in the order of the first."""
    everywhere = set.intersection(*(set(one.labels.schema.names) for one in series))
    for one in series:
        if left := [name for name in one.labels.schema.names if name not in everywhere]:
            say(f"{one.file.path}: {', '.join(map(repr, left))} left out, which not all files have.")
    if not everywhere:
        first, *_, last = series
        raise LeadError(
            f"No landmark is in all files: {first.file.path} has {', '.join(first.labels.schema.names)}, "
            f"{last.file.path} has {', '.join(last.labels.schema.names)}. Give them the same names."
        )
    names = series[0].labels.schema.names
    return series[0].labels.schema.subset(name for name in names if name in everywhere)


def _one_name_each(series: Sequence[_Series]) -> tuple[list[str], list[dict[str, str]]]:
    """The names of all pictures, as the first file that has each writes it, and how each file's names become these."""
    images: list[str] = []
    sizes: dict[str, tuple[tuple[int, int], Path]] = {}
    names = []
    for one in series:
        same = matched(one.labels.images, images)
        names.append({image: same.get(image, image) for image in one.labels.images})
        images += [image for image in one.labels.images if image not in same]
        for image, size in one.labels.known_sizes().items():
            known, where = sizes.setdefault(names[-1][image], (size, one.file.path))
            if known != size:
                here, there = (" × ".join(map(str, two)) for two in (known, size))
                raise LeadError(
                    f"{image!r} is {here} pixels in {where}, {there} in {one.file.path}. Give the folder of the "
                    "pictures (--pictures), so that both are placed in these."
                )
    return images, names


def _refuse_copies(series: Sequence[_Series], images: Sequence[str], xy: FloatArray, say: Say) -> None:
    """Raises :class:`LeadError` where two files hold one and the same look; says where single pictures do."""
    for (i, one), (j, other) in combinations(enumerate(series), 2):
        both = np.isfinite(xy[i, ..., 0]) & np.isfinite(xy[j, ..., 0])  # (N, K)
        rows = np.flatnonzero(both.any(1)).tolist()
        here, there = one.file.header, other.file.header
        if rows and here and there and one.file.person == other.file.person and here.number == there.number:
            raise LeadError(
                f"{other.file.path}, 'look': a look {there.number} by {other.file.person!r} at {images[rows[0]]!r} "
                f"stands in {one.file.path}, too. If these are two people, give one another name ('person' in the "
                "file); if both are one person's, another 'number'."
            )
        same = [row for row in rows if np.array_equal(xy[i, row], xy[j, row], equal_nan=True)]
        if same and len(same) == len(rows):
            raise LeadError(
                f"{other.file.path} has the very points of {one.file.path} in {counted(len(rows), 'picture')}, the "
                f"first {images[rows[0]]!r}: a copy is no second look. Give what was labelled anew."
            )
        if same:
            say(
                f"{other.file.path} has the very points of {one.file.path} in {counted(len(same), 'picture')} of "
                f"{len(rows)}, the first {images[same[0]]!r}. If they were copied, errors come out too small."
            )
