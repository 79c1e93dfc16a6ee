"""Tables 1 to 6, and those that the paper does not have: start × stage 2, training with labels alone, recipes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from lead.evaluation.results import Result, Row
from lead.reproduce.arms import Start, as_long, contrast_landmarks, default, dve, factorial, pyramid, reduced, stage_one
from lead.reproduce.study import Entry, Measurement, Study

STARTS: tuple[Start, ...] = ("pretrained", "scratch")
STAGE_TWO = ("alignment", "projector", "equivariance", "exchange", "default")
SUPERVISED_LABELS = (10, 200, None)
"""Numbers of labelled pictures; None for all. Each is a training."""


def _peer(dimension: int) -> Entry:
    return Entry(contrast_landmarks(dimension), ("moco+projector", dimension))


def _lead(dimension: int) -> Entry:
    return Entry(pyramid("byol", "alignment", dimension), ("byol+alignment", dimension))


def _hypercolumns() -> list[Entry]:
    return [Entry(stage_one("moco"), ("moco", None)), Entry(stage_one("byol"), ("byol", None))]


def _dve() -> Entry:
    return Entry(dve(), ("dve", 64))


def _ours(study: Study) -> list[Entry]:
    """Our default, and what a pre-trained start gives without any training here."""
    start = [] if study.preset.backbone.init == "random" else [Entry(stage_one("init"))]
    return [*start, Entry(default(study.preset))]


def _made(study: Study, name: str, title: str, entries: Sequence[Entry], kind: Measurement) -> Result:
    started = time.monotonic()
    rows = study.table(name, entries, kind)
    return study.result(name, title, rows, started)


def table1(study: Study) -> Result:
    """Landmark matching."""
    entries = [
        _dve(),
        _peer(64),
        Entry(reduced("byol", "nmf", 64), ("byol+nmf", 64)),
        Entry(reduced("byol", "pca", 64)),
        _lead(64),
        *_ours(study),
        _peer(256),
        Entry(reduced("byol", "nmf", 256), ("byol+nmf", 256)),
        _lead(256),
        *_hypercolumns(),
    ]
    return _made(study, "table1", "Table 1: landmark matching, the peers' protocol", entries, "peers-matching")


def matching(study: Study) -> Result:
    """Matching as a user means it."""
    entries = [_dve(), _peer(64), Entry(reduced("byol", "pca", 64)), _lead(64), *_ours(study), *_hypercolumns()]
    return _made(study, "matching", "Matching between frames of one person and between people", entries, "matching")


def table2(study: Study) -> Result:
    """Landmark regression from all labels."""
    entries = [_dve(), *_hypercolumns(), *_ours(study)]
    return _made(study, "table2", "Table 2: landmark regression from all labels", entries, "regression")


def table3(study: Study) -> Result:
    """The projection head."""
    entries = [
        Entry(pyramid("byol", "alignment", dimension, head=head), (f"byol+alignment, {name}", dimension))
        for dimension, head, name in (
            (64, None, "no head"),
            (64, 64, "head 64"),
            (64, 256, "head 256"),
            (128, 256, "head 256"),
            (256, 256, "head 256"),
        )
    ]
    return _made(study, "table3", "Table 3: the projection head, by landmark matching", entries, "peers-matching")


def table4(study: Study) -> Result:
    """The feature's dimension."""
    pairs = [entry for dimension in study.dimensions for entry in (_peer(dimension), _lead(dimension))]
    entries = [_dve(), *pairs, *_ours(study)]
    return _made(
        study, "table4", "Table 4: the feature's dimension, by regression from all labels", entries, "regression-first"
    )


def table5(study: Study) -> Result:
    """Few labels."""
    pairs = [entry for dimension in study.dimensions for entry in (_peer(dimension), _lead(dimension))]
    entries = [_dve(), *pairs, *_hypercolumns(), *_ours(study)]
    return _made(study, "table5", "Table 5: the number of labelled pictures", entries, "few-labels")


def table6(study: Study) -> Result:
    """The two objectives, each stage's."""
    entries = [
        Entry(pyramid(objective, term, dimension), (f"{objective}+{term}", dimension))
        for objective in ("moco", "byol")
        for term in ("projector", "alignment")
        for dimension in study.dimensions
    ]
    title = "Table 6: stage 1 × stage 2 in one architecture"
    return _made(study, "table6", title, entries, "regression-first")


def recipes(study: Study) -> Result:
    """The peers' recipes and ours by the number of labels, with one start and as many steps."""
    started = time.monotonic()
    local = [] if study.preset.backbone.init == "random" else [Entry(factorial("pretrained", "projector"))]
    entries = [_dve(), _peer(64), *local, _lead(64), *_ours(study)]
    entries = [replace(entry, arm=as_long(entry.arm, study.preset)) for entry in entries]
    rows = study.table("table5", entries, "few-labels")
    return study.result("recipes", "Recipes with one start and as many steps, by the number of labels", rows, started)


def starts(study: Study) -> Result:
    """Start × stage 2 under equal steps."""
    started = time.monotonic()
    chosen = [s for s in STARTS if s == "scratch" or study.preset.backbone.init != "random"]
    entries = [Entry(factorial(start, term)) for start in chosen for term in STAGE_TWO]
    rows = study.table("starts", entries, "matching")
    rows += [row for row in study.table("starts", entries, "few-labels", (10,)) if row not in rows]
    return study.result("starts", "What each term of stage 2 is worth, from two starts", rows, started)


def supervised(study: Study) -> Result:
    """The same network trained with labels alone, from scratch, for as many steps as both stages took."""
    started = time.monotonic()
    rows: list[Row] = []
    for entry in (_lead(64), *_ours(study)):
        rows += study.table("supervised", [entry], "few-labels", (10,))
    rows += study.supervised(SUPERVISED_LABELS)
    unique = {(r.method, r.features, r.labels): r for r in rows}
    return study.result("supervised", "Training with labels alone", list(unique.values()), started)
