"""What a run learns from: the pictures of a folder or dataset, and frames of films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lead.datasets import coco, deeplabcut, is_plain, open_dataset, open_datasets
from lead.datasets.base import Dataset
from lead.datasets.folder import with_frames
from lead.errors import LeadError
from lead.images.film import films_need
from lead.images.find import find_media, is_film
from lead.images.sample import open_films, sample_films
from lead.reporting import Progress, Say, counted
from lead.training.run import Run

Pictures = Dataset | Path | str | Sequence[Path | str]
"""What a run learns from: a dataset, or the folder of one, or several folders."""
FRAMES = "frames"
"""Folder in a run for the frames of films."""


def opened(data: Path, run: Run, name: str | None, frames: int | None, sampling: Progress | None, say: Say) -> Dataset:
    """The dataset in a folder; of films, frames are taken first, into the run's folder."""
    if is_film(data):
        pictures: list[str] = []
        films = {data.name: data}
    elif name in (None, "folder") and (name or is_plain(data)):
        pictures, found, left_out = find_media(data)
        films = {film: data / film for film in found}
        if left_out:
            say(f"Left out: {left_out}.")
    else:
        dataset = open_dataset(data, name)
        for note in dataset.notes:
            say(note)
        if _is_own(data) and (left_out := find_media(data).left_out):
            say(f"Left out: {left_out}.")
        return dataset
    need = films_need() if pictures and films else None
    if need:
        say(f"{counted(len(films), 'film')} left out. {need}")
    if need or not films:
        return open_dataset(data, name)
    known, skipped = open_films(films)
    if not run.has_backbone:
        run.initial_backbone()  # a wrong name or missing weights stop here, before anything is written
    run = Run.create(run.folder, run.settings, run.upkeep)
    sampled = sample_films(known, run.folder / FRAMES, count=frames, seed=run.settings.seed, progress=sampling)
    for film, reason in (*skipped, *sampled.skipped):
        say(f"{film} left out: {reason}.")
    say(sampled.summary(run.folder / FRAMES))
    return with_frames(data, pictures, run.folder / FRAMES, sampled.files, sampled.films)


def learnt_from(
    data: Pictures, run: Run, name: str | None, frames: int | None, sampling: Progress | None, say: Say
) -> Dataset:
    """A dataset as it is, that in a folder as :func:`opened` has it, or the training pictures of several folders.

    Raises:
        LeadError: as there; or there are films in one of several folders.
    """
    if isinstance(data, Dataset):
        return data
    folders = [Path(data)] if isinstance(data, Path | str) else [Path(folder) for folder in data]
    if len(folders) == 1:
        return opened(folders[0], run, name, frames, sampling, say)
    for folder in folders:
        if is_film(folder) or (is_plain(folder) and find_media(folder).films):
            raise LeadError(
                f"{folder}: of several folders, none may hold films. Put all that is to be learnt from in one."
            )
    dataset = open_datasets(folders, name)
    for note in dataset.notes:
        say(note)
    say(
        "Learning from " + " and ".join(f"{counted(n, 'picture')} of {source}" for source, n in dataset.sources.items())
    )
    return dataset


def _is_own(data: Path) -> bool:
    """Whether a folder holds a user's pictures with labels, not a published dataset, which is as it should be."""
    return coco.present(data) or deeplabcut.present(data)
