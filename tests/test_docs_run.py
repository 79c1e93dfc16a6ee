"""What the documents tell a user to type works, in the order in which a page tells it.

Presets are replaced by the least that there is, and the few pictures are rendered: what is checked is that each step
finds what the ones before it made. Left out is what needs a published archive, a browser or an hour.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import lead
from lead import config
from lead.beetles.writing import write_beetles
from lead.cli import app
from lead.config import Settings, check
from lead.config_text import parse
from lead.images.film import write_film
from lead.landmarks import Labels
from lead.landmarks.looks import LookHeader, dump

ROOT = Path(__file__).parents[1]
OTHERS = ("guide", "formats", "research", "films", "deploy", "morphometrics")
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in OTHERS)]
NOT_HERE = re.compile(
    r"data/|ytfaces|\bstudio\b|\bdemo\b|reproduce (?!--list)|hub:|push|runs/trial|--teacher|dinov2|@|--int8|"
    r"predictions\.slp"
)
"""Needs an archive, a browser, the network, another tool's file, or more pictures than there are here."""
COUNT, SIDE = 40, 64
LEAST = """
picture: {store: 64, input: 32}
backbone: {name: test_resnet}
hypercolumn: {weights: [1, 0, 0, 0]}
pretrain: {steps: 2, batch: 4, hidden: 16, projection: 8}
distill: {steps: 2, batch: 4, dimension: 16, width: 16, projection: null, alignment: 0, exchange: 1}
"""


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """The page's shell lines that call the program, its Python blocks, and files of YAML, in their order."""
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(sh|python|yaml)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if language != "sh":
            yield language, block
        else:
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("lead "):
                    yield "sh", line


def least(name: str, assignments: Iterable[str] = ()) -> Settings:
    """The least settings, whatever was asked for; what was asked for is checked all the same."""
    ORIGINAL(name, assignments)
    return check(parse(LEAST, "least"), "least")


ORIGINAL = config.load_preset


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "beetles"
    write_beetles(folder, COUNT, size=SIDE, species=8)
    return folder


@pytest.fixture
def desk(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages take for granted, as the current one."""
    known = lead.load_labels(rendered / "landmarks.json")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    names = [f"{i + 1:04}.jpg" for i in range(len(known))]
    for image, name in zip(known.images, names, strict=True):
        shutil.copy(rendered / image, pictures / name)
    labels = Labels(known.schema, tuple(names), known.xy, known.visible).take(range(6))
    sizes = dict.fromkeys(names, (SIDE, SIDE))
    for path in ("labels.csv", "labels.json", "pictures/annotations.json"):
        lead.save_labels(labels, tmp_path / path, sizes=sizes)
    shutil.copytree(pictures, tmp_path / "frames")
    _films(rendered, known, tmp_path)
    _deeplabcut(labels, tmp_path)
    _looks(labels, pictures)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lead.nn.shape.ROUNDS", 2)  # of six; a file with all of them takes seconds longer to export
    for home in ("lead.api.load_preset", "lead.config.load_preset"):
        monkeypatch.setattr(home, least)
    write = write_beetles
    few = {"size": SIDE, "species": 8}
    monkeypatch.setattr(
        "lead.beetles.writing.write_beetles",
        lambda out, count, **more: write(out, min(count, COUNT), **{**more, **few}),
    )
    return tmp_path


def _films(rendered: Path, known: Labels, folder: Path) -> None:
    """A film with labels of some frames, and a folder of another."""
    stills = [Image.open(rendered / image).convert("RGB") for image in known.images[:20]]
    (folder / "more-films").mkdir()
    for path in (folder / "film.mp4", folder / "more-films" / "other.mp4"):
        write_film(path, stills, (SIDE, SIDE), Fraction(10))
    frames = tuple(f"film.mp4#{i}" for i in range(6))
    some = Labels(known.schema, frames, known.xy[:6], known.visible[:6])
    lead.save_labels(some, folder / "labels.slp", sizes=dict.fromkeys(frames, (SIDE, SIDE)))


def _deeplabcut(labels: Labels, folder: Path) -> None:
    """A table beside the pictures, and a project."""
    lead.save_labels(labels, folder / "CollectedData_Ann.h5")
    video = folder / "project" / "labeled-data" / "v"
    video.mkdir(parents=True)
    names = tuple(f"labeled-data/v/{name}" for name in labels.images)
    for name in names:
        Image.new("RGB", (SIDE, SIDE)).save(folder / "project" / name)
    project = Labels(labels.schema, names, labels.xy, labels.visible)
    lead.save_labels(project, video / "CollectedData_Ann.csv", format="deeplabcut")
    (folder / "project" / "config.yaml").write_text("scorer: Ann\n")


def _looks(labels: Labels, pictures: Path) -> None:
    """Labels of several people, and a second look beside the studio's own labels."""
    rng = np.random.default_rng(0)
    again = [replace(labels, xy=labels.xy + rng.normal(0, 0.5, labels.xy.shape)) for _ in range(4)]
    for look, name in zip(again, ("anna.json", "again.csv", "ben.tps"), strict=False):
        lead.save_labels(look, pictures / name)
    said = LookHeader("Anna", 2, 0, "annotations.json", "Anna", labels.images, {})
    (pictures / "annotations-look-anna-2.json").write_text(dump(again[3], said), encoding="utf-8")


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("page", [page for page in PAGES if page.is_file()], ids=lambda page: page.stem)
def test_every_step_works(page: Path) -> None:
    ran = 0
    seen: dict[str, Any] = {}
    if page.stem != "README":  # the other pages go on from where the README ends
        for line in (
            "lead train pictures --out runs/mine",
            "lead fit runs/mine labels.csv --pictures pictures --out mine.safetensors",
            "lead predict mine.safetensors pictures --out landmarks.json",
        ):
            run(line)
        run("lead render --count 40 --out beetles")
    for language, step in steps(page):
        if NOT_HERE.search(step):
            continue
        if language == "sh":
            run(step)
        elif language == "yaml":
            if named := re.match(r"# (\S+\.yaml)\n", step):
                Path(named[1]).write_text(step, encoding="utf-8")
        else:
            exec(compile(step, str(page), "exec"), seen)
        ran += 1
    assert ran


def run(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    if ">" in words:
        words = words[: words.index(">")]
    more = ["--overwrite"] if words[0] in ("fit", "predict", "match", "convert", "evaluate", "export") else []
    if words[0] == "evaluate":  # one of the features and one draw are enough to see that it works
        more += ["--method", "lead", *(["--labels", "1,5", "--draws", "1"] if "few-shot" in words else [])]
    result = CliRunner().invoke(app, [*words, *more])
    assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"


def test_a_step_that_does_not_work_is_caught(desk: Path) -> None:
    with pytest.raises(AssertionError, match=r"mine\.safetensors"):
        run("lead predict mine.safetensors pictures --out landmarks.json")
    assert not np.any([path.name == "landmarks.json" for path in desk.iterdir()])
