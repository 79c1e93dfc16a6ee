"""Labels for a second look where pictures may show several specimens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lead.images.decode import UnreadablePicture
from lead.landmarks.same import SAME, alike
from lead.studio.disputes import Case, find_disputes
from lead.studio.folder import UnknownPicture, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.messages import Dispute, Unit
from lead.studio.several_answers import Judged, judged
from lead.studio.several_labels import Labelled, extents, labelled_on


def disputes_of_specimens(knowledge: Knowledge, unit: Unit = "px") -> list[Dispute]:
    """Labels of specimens for a second look, the most severe first.

    They are compared with what the model says, even of pictures that it has learnt from: there it is wrong less often,
    so less is disputed, but what is deserves it.
    """
    contents = knowledge.contents
    names, schema = knowledge.names, contents.labels.schema
    seen = {one.found.file: one for one in judged(knowledge)}
    cases: list[Case] = []
    called: dict[str, str] = {}
    checked: set[str] = set()
    out: list[Dispute] = []
    usual = _usual_extent(knowledge)
    for file in dict.fromkeys(contents.taught.images):
        id = picture_id(file)
        try:
            size = knowledge.folder.size(id)
        except (UnreadablePicture, UnknownPicture):
            continue
        labelled = labelled_on(contents, id)
        called |= {one.key: one.words for one in labelled}
        checked |= {one.key for one in labelled if one.checked}
        of_picture = [_case(one, id, file, size, seen.get(file), usual) for one in labelled]
        cases += of_picture
        out += _twice(labelled, of_picture, names)
    found = find_disputes(cases, names, schema.flip_pairs, leave_out=checked, unit=unit)
    out += [one.model_copy(update={"message": f"{called[one.key or '']}: {one.message}"}) for one in found]
    return sorted(out, key=lambda dispute: -dispute.severity)


def _usual_extent(knowledge: Knowledge) -> float:
    """In pixels, of the labelled specimens."""
    sizes = extents(knowledge.contents.taught.xy)
    return float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0


def _case(one: Labelled, id: str, file: str, size: tuple[int, int], seen: Judged | None, usual: float) -> Case:
    """A labelled specimen beside what the model says of it, if it found it."""
    row = None
    if seen is not None:
        place = {labelled.key: i for i, labelled in enumerate(seen.labelled)}.get(one.key)
        row = next((row for row, i in seen.same.items() if i == place), None)
    nothing = np.full(len(one.xy), np.nan)
    unseen, error, score = np.full_like(one.xy, np.nan), nothing, nothing
    extent = max(one.extent, usual)
    if seen is not None and row is not None:
        labels, extent = seen.found.labels, float(seen.found.extent[row])
        assert labels.px_error is not None
        assert labels.score is not None
        unseen, error, score = labels.xy[row], labels.px_error[row], labels.score[row]
    return Case(id, file, size, one.xy, unseen, error, score, one.by_hand, key=one.key, extent=extent)


def _twice(labelled: Sequence[Labelled], cases: Sequence[Case], names: Sequence[str]) -> Iterator[Dispute]:
    """Specimens of one picture whose landmarks are on the same places."""
    for i, one in enumerate(labelled):
        for j, other in enumerate(labelled[:i]):
            extent = np.array([cases[j].reach])
            close = float(alike(one.xy[None], other.xy[None], extent)[0, 0])
            if close <= SAME or (one.checked and other.checked):
                continue
            away = np.linalg.norm(one.xy - other.xy, axis=-1)
            both = np.flatnonzero(np.isfinite(away)).tolist()
            text = f"{one.words} is where s{other.words[1:]} is: one specimen, labelled twice?"
            yield cases[i].dispute("duplicate", names, both, float(away[both].mean()), 1 + 2 * close, text)
