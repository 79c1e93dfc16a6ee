"""What the documents say is so: numbers, links, commands, code."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

import lead
from lead.cli import app
from lead.cli.reference import reference
from lead.cli.use import convert
from lead.config import Settings, presets
from lead.config_text import describe
from lead.evaluation.index import index
from lead.evaluation.tables import fill
from lead.landmarks.formats import FORMATS, RESULTS, WRITTEN
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS: Any = typer.main.get_command(app)


def blocks(language: str) -> list[str]:
    """The fenced code of a language in all documents."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command_lines(program: str) -> list[str]:
    """The lines in shell blocks that call a program."""
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.split()[:1] == [program]]


def parse(line: str) -> dict[str, Any]:
    """The parameters that a ``lead`` command line sets; nothing runs. Raises a usage error for a wrong one."""
    words = shlex.split(line, comments=True)
    name, arguments = words[1], words[2:]
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    assert name in COMMANDS.commands, f"lead {name}: no such command"
    parameters: dict[str, Any] = COMMANDS.commands[name].make_context(name, arguments).params
    return parameters


def anchors(text: str) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_tables_and_numbers_are_those_of_the_results(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*<!-- value", text, re.MULTILINE), "a line that begins with a comment ends the paragraph"
    assert fill(text, ROOT, path.parent.relative_to(ROOT)) == text, "out of date; run: make tables"


def test_the_index_of_the_results_is_current() -> None:
    assert (ROOT / "results" / "README.md").read_text(encoding="utf-8") == index(ROOT), "out of date; run: make tables"


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "results" / "README.md"], ids=lambda p: p.name)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for target in ("".join(found) for found in targets):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.is_file(), f"{path.name}: {target} is not there"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{path.name}: no heading for {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_files_and_names_of_the_code_that_are_mentioned_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for file in re.findall(r"`((?:src|tests|benchmarks|examples)/[\w/.-]*)`", text):
        assert (ROOT / file).exists(), f"{path.name}: {file} is not there"
    for name, file in re.findall(r"`(\w+)` (?:of|in) `((?:src|tests)/[\w/]+\.py)`", text):
        defined = re.search(rf"^(?:(?:class|def) )?{name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert defined, f"{path.name}: {file} has no {name}"
    for module, name in re.findall(r"`(lead(?:\.[a-z]\w*)+)\.(\w+)[(`]", text):
        assert hasattr(import_module(module), name), f"{path.name}: {module} has no {name}"


def test_every_format_has_its_line() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == {known.name for known in FORMATS}


def test_the_help_of_convert_names_every_format() -> None:
    formats = (convert.__doc__ or "").split("Formats by the ending", 1)[1]
    written, read = (set(re.findall(r"[a-z][\w-]+", part)) for part in formats.split("Only read:"))
    assert {known.name for known in (*WRITTEN, RESULTS)} <= written
    assert {known.name for known in FORMATS if known.only_read} == read


OF_SPECIMENS = ("several", "tracks", "boxes", "likely", "complete")


def test_what_a_format_loses_stands_in_its_line() -> None:
    words = {
        "names": "names",
        "order": "order",
        "hidden": "hidden",
        "score": "scores",
        "errors": "expected errors",
        "together": "how errors go together",
        "flips": "flip pairs",
        "skeleton": "skeleton",
        "curves": "curves",
        "between": "curves' points between others",
        "sizes": "picture sizes",
        "endings": "pictures' endings",
        "fractions": "fractions of a pixel",
        "film": "the film",
        "accepted": "accepted",
        "predicted": "predicted",
        "mixed": "predictions beside a person's points",
    }
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    lost = dict(re.findall(r"^\| `([\w-]+)` \|.*\| (.+?) \| .+? \|$", page, re.MULTILINE))
    for known in FORMATS:
        said = ", ".join(words[feature] for feature in known.lacks if feature not in OF_SPECIMENS) or "nothing"
        assert lost[known.name] == ("only read" if known.only_read else said)


def test_what_a_format_holds_of_specimens_stands_in_its_line() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    said = {
        name: holds.split(" | ") for name, holds in re.findall(r"^\| ([\w-]+) \| ([yes–| ]+) \|$", page, re.MULTILINE)
    }
    assert said == {
        known.name: ["–" if feature in known.lacks else "yes" for feature in OF_SPECIMENS] for known in WRITTEN
    }
    assert f"`{RESULTS.name}`" in page


def test_the_documents_show_every_step() -> None:
    shown = {line.split()[1] for line in command_lines("lead")}
    assert shown >= {"train", "fit", "predict", "match", "evaluate", "render", "settings", "studio"}


@pytest.mark.parametrize("line", command_lines("lead"))
def test_commands_parse(line: str) -> None:
    parameters = parse(line)
    known = {key for key, _ in describe(Settings)}
    for assignment in parameters.get("assignments") or ():
        assert assignment.partition("=")[0] in known, f"{line}: no such setting"
    preset = parameters.get("preset")
    assert preset is None or preset in presets() or preset.endswith(".yaml"), f"{line}: no such preset"


def test_the_example_of_a_label_file_reads_as_it_is_explained(tmp_path: Path) -> None:
    (example,) = blocks("json")
    (tmp_path / "annotations.json").write_text(example, encoding="utf-8")
    Image.new("RGB", (640, 480)).save(tmp_path / "0001.jpg")
    labels = lead.load_labels(tmp_path / "annotations.json")
    assert labels.schema.flip_pairs == (("left_eye", "right_eye"),)
    assert labels.visible.tolist() == [[2, 1, 0]]
    book = LabelBook.open(PictureFolder(tmp_path), tmp_path / "annotations.json", Events())
    (id,) = book.contents.summary
    states = {name: point.state for name, point in book.labels(id).points.items()}
    book.close()
    assert states == {"left_eye": "visible", "right_eye": "hidden", "chin": "absent"}


@pytest.mark.parametrize(
    "line",
    [
        "lead tarin pictures --out runs/mine",
        "lead train pictures --output runs/mine",
        "lead train pictures",
        "lead evaluate runs/mine beetles regresion",
    ],
)
def test_a_wrong_command_is_caught(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing|is not one of"):
        parse(line)


def test_the_reference_has_every_option_of_every_command() -> None:
    """Compared by what it says, not by how: that changes with the library that writes it."""

    def said(text: str) -> dict[str, list[str]]:
        sections = re.split(r"^## `(lead [\w-]+)`$", text, flags=re.MULTILINE)
        names, bodies = sections[1::2], sections[2::2]
        return {
            name: [line.split("`")[1] for line in body.splitlines() if line.startswith("* `")]
            for name, body in zip(names, bodies, strict=True)
        }

    file = ROOT / "docs" / "commands.md"
    assert said(file.read_text(encoding="utf-8")) == said(reference()), "out of date; run: make docs"
    assert set(said(reference())) == {f"lead {name}" for name in COMMANDS.commands}


@pytest.mark.parametrize("name", COMMANDS.commands)
def test_the_reference_has_every_text_whole(name: str) -> None:
    said = " ".join((ROOT / "docs" / "commands.md").read_text(encoding="utf-8").split())
    command = COMMANDS.commands[name]
    texts = [command.help, f"`{name}`: {command.help.partition(chr(10) * 2)[0]}", *(p.help for p in command.params)]
    missing = [text for text in filter(None, texts) if " ".join(text.split()) not in said]
    assert not missing, "out of date; run: make docs"


def test_the_reference_of_python_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^::: lead\.(\w+)$", page, re.MULTILINE)) == set(lead.__all__)


@pytest.mark.parametrize("line", command_lines("make"))
def test_make_targets_are_there(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)


def test_pip_installs_what_the_package_offers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = command_lines("pip")
    assert lines
    for line in lines:
        found = re.fullmatch(r"pip install '([\w-]+)\[([\w-]+)\]'", line)
        assert found
        assert found[1] == project["name"]
        assert found[2] in project["optional-dependencies"]


def check_code(code: str) -> None:
    """Fails unless code parses and calls only public names, with arguments that they take; nothing runs."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lead":
            assert node.module == "lead", f"{node.module} is not public"
            assert {alias.name for alias in node.names} <= set(lead.__all__)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lead":
            assert node.attr in lead.__all__, f"lead.{node.attr} is not public"
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("lead."):
            function: Any = lead
            for part in ast.unparse(node.func).split(".")[1:]:
                function = getattr(function, part)
            inspect.signature(function).bind(*node.args, **{str(word.arg): word.value for word in node.keywords})


@pytest.mark.parametrize("code", blocks("python"))
def test_code_uses_public_names_as_they_are(code: str) -> None:
    check_code(code)


@pytest.mark.parametrize(
    "code",
    [
        "import lead\nlead.tarin",
        "from lead.api import train",
        "import lead\nlead.train('a', 'b', presett='small')",
        "import lead\nlead.Landmarker.lode('a')",
        "run = = 1",
    ],
)
def test_wrong_code_is_caught(code: str) -> None:
    with pytest.raises((AssertionError, AttributeError, TypeError, SyntaxError)):
        check_code(code)
