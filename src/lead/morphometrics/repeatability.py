"""How repeatable landmarks, measurements and shapes are, beside how exact a model is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import written
from lead.landmarks.model import VISIBLE, Labels, unlabelled
from lead.landmarks.naming import matched
from lead.morphometrics.measures import Measure
from lead.morphometrics.measuring import measure, side_by_side
from lead.morphometrics.procrustes import centroid_sizes, superimposed
from lead.morphometrics.second_looks import Looks
from lead.morphometrics.shape import FEWEST_LANDMARKS, FEWEST_SPECIMENS
from lead.morphometrics.spread import deviations
from lead.morphometrics.variation import (
    Estimates,
    Interval,
    between_people,
    has_pairs,
    icc_one_way,
    icc_two_way,
    model_error,
    model_to_look,
    procrustes_anova,
    within_people,
)
from lead.reporting import Say, counted, unsaid

FloatArray = npt.NDArray[np.float64]

COLUMNS = ("of", "name", "person", "quantity", "value", "low_90", "high_90", "unit", "pictures", "note")
LANDMARK, MEASURE, SHAPE = "landmark", "measure", "shape"
"""What a line may be of."""
WITHIN, BETWEEN = "within people", "between people"
MODEL, EXPECTED = "model", "model, as it expects"
TO_SECOND, TO_OTHER = "model ÷ second look", "model ÷ another's look"
ICC_WITHIN, ICC_BETWEEN, REPEATABILITY = "ICC(1,1)", "ICC(2,1)", "repeatability"
"""What a line may say."""
EXACT, LESS_EXACT, OPEN = "as exact", "less exact", "cannot be told"
MARGIN = 1.25
"""A model is as exact as a look whose differences from looks are, with 95 % confidence, at most so many times as large
as those between looks."""
FEWEST_TO_CLAIM = 10
"""Pictures looked at twice from which it is said whether a model is as exact as a look."""
FAR, FEWEST_FOR_FAR = 6.0, 5
"""Looks are told that lie so many times as far apart as is usual of their landmark; of so many pictures or more."""
ALL_IN_ONE = "with the error within people: nobody looked twice"


@dataclass(frozen=True)
class Line:
    """One number of the table, with its 90 % interval; NaN where it cannot be told."""

    of: str
    name: str
    quantity: str
    value: float
    low: float = np.nan
    high: float = np.nan
    unit: str = ""
    pictures: int = 0
    person: str = ""
    note: str = ""


@dataclass(frozen=True)
class Repeatability:
    """What repeated looks tell.

    Attributes:
        looks: that were compared.
        lines: all numbers.
        far: (picture, landmark, distance in pixels) where looks lie unusually far apart, the farthest first.
    """

    looks: Looks
    lines: tuple[Line, ...]
    far: tuple[tuple[str, str, float], ...]

    def found(self, of: str, quantity: str, unit: str | None = None) -> dict[str, Line]:
        """The lines of all people together of one kind, by the name of the landmark or measure."""
        return {
            line.name: line
            for line in self.lines
            if line.of == of and line.quantity == quantity and not line.person and unit in (None, line.unit)
        }

    def verdicts(self) -> list[str]:
        """Whether the model is as exact as a look, in sentences; empty without a model."""
        alone = len(set(self.looks.people)) == 1
        told = []
        for quantity, look in (
            (TO_SECOND, "a second look of yours" if alone else "a second look by the same person"),
            (TO_OTHER, "another person's look"),
        ):
            for of in (LANDMARK, MEASURE):
                lines = list(self.found(of, quantity, "").values())
                if lines:
                    told.append(_verdict(of, look, lines))
        return told

    def dump(self) -> Iterator[str]:
        """The lines of a CSV; blank is unknown."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in self.lines:
            numbers = (written(value) for value in (line.value, line.low, line.high))
            pictures = line.pictures or ""
            writer.writerow([line.of, line.name, line.person, line.quantity, *numbers, line.unit, pictures, line.note])
        yield out.getvalue()


def _verdict(of: str, look: str, lines: Sequence[Line]) -> str:
    """One sentence of those landmarks, or measures, on which the model is as exact as a look; and of the others."""
    exact, less, left = ([line for line in lines if line.note == note] for note in (EXACT, LESS_EXACT, OPEN))
    told = f"The model is as exact as {look} on {len(exact)} of {counted(len(lines), of)}"
    if less:
        told += f"; less exact on {len(less)} ({_some(less)})"
    if left:
        pictures = [line.pictures for line in left]
        few = f", which takes {FEWEST_TO_CLAIM} looked at twice" if max(pictures) < FEWEST_TO_CLAIM else ""
        told += f"; on {len(left)} it cannot be told from {counted(max(pictures), 'picture')}{few}"
    return f"{told}."


def _some(lines: Sequence[Line], most: int = 5) -> str:
    return ", ".join(line.name for line in lines[:most]) + (" …" if len(lines) > most else "")


def repeatability(
    looks: Looks,
    measures: Sequence[Measure] = (),
    predicted: Labels | None = None,
    *,
    learnt_from: Iterable[str] = (),
    without: Sequence[str] = (),
    say: Say = unsaid,
) -> Repeatability:
    """What repeated looks tell of landmarks, measurements and shape, and of a model.

    Args:
        looks: see :func:`lead.morphometrics.second_looks.gathered_looks`.
        measures: what is measured, as :func:`lead.morphometrics.measures.parse` gives it.
        predicted: what the model says of these pictures.
        learnt_from: names of pictures that the model learnt from: there it is more exact than elsewhere, and what it
            says of them is left out.
        without: landmarks that are no part of the shape, such as those of a ruler.
        say: told what is left out.

    Raises:
        LeadError: the predictions are of none of the pictures or landmarks.
    """
    names, people = looks.schema.names, looks.people
    model = None if predicted is None else _aligned(predicted, looks, learnt_from, say)
    places = None if model is None else model.xy
    lines = _of_things(LANDMARK, names, ["px"] * len(names), looks.xy, people, places)
    sides = looks.sides[:, None]  # (N, 1, 2)
    if np.isfinite(sides).any():
        in_mm = None if places is None else places * sides
        of_mm = _of_things(LANDMARK, names, ["mm"] * len(names), looks.xy * sides, people, in_mm)
        lines += [line for line in of_mm if line.unit]  # how many times as exact is the same
    if model is not None:
        lines += _expected(model)
    if measures:
        lines += _of_measures(looks, measures, model)
    shaped = [k for k, name in enumerate(names) if name not in set(without)]
    lines += _of_shape(looks, shaped, say)
    return Repeatability(looks, tuple(lines), tuple(_far(looks)))


def _of_things(
    of: str,
    names: Sequence[str],
    units: Sequence[str],
    looks: FloatArray,
    people: Sequence[str],
    model: FloatArray | None,
) -> list[Line]:
    """The lines of M landmarks or measures.

    Args:
        of: which of them they are.
        names, units: M.
        looks, people, model: as in :mod:`lead.morphometrics.variation`.
    """

    def told(quantity: str, found: Estimates, person: str = "", note: str = "") -> list[Line]:
        numbers = zip(found.value, found.low, found.high, found.pictures, strict=True)
        return [
            Line(of, name, quantity, float(value), float(low), float(high), unit, int(pictures), person, note)
            for name, unit, (value, low, high, pictures) in zip(names, units, numbers, strict=True)
        ]

    everybody = list(dict.fromkeys(people))
    again, others = (has_pairs(looks, people, same=same) for same in (True, False))
    lines = []
    if again:
        lines += told(WITHIN, within_people(looks, people))
        for person in everybody if len(everybody) > 1 else ():
            own = [row for row, name in enumerate(people) if name == person]
            if has_pairs(looks[own], [person] * len(own), same=True):
                lines += told(WITHIN, within_people(looks[own], [person] * len(own)), person)
    if others:
        lines += told(BETWEEN, between_people(looks, people), note="" if again else ALL_IN_ONE)
    if model is None or not np.isfinite(model).any():
        return lines
    lines += told(MODEL, model_error(model, looks, people))
    for quantity, there, same in ((TO_SECOND, again, True), (TO_OTHER, others, False)):
        if there:
            found = model_to_look(model, looks, people, same=same)
            numbers = zip(names, found.value, found.low, found.high, found.pictures, strict=True)
            lines += [
                Line(of, name, quantity, float(v), float(low), float(high), "", int(n), note=_judged(low, high, int(n)))
                for name, v, low, high, n in numbers
            ]
    return lines


def _judged(low: float, high: float, pictures: int) -> str:
    """Whether a model is as exact as a look, of how many times as far from looks it is as these from one another."""
    if pictures < FEWEST_TO_CLAIM:
        return OPEN
    return EXACT if high <= MARGIN else LESS_EXACT if low > 1 else OPEN


def _of_measures(looks: Looks, measures: Sequence[Measure], model: Labels | None) -> list[Line]:
    """The lines of measures: directions as numbers, too, of which close ones are made close (179 and 181)."""
    known = {image: scale for of_series in reversed(looks.scales) for image, scale in of_series.items()}
    tables = [
        measure(looks.labels(i), measures, {**known, **own} if known else None) for i, own in enumerate(looks.scales)
    ]
    if model is not None:
        tables.append(measure(model, measures, known or None))
    values = np.array([table.values for table in tables])  # (L, N, M), the model's last
    for m, one in enumerate(measures):
        if one.kind == "axis":
            values[..., m] = side_by_side(values[..., m].ravel()).reshape(values.shape[:2])
    own = values[: len(looks.people)]
    names = [one.name for one in measures]
    of_model = None if model is None else values[-1][..., None]
    lines = _of_things(MEASURE, names, tables[0].units, own[..., None], looks.people, of_model)
    everybody = list(dict.fromkeys(looks.people))
    for m, name in enumerate(names):
        firsts = []
        for person in everybody:
            rows = own[[row for row, one in enumerate(looks.people) if one == person], :, m]  # (looks, N)
            firsts.append(_first_known(rows))
            if len(rows) > 1 and np.isfinite((found := icc_one_way(_looked_twice(rows.T))).value):
                lines.append(_of_interval(name, ICC_WITHIN, found, person if len(everybody) > 1 else ""))
        if len(everybody) > 1:
            lines.append(_of_interval(name, ICC_BETWEEN, icc_two_way(np.stack(firsts, axis=1))))
    return lines


def _of_interval(name: str, quantity: str, found: Interval, person: str = "") -> Line:
    return Line(MEASURE, name, quantity, found.value, found.low, found.high, "", found.subjects, person)


def _looked_twice(values: FloatArray) -> FloatArray:
    return np.asarray(values[np.isfinite(values).sum(1) > 1])


def _first_known(rows: FloatArray) -> FloatArray:
    """(N,) of each picture the first of (looks, N) values that is there."""
    first = np.argmax(np.isfinite(rows), axis=0)
    return np.asarray(rows[first, np.arange(rows.shape[1])])


def _of_shape(looks: Looks, landmarks: Sequence[int], say: Say) -> list[Line]:
    """The lines of shape: its repeatability, and the analysis of variance that it comes from."""
    if len(landmarks) < FEWEST_LANDMARKS:
        say(f"No repeatability of shape: it takes {FEWEST_LANDMARKS} landmarks.")
        return []
    whole = np.isfinite(looks.xy[:, :, landmarks]).all((2, 3))  # (L, N)
    seen = np.isfinite(looks.xy[:, :, landmarks]).any((2, 3))
    kept = whole & (whole.sum(0) > 1)
    if left := int((seen & ~kept).sum()):
        say(
            f"Of shape, {counted(left, 'look')} left out: a landmark is missing in it, or in the others at its picture."
        )
    rows, columns = np.nonzero(kept)
    if len(set(columns.tolist())) < FEWEST_SPECIMENS:
        say(f"No repeatability of shape: it takes {FEWEST_SPECIMENS} pictures with two whole looks.")
        return []
    sides = np.where(np.isfinite(looks.sides), looks.sides, 1)
    points = looks.xy[rows, columns][:, landmarks] * sides[columns][:, None] * (1, -1)
    for at in np.flatnonzero(centroid_sizes(points) == 0).tolist()[:1]:
        file, image = looks.files[rows[at]], looks.images[columns[at]]
        raise LeadError(f"{file}, {image!r}: all landmarks lie in one place. Correct them.")
    people = [looks.people[row] for row in rows]
    shapes = superimposed(points)
    sources, share = procrustes_anova(shapes, columns.tolist(), people)
    pictures = len(set(columns.tolist()))
    lines = [Line(SHAPE, "", REPEATABILITY, share, pictures=pictures, note="of one look by any of the people")]
    for person in dict.fromkeys(people) if len(set(people)) > 1 else ():
        own = [row for row, name in enumerate(people) if name == person]
        subjects = columns[own]
        if len(set(subjects.tolist())) < len(own):
            alone = procrustes_anova(shapes[own], subjects.tolist(), [person] * len(own))[1]
            lines.append(Line(SHAPE, "", REPEATABILITY, alone, pictures=len(set(subjects.tolist())), person=person))
    for source in sources:
        for quantity, value in (("df", source.df), ("SS", source.ss), ("MS", source.ms), ("F", source.f)):
            if np.isfinite(value):
                lines.append(Line(SHAPE, source.name, quantity, value))
    return lines


def _aligned(predicted: Labels, looks: Looks, learnt_from: Iterable[str], say: Say) -> Labels:
    """What a model says of the pictures and landmarks that were looked at, picture by picture."""
    file = predicted.places.file if predicted.places else "The predictions"
    for image, count in predicted.of_several().items():
        raise LeadError(f"{file}: {image!r} shows {count} specimens; compare pictures of one each.")
    said = replace(unlabelled(predicted, ~predicted.is_predicted).without_empty(), tracks=None)
    if predicted.predicted is None:
        raise LeadError(f"{file}: nothing in it is said by a model. Give what `lead predict` wrote.")
    names = [name for name in looks.schema.names if name in predicted.schema.names]
    if not names:
        raise LeadError(
            f"{file}: it has no landmark of the looks. It has: {', '.join(predicted.schema.names)}; they have: "
            f"{', '.join(looks.schema.names)}."
        )
    if missing := [name for name in looks.schema.names if name not in names]:
        say(f"{file}: it does not say {', '.join(map(repr, missing))}.")
    row_of = {looked: said.images.index(image) for image, looked in matched(said.images, looks.images).items()}
    rows = [row_of.get(image, -1) for image in looks.images]
    there = [i for i, row in enumerate(rows) if row >= 0 and np.isfinite(said.xy[row]).any()]
    if not there:
        raise LeadError(
            f"{file}: it has none of the {counted(len(looks.images), 'picture')} looked at twice, the first is "
            f"{looks.images[0]!r}. Predict these: `lead predict`."
        )
    if len(there) < len(rows):
        first = next(image for i, image in enumerate(looks.images) if i not in there)
        say(f"{file}: {counted(len(rows) - len(there), 'picture')} looked at twice not in it, the first is {first!r}.")
    seen = set(matched(learnt_from, looks.images).values())
    if known := [i for i in there if looks.images[i] in seen]:
        if len(known) == len(there):
            raise LeadError(
                f"{file}: the model learnt from all {counted(len(there), 'picture')} looked at twice. Fit one without "
                "their labels, and predict them with that."
            )
        say(f"{file}: left out {counted(len(known), 'picture')} that the model learnt from.")
        there = [i for i in there if i not in known]
    at, their = ([schema.index(name) for name in names] for schema in (looks.schema, said.schema))
    there_rows = [rows[i] for i in there]

    def table(own: FloatArray | None, *beside: int) -> FloatArray:
        full = np.full((len(looks.images), len(looks.schema.names), *beside), np.nan)
        for k, theirs in zip(at, their, strict=True):
            if own is not None:
                full[there, k] = own[there_rows, theirs]
        return full

    return Labels(
        looks.schema,
        looks.images,
        xy := table(said.xy, 2),
        np.full(xy.shape[:2], VISIBLE, dtype=np.int8),
        px_error=table(said.px_error),
        px_90=table(said.px_90),
    )


def _expected(model: Labels) -> list[Line]:
    """How far off the model itself expects to be: the root mean square, of its 90 % radii or expected errors."""
    spread = deviations(model)
    lines = []
    for k, name in enumerate(model.schema.names):
        known = spread[np.isfinite(spread[:, k]), k]
        if len(known):
            value = float(np.sqrt(2 * (known**2).mean()))
            lines.append(Line(LANDMARK, name, EXPECTED, value, unit="px", pictures=len(known)))
    return lines


def _far(looks: Looks) -> Iterator[tuple[str, str, float]]:
    """Where looks lie unusually far apart: as a rule two landmarks were mixed up, or one was slipped."""
    pairs = list(combinations(range(len(looks.people)), 2))
    apart = np.array([np.linalg.norm(looks.xy[one] - looks.xy[other], axis=-1) for one, other in pairs])
    known = np.isfinite(apart)
    most = np.where(known, apart, 0).max(0)  # (N, K)
    there = known.any(0)
    found = []
    for k, name in enumerate(looks.schema.names):
        own = most[there[:, k], k]
        if len(own) >= FEWEST_FOR_FAR:
            limit = FAR * np.median(own)
            found += [(looks.images[n], name, float(most[n, k])) for n in np.flatnonzero(most[:, k] > limit).tolist()]
    yield from sorted(found, key=lambda one: -one[2])
