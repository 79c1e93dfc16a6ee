"""What the model says, as functions of one frozen state of labels, features and fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.images.decode import UnreadablePicture
from lead.reporting import counted
from lead.studio import several_answers
from lead.studio.disputes import FEWEST, Case, find_disputes
from lead.studio.films import taken_frame
from lead.studio.folder import PictureFolder, UnknownPicture, picture_id
from lead.studio.knowledge import Fit, Knowledge
from lead.studio.label_messages import Direction, Point
from lead.studio.messages import (
    Choice,
    Disputes,
    Explored,
    ModelStatus,
    Prediction,
    Predictions,
    Suggestion,
    Suggestions,
    Unit,
)
from lead.studio.places import points_of, suggestions_of
from lead.studio.several_disputes import disputes_of_specimens

if TYPE_CHECKING:  # torch, which they need, takes seconds to import
    from lead.geometry import FloatArray
    from lead.studio.features import FeatureBank, Seen
    from lead.studio.review import Review

EXEMPLARS_AT_ONCE_S = 0.1
"""Time that a request may spend on labelled pictures whose features are not there yet."""
EXPLORED = 24
"""Pictures that an explored place is looked for in."""
GUIDES = 12
"""Similar labelled pictures that are named for a picture."""
LOADING = "The studio is still starting: suggestions come in a moment."
NO_FEATURES = "Nothing is learnt from the pictures yet."
NO_NAMES = "Name the landmarks first."
FEW_OWN = (
    "How far off the suggestions are is not known: accepted suggestions do not count, and at least two pictures need a "
    "point that you placed yourself."
)
NO_LABELS = "Label a first picture: suggestions come from the second on."

# --- the whole -------------------------------------------------------------------------------------------------------


def status(knowledge: Knowledge) -> ModelStatus:
    """How far the model side is."""
    bank, fit, problem = knowledge.following or knowledge.bank, knowledge.fit, knowledge.problem
    if bank is None:
        message = problem or (LOADING if knowledge.loading else None)
        return ModelStatus(stage="failed" if problem else "none", message=message)
    stage = "failed" if problem else bank.stage
    out = ModelStatus(stage=stage, done=bank.done, total=bank.total, fitting=knowledge.fitting, message=problem)
    if knowledge.of_several:
        return several_answers.add_status(knowledge, out)
    if close := knowledge.close_of_names:
        out.closely = list(close.closely)
    if fit is not None:
        frame = bank.extractor.frame
        learnt = fit.learnt
        error = learnt.error * frame.shown / frame.side
        out.model, out.method, out.fitted_to = fit.number, learnt.method, len(learnt.exemplars)
        out.held_out_points = learnt.judged_on
        if np.isfinite(error):
            out.held_out, out.held_out_px = float(error), learnt.error_px
        elif fit.contents.taught.accepted is not None:
            out.message = out.message or FEW_OWN
    return out


def _no_features(knowledge: Knowledge) -> str:
    return knowledge.problem or (LOADING if knowledge.loading else NO_FEATURES)


def _waiting_for(knowledge: Knowledge) -> str:
    """Why there are no predictions yet."""
    if knowledge.problem or knowledge.bank is None:
        return _no_features(knowledge)
    if not knowledge.names:
        return NO_NAMES
    if knowledge.of_several:
        return several_answers.waiting_for(knowledge)
    if not len(knowledge.contents.taught):
        return "Label a first picture."
    if not knowledge.bank.ready:
        return f"Features are being made: {knowledge.bank.done} of {counted(knowledge.bank.total, 'picture')}."
    return "The model is being fitted."


def next_picture(knowledge: Knowledge, after: str | None, skip: Sequence[str]) -> Choice:
    """The picture to label next, and why: not ``after``, which is on the page, nor one of ``skip``."""
    folder, summary = knowledge.folder, knowledge.contents.summary
    unreadable = {picture_id(file) for file, _ in folder.unreadable}
    passed = {*skip, *([after] if after else []), *unreadable, *knowledge.contents.skipped}
    if chosen := _chosen(knowledge, passed):
        return chosen
    start = folder.ids.index(after) + 1 if after in folder.ids else 0
    ids = (id for id in (*folder.ids[start:], *folder.ids[:start]) if id not in passed)
    left = (id for id in ids if not summary.get(id, (0, False))[1])
    if (id := next(left, None)) is None:
        return Choice(id=None, kind="none", reason="There is no picture left to label.")
    begun = "It is begun, but not complete." if id in summary else "It is the next in the folder."
    return Choice(id=id, kind="order", reason=begun, runner_up=next(left, None))


def _chosen(knowledge: Knowledge, passed: set[str]) -> Choice | None:
    """The choice among pictures that are not begun; None if there is none left, or nothing to choose by."""
    store = knowledge.bank.store if knowledge.bank else None
    if knowledge.chooser is None or store is None:
        return None
    ids, row_of = _rows(store.files)
    known = set(knowledge.contents.summary) - knowledge.contents.skipped
    labelled, left_out = ([row_of[id] for id in some if id in row_of] for some in (known, passed))
    there = knowledge.contents.listing.id_of
    left_out += [row for row, file in enumerate(store.files) if file not in there]
    several = knowledge.several_fit if knowledge.of_several else None
    shares = several_answers.doubts(knowledge) if several else expected_shares(knowledge)
    unsure = np.array([shares.get(id, np.nan) for id in ids]) if shares else None
    picked = knowledge.chooser.next(labelled, unsure, left_out, covered=1 if several else None)
    if picked.row is None:
        return None
    runner_up = None if picked.then is None else ids[picked.then]
    return Choice(id=ids[picked.row], kind=picked.kind, reason=picked.reason, runner_up=runner_up)


@lru_cache(maxsize=2)
def _rows(files: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The ids of a store's pictures, and the row of each: with each choice again they would take most of its time."""
    ids = tuple(map(picture_id, files))
    return ids, {id: row for row, id in enumerate(ids)}


# --- one picture -----------------------------------------------------------------------------------------------------


def suggest(knowledge: Knowledge, id: str) -> Suggestions:
    """Where the landmarks of a picture are, and which pictures are a guide to it. Raises :class:`UnknownPicture`.

    On a film's frame that nobody has labelled yet, a landmark is carried from the nearest labelled frame before it,
    unless the model is surer of another place.
    """
    if knowledge.of_several:
        return _specimens(knowledge, id)
    found = _carried_or_found(knowledge, id)
    if knowledge.loading:  # torch is not waited for
        return found
    bank = knowledge.bank
    turned = knowledge.contents.headings.turned or (bank is not None and bank.run.settings.turned)
    up = _up(knowledge, id, found) if turned or id in knowledge.contents.ups else None
    direction = None if up is None else Direction(x=up[0], y=up[1])
    return found.model_copy(update={"turned": turned, "up": direction})


def _specimens(knowledge: Knowledge, id: str) -> Suggestions:
    """As :func:`suggest`, where pictures may show several specimens."""
    guides = _guides(knowledge, knowledge.folder.file_of(id))
    ready = knowledge.bank is not None and knowledge.names
    found = several_answers.suggest(knowledge, id) if ready else Suggestions(id=id, waiting_for=_waiting_for(knowledge))
    return found.model_copy(update={"guides": guides})


def _up(knowledge: Knowledge, id: str, found: Suggestions) -> tuple[float, float] | None:
    """Which way a thing's up points in a picture: as the person said, else by its labels, else as suggested."""
    if said := knowledge.contents.up(id):
        return said

    def places(points: Mapping[str, Point | Suggestion]) -> FloatArray:
        some = (points.get(name) for name in knowledge.names)
        nowhere = (np.nan, np.nan)
        return np.array([nowhere if p is None or p.x is None or p.y is None else (p.x, p.y) for p in some])

    headings = knowledge.contents.headings
    return headings.up(places(knowledge.contents.of(id).points)) or headings.up(places(found.points))


def _carried_or_found(knowledge: Knowledge, id: str) -> Suggestions:
    """As :func:`suggest`, but for how the thing is turned."""
    guides = _guides(knowledge, knowledge.folder.file_of(id))
    found = _suggest(knowledge, id).model_copy(update={"guides": guides})
    carried = _carried(knowledge, id)
    surer = {n: s for n, s in found.points.items() if n not in carried or s.expected_px < carried[n].expected_px}
    if carried.keys() <= surer.keys():
        return found
    return found.model_copy(update={"method": "carried", "points": carried | surer, "waiting_for": None})


def _carried(knowledge: Knowledge, id: str) -> dict[str, Suggestion]:
    """Landmarks of the nearest labelled frame before a film's frame, on that; nothing for any other picture."""
    file, bank = knowledge.folder.file_of(id), knowledge.bank
    if bank is None or taken_frame(file) is None or id in knowledge.contents.summary:
        return {}
    from lead.studio.carry import carried

    return carried(knowledge, bank, id)


def _guides(knowledge: Knowledge, file: str) -> list[str]:
    """The labelled pictures most similar to one, by id; none until the features of all pictures are there."""
    store = knowledge.bank.store if knowledge.bank else None
    if knowledge.chooser is None or store is None:
        return []
    row_of = {other: row for row, other in enumerate(store.files)}
    if file not in row_of:
        return []
    others = dict.fromkeys(knowledge.contents.labels.images)
    labelled = [row_of[other] for other in others if other != file and other in row_of]
    nearest = knowledge.chooser.nearest(row_of[file], labelled)[:GUIDES]
    return [knowledge.folder.id_of(store.files[row]) for row in nearest]


def _suggest(knowledge: Knowledge, id: str) -> Suggestions:
    """What the labelled pictures say of a picture."""
    knowledge.folder.file_of(id)
    bank, names, fit = knowledge.bank, knowledge.names, knowledge.fit_of_names
    if bank is None or not names:
        return Suggestions(id=id, waiting_for=NO_NAMES if bank else _no_features(knowledge))
    exemplars = bank.exemplars(knowledge.contents.taught, EXEMPLARS_AT_ONCE_S)
    if (points := _points_by_up(knowledge, bank, id)) is not None:
        return Suggestions(id=id, method="head", model=fit.number if fit else 0, points=points)
    if fit and fit.landmarker and id not in exemplars:
        reviewed = _reviewed_points(knowledge, fit.number, id)
        if reviewed is not None:
            return Suggestions(id=id, method="head", model=fit.number, points=reviewed)
    head = fit is not None and fit.learnt.head is not None
    if not exemplars or (not head and set(exemplars) == {id}):
        return Suggestions(id=id, waiting_for=NO_LABELS)
    try:
        seen = bank.get(id)
    except UnreadablePicture as error:
        knowledge.folder.note_unreadable(id, error.reason)
        return Suggestions(id=id, waiting_for=f"This picture cannot be read: {error.reason}.")
    from lead.studio.suggest import Matcher

    without = list(exemplars).index(id) if id in exemplars else None
    if fit is None:
        answer = Matcher(list(exemplars.values())).answer(seen.features[None], without)
    else:
        matcher = Matcher(list(exemplars.values()), fit.learnt.matching)
        answer = fit.learnt.answer(seen.features[None].float(), matcher, without)
    method = fit.learnt.method if fit else "matching"
    points = points_of(answer, seen, names)
    for name, close in _seen_closely(knowledge, id).items():
        if name not in points or close.expected_px < points[name].expected_px:
            points[name] = close
    return Suggestions(id=id, method=method, model=fit.number if fit else 0, points=points)


def _seen_closely(knowledge: Knowledge, id: str) -> dict[str, Suggestion]:
    """What the last close look said of those landmarks of a picture that were not labelled on it then.

    So what it found stays while the picture is labelled, point after point, and every label is fitted to in haste.
    """
    close = knowledge.close_of_names
    if close is None:
        return {}
    labelled = close.contents.of(id).points
    points = _points_of(knowledge, close.review, id) or {}
    return {name: point for name, point in points.items() if name not in labelled}


def _points_by_up(knowledge: Knowledge, bank: FeatureBank, id: str) -> dict[str, Suggestion] | None:
    """What the last landmarker says of a picture, told which way the thing's up points; None if there is none, or if
    nobody said so."""
    landmarker, up = knowledge.landmarker_of_names, knowledge.contents.heeded.get(knowledge.folder.file_of(id))
    if landmarker is None or up is None:
        return None
    try:
        seen = bank.get(id)
    except UnreadablePicture:
        return None
    from lead.studio.heeding import predict_told

    labels = predict_told(landmarker, seen.store, np.array([seen.row]), seen.features[None].numpy(), [up])
    if labels.score is None or labels.px_error is None:
        return None
    return suggestions_of(labels.schema.names, labels.xy[0], labels.score[0], labels.px_error[0], seen.size)


def _reviewed_points(knowledge: Knowledge, model: int, id: str) -> dict[str, Suggestion] | None:
    """What a fit's predictions of all pictures say of one of them."""
    review = knowledge.review_of_names
    return _points_of(knowledge, review, id) if review is not None and review.model == model else None


def _points_of(knowledge: Knowledge, review: Review, id: str) -> dict[str, Suggestion] | None:
    """What predictions say of a picture; None of one that they do not have, or not as it is now."""
    file = knowledge.folder.file_of(id)
    if file in dict(review.store.skipped) or file not in review.labels.images:
        return None
    if review.listing and not review.listing.same(knowledge.contents.listing, file):
        return None
    return _prediction(id, review, review.store.index(file), complete=False).points


# --- all pictures ----------------------------------------------------------------------------------------------------


def predictions(knowledge: Knowledge, *, sort: str, offset: int, limit: int) -> Predictions:
    """Some of all predictions, worst expected error first or, with ``sort`` "name", in the folder's order."""
    if knowledge.of_several and knowledge.several_fit:
        return several_answers.predictions(knowledge, sort=sort, offset=offset, limit=limit)
    review = knowledge.review_of_names
    if review is None or knowledge.of_several:
        return Predictions(waiting_for=_waiting_for(knowledge))
    listing, skipped = knowledge.contents.listing, knowledge.contents.skipped
    there = np.array(
        [r for r in review.rows_of(listing) if picture_id(review.labels.images[r]) not in skipped], dtype=int
    )
    if sort == "name":
        place = {file: i for i, file in enumerate(listing.files)}
        order = np.array(sorted(there.tolist(), key=lambda row: place[review.labels.images[row]]), dtype=np.int64)
    else:
        order = review.worst_first[np.isin(review.worst_first, there)]
    pictures = []
    for row in order[offset : offset + limit].tolist():
        id = picture_id(review.labels.images[row])
        pictures.append(_prediction(id, review, row, knowledge.contents.summary.get(id, (0, False))[1]))
    return Predictions(total=len(order), model=review.model, pictures=pictures)


def _prediction(id: str, review: Review, row: int, complete: bool) -> Prediction:
    labels = review.labels
    assert labels.score is not None
    assert labels.px_error is not None
    width, height = review.store.sizes[row].tolist()
    return Prediction(
        id=id,
        file=labels.images[row],
        width=width,
        height=height,
        expected_px=float(review.expected_px[row]),
        expected=float(review.share[row]),
        complete=complete,
        points=suggestions_of(
            labels.schema.names, labels.xy[row], labels.score[row], labels.px_error[row], (width, height)
        ),
    )


def expected_shares(knowledge: Knowledge) -> dict[str, float]:
    """Mean expected error of each predicted picture by id, as a share of its longer side."""
    return {id: share for id, (share, _) in expected_errors(knowledge).items()}


def expected_errors(knowledge: Knowledge) -> dict[str, tuple[float, float]]:
    """Mean expected error of each predicted picture by id: as a share of its longer side, and in its pixels."""
    if knowledge.of_several:
        return several_answers.expected_errors(knowledge)
    review = knowledge.review_of_names
    if review is None:
        return {}
    listing, images = knowledge.contents.listing, review.labels.images
    errors = [
        (listing.id_of[images[row]], review.share[row], review.expected_px[row]) for row in review.rows_of(listing)
    ]
    return {id: (float(share), float(px)) for id, share, px in errors if np.isfinite(share)}


def disputes(knowledge: Knowledge, unit: Unit = "px") -> Disputes:
    """Labels for a second look: as they are now, beside what the last fit's models say that had not seen them."""
    if knowledge.of_several:
        waiting_for = None if knowledge.several_fit else _waiting_for(knowledge)
        return Disputes(disputes=disputes_of_specimens(knowledge, unit), waiting_for=waiting_for)
    labels, document, fit = knowledge.contents.taught, knowledge.contents.document, knowledge.fit_of_names
    cases, checked = [], set()
    for file, xy, by_hand in zip(labels.images, labels.xy, labels.by_hand, strict=True):
        annotation = document.annotation(file)
        if annotation and annotation.checked:
            checked.add(picture_id(file))
        if case := _case(knowledge.folder, fit, file, xy, by_hand):
            cases.append(case)
    disputed = find_disputes(cases, knowledge.names, labels.schema.flip_pairs, leave_out=checked, unit=unit)
    few = f"Labels are compared with what the model expects from {FEWEST} labelled pictures on."
    waiting_for = few if len(labels) < FEWEST else None if fit else _waiting_for(knowledge)
    return Disputes(disputes=disputed, waiting_for=waiting_for)


def _case(
    folder: PictureFolder, fit: Fit | None, file: str, xy: FloatArray, by_hand: npt.NDArray[np.bool_]
) -> Case | None:
    """A labelled picture beside what was learnt without it; None if it cannot be read."""
    id = picture_id(file)
    try:
        size = folder.size(id)
    except (UnreadablePicture, UnknownPicture):
        return None
    unseen, error, score = np.full_like(xy, np.nan), np.full(len(xy), np.nan), np.full(len(xy), np.nan)
    exemplar = fit.learnt.exemplars.get(id) if fit else None
    if fit and exemplar:
        row = list(fit.learnt.exemplars).index(id)
        answer = fit.learnt.unseen
        unseen = exemplar.seen.to_picture(answer.points[row].double().numpy())
        error = answer.expected[row].double().numpy() * exemplar.seen.frame_px
        score = answer.score[row].double().numpy()
    return Case(id, file, size, xy, unseen, error, score, by_hand)


def explore(knowledge: Knowledge, id: str, x: float, y: float, pictures: Sequence[str]) -> Explored:
    """Where a place of a picture is on ``pictures``, or on a spread of them where none is given.

    Raises:
        UnknownPicture: one of them is not of this folder.
        UnreadablePicture: the picture that is pointed at cannot be decoded.
    """
    if knowledge.bank is None:
        return Explored(waiting_for=_no_features(knowledge))
    from lead.studio.explore import heat_maps

    asked = knowledge.bank.get(id)
    others: list[tuple[str, Seen]] = []
    for other in pictures or _spread(knowledge.folder, knowledge.bank, id):
        try:
            others.append((other, knowledge.bank.get(other)))
        except UnreadablePicture as error:
            knowledge.folder.note_unreadable(other, error.reason)
    return Explored(maps=heat_maps(asked, x, y, others))


def _spread(folder: PictureFolder, bank: FeatureBank, id: str) -> list[str]:
    """Up to ``EXPLORED`` pictures evenly over the folder, or over that part of it whose features are there."""
    finished = bank.finished()
    files = finished[0].files[: len(finished[1])] if finished else folder.files[:4]
    ids = [picture_id(file) for file in files if file in folder and picture_id(file) != id]
    chosen = np.linspace(0, len(ids) - 1, min(EXPLORED, len(ids))).round().astype(int)
    return [ids[i] for i in chosen]
