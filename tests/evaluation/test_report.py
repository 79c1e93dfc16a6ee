from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.evaluation.chart import Chart, Curve
from lead.evaluation.report import KeyFigure, Section, Shown, write_report
from lead.evaluation.results import Result, Row

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<mark>x</mark>\"'&"


class Page(HTMLParser):
    """Checks that every tag is closed in turn, and keeps what was opened and written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def report(path: Path, word: str = "plain") -> str:
    rows = (
        Row(f"byol/{word}", word, 10, "regression-5", "%", 9.0, 8.0, 0.5, 3),
        Row("lead", word, 10, "regression-5", "%", 7.25, 6.0, 0.25, 3),
        Row("lead", word, "all", "regression-5", "%", 5.0, 4.0),
        Row("lead", word, None, "matching-same", "px", 1.0, 1.0, published=13.344),
    )
    result = Result(word, word, word, word, {word: word}, 1.0, {word: word}, 0, rows, word, (word,))
    chart = Chart(word, word, word, [Curve(word, [1, 2, 3], [3.0, 2.0, 1.0]), Curve("b", [1, 2], [1, 2])], smooth=2)
    image = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    sections = [
        Section(word, f"{word}\n\n{word}", [KeyFigure(word, word, word)], [chart], [result], [Shown(image, word)]),
        Section("Empty"),
        Section("Wide", pictures=[Shown(image.resize((30, 10)), "", alt=word)]),
    ]
    write_report(path, title=word, intro=word, sections=sections)
    return path.read_text(encoding="utf-8")


def test_every_tag_is_closed_and_ids_differ(tmp_path: Path) -> None:
    page = Page(report(tmp_path / "report.html"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    targets = [href for a in page.all("a") if (href := a["href"])]
    assert len(targets) == 3
    assert all(target.startswith("#") and target[1:] in ids for target in targets)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(tmp_path: Path) -> None:
    text = report(tmp_path / "report.html")
    page = Page(text)
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"@import|url\(", text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    assert all((img["src"] or "").startswith("data:image/") for img in page.all("img"))


def test_hostile_words_are_only_words(tmp_path: Path) -> None:
    page = Page(report(tmp_path / "report.html", HOSTILE))
    assert not page.all("mark")
    assert "".join(page.text).count(HOSTILE) >= 15
    plain = Page(report(tmp_path / "plain.html"))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]


def test_it_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    page = Page(report(tmp_path / "report.html"))
    assert [img["alt"] for img in page.all("img")] == ["plain", "plain"]
    assert all(th.get("scope") in {"col", "row", "colgroup"} for th in page.all("th"))
    drawings = [svg for svg in page.all("svg") if "viewbox" in svg]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert page.all("html")[0]["lang"]


def test_the_best_of_each_column_is_marked(tmp_path: Path) -> None:
    text = report(tmp_path / "report.html")
    best = re.findall(r'<td class="best"><span class="mean">(.*?)</span>', text)
    assert best == ["7.25", "5.00", "1.00"]


def test_published_numbers_stand_in_brackets_that_are_explained(tmp_path: Path) -> None:
    text = report(tmp_path / "report.html")
    assert text.count("[13.34]") == 1
    assert text.count("In brackets, what the method") == 1


def test_the_heading_of_a_metric_spans_its_columns(tmp_path: Path) -> None:
    page = Page(report(tmp_path / "report.html"))
    assert [th["colspan"] for th in page.all("th") if th.get("scope") == "colgroup"] == ["2", "1"]


def test_a_picture_is_embedded_as_it_is(tmp_path: Path) -> None:
    source = Page(report(tmp_path / "report.html")).all("img")[0]
    data = base64.b64decode((source["src"] or "").partition("base64,")[2])
    assert Image.open(io.BytesIO(data)).size == (10, 10)


def test_a_report_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(LeadError, match=r"report\.html is already there"):
        write_report(path, title="", intro="", sections=[])
    assert path.read_text() == "mine"
    write_report(path, title="new", intro="", sections=[], overwrite=True)
    assert "new" in path.read_text()
