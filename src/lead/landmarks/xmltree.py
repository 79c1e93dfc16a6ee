"""XML as annotation tools write it, read so that no file can make it grow or reach for others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from lead.errors import LeadError

Lines = dict[ElementTree.Element, int]
"""The line that each element begins in, from 1."""


class _Numbered(ElementTree.TreeBuilder):
    """Builds the tree, and notes the line that each element begins in."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = {}
        self.parser = DefusedXMLParser(target=self, forbid_dtd=True)

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        element = super().start(tag, attrs)
        self.lines[element] = self.parser.parser.CurrentLineNumber
        return element


def read_xml(text: str, root: str, tool: str) -> tuple[ElementTree.Element, Lines]:
    """The root of a text, and the line that each element begins in.

    Args:
        text: the whole file.
        root: the tag that its root has.
        tool: whose file it is, for messages.

    Raises:
        LeadError: it is not well-formed, declares a document type or entities, or has another root.
    """
    tree = _Numbered()
    try:
        tree.parser.feed(text)
        found: ElementTree.Element = tree.parser.close()
    except ElementTree.ParseError as error:
        raise LeadError(f"line {error.position[0]}: not well-formed XML ({error}).") from None
    except DefusedXmlException as error:
        raise LeadError(f"it declares a document type or entities, which {tool} never does ({error}).") from None
    except ValueError as error:  # an encoding declaration that the text contradicts
        raise LeadError(f"not XML ({error}).") from None
    if found.tag != root:
        raise LeadError(f"its root is <{found.tag}>, not <{root}>.")
    return found, tree.lines


def check_writable(names: Iterable[str]) -> None:
    """Raises :class:`LeadError` naming the first that holds a character that XML cannot."""
    for name in names:
        if bad := re.search(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", name):
            raise LeadError(f"{name!r} cannot stand in XML: it holds the character {bad[0]!r}.")
