"""What mkdocs.yml needs beyond settings: pages from outside docs/, links to them, formulas, and docstrings' roles.

The repository's links lead somewhere on its web view. On the site the README, the results and the examples stand beside
the pages of docs/, so that a link is the same but for the name of that folder.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "results/**/*.*", "examples/*.py")
"""What the site takes from outside docs/."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
FORMULA = re.compile(r"<(span|div) class=\"arithmatex\">\\[(\[](.*?)\\[)\]]</\1>", re.DOTALL)
ELSEWHERE = re.compile(r"<(?:script|link|img|source|iframe)\b[^>]*\b(?:src|href|srcset)=\"?(?:https?:)?//[^>]*>")
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(?=<code>)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what lies outside docs/."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            there = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, there, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links as they are on the site."""
    here = posixpath.dirname(page.file.src_uri)
    inside = (ROOT / "docs" / page.file.src_uri).is_file()
    folder = posixpath.join("docs", here) if inside else here

    def there(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        return posixpath.relpath(target.removeprefix("docs/"), here or ".")

    return LINK.sub(there, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML, which browsers draw themselves; code without the roles that docstrings give it."""

    def drawn(formula: re.Match[str]) -> str:
        return convert(html.unescape(formula[2]), display="block" if formula[1] == "div" else "inline")

    return ROLE.sub("", FORMULA.sub(drawn, content))


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Raises :class:`PluginError` if a page, when it is read, would fetch something from elsewhere."""
    if found := ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_uri} fetches from elsewhere: {found[0]}")
    return output
