"""CVAT's XML 1.1 of pictures: ``<image>`` elements that hold a ``<skeleton>`` of points, or ``<points>`` one by one.

Three ways to mark landmarks are read: a skeleton, whose nested points each have a label of their own; points with one
place each, the label being the landmark, or where a picture has several of one label the label and the attribute that
tells them apart; and points of one label with several places, called "label 1", "label 2", … here. Of several
skeletons the one with most landmarks gives its names, before those of the others stands the skeleton's label. Places
are taken as they stand. ``outside="1"`` is unlabelled, ``occluded="1"`` hidden, and ``source="auto"`` a prediction.

Where pictures may show several specimens, and one of the file does, each skeleton is one, or each group (``group_id``);
so are points with several places, and together those with one that are in no group. It does where there are groups, or
two skeletons of one label in a picture.

The order of the landmarks is that of the labels in ``<meta>``, of which the nested points' own order is independent;
without it, that of their first appearance. The lines of the skeleton are in the drawing (``<svg>``) of its label.

The frames of a film have no ending in the file: a picture with this name and any ending is taken, else the frame of the
film that ``<source>`` names. CVAT for video 1.1, whose tracks are of frames, is read likewise: the places that somebody
set, not those that CVAT put between them. Where pictures may show several specimens, a track of a skeleton is an
individual, called by its label and number. What we write are pictures, in which individuals have no name.

There is no place for scores, expected errors, flip pairs and boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from lead.errors import LeadError, unknown
from lead.landmarks.cvat_elements import AUTOMATIC, Declared, Key, Marks, Picture, Specimen, declared_in
from lead.landmarks.kinds import kind_prefixes
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import HIDDEN, UNLABELLED, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.xmltree import check_writable, read_xml

LABEL, MANUAL = "object", "manual"
"""The skeleton's label in what we write, and the source of what a person placed."""


def why_not(text: str) -> str | None:
    """Why a text is not CVAT's; None if it is like it."""
    return None if re.search(r"<annotations[\s>]", text[:10_000]) else "holds no <annotations>"


def parse(text: str, pictures: PictureInfo | None = None, kind: str | None = None, *, several: bool = False) -> Labels:
    """Labels from the text of an XML file: a row for each ``<image>``, annotated or not, or each frame with a track.

    What cannot be read of a picture costs that point or picture, which is named in the labels' places.

    Args:
        text: of the file.
        pictures: those at hand.
        kind: the label of the one skeleton to read; by default all are, and all other points.
        several: whether a picture may show several specimens, each of which is a row then.

    Raises:
        LeadError: it is not well-formed, or declares entities; a picture holds a skeleton twice; tracks name no film;
            or nothing in it can be read. The message names the picture.
    """
    root, lines = read_xml(text, "annotations", "CVAT")
    declared, left_out = declared_in(root), LeftOut()
    found = Marks(root, lines, declared, pictures or PictureInfo(), kind, left_out, several=several)
    marked = [
        (picture, specimen)
        for picture in _single(found.pictures, left_out, "specimen" if several else "picture")
        for specimen in picture.marked or [Specimen()]
    ]
    if not marked:
        raise LeadError("no <image> in it. Export as 'CVAT for images 1.1', all pictures.")
    keys, schema = _landmarks([specimen for _, specimen in marked], declared)
    if not keys:
        kinds = list(dict.fromkeys(shape.get("label", "") for shape in root.iter("skeleton")))
        if kind is not None and kind not in kinds:
            raise unknown("skeleton", kind, kinds)
        raise LeadError(f"no points or skeletons in it.{f' Left out: {left_out}.' if left_out.beyond() else ''}")
    table = np.full((len(marked), len(keys), 5), np.nan)
    table[..., 2:] = UNLABELLED, False, 0
    for row, (_, specimen) in enumerate(marked):
        for key, mark in specimen.marks.items():
            table[row, keys.index(key)] = mark.x, mark.y, mark.visible, mark.predicted, mark.line
    places = Places(lines=table[..., 4].astype(np.int64), left_out=str(left_out))
    return Labels(
        schema,
        tuple(picture.name for picture, _ in marked),
        table[..., :2],
        table[..., 2].astype(np.int8),
        places=places,
        predicted=table[..., 3].astype(bool),
        sizes=np.array([picture.size for picture, _ in marked], dtype=np.int64),
        tracks=tuple(specimen.track for _, specimen in marked) if several else None,
    )


def _single(pictures: list[Picture], left_out: LeftOut, called: str) -> list[Picture]:
    """One entry for each picture; without landmarks that are marked twice, or in several places of the file.

    Args:
        pictures: all, in their order.
        left_out: where to count what is not read.
        called: what each specimen is called there.
    """
    of_names: dict[str, list[Picture]] = {}
    for picture in pictures:
        for specimen in picture.specimens.values():
            if specimen.twice:
                where = f"{picture.name}: {', '.join(repr(name) for _, name in specimen.twice)}"
                left_out.add(f"{called} in which a landmark is marked twice, of which nothing is read", where)
                specimen.marks = {}
        of_names.setdefault(picture.name, []).append(picture)
    single = []
    for name, same in of_names.items():
        labelled = [picture for picture in same if picture.marked]
        if len(labelled) > 1:
            left_out.add("picture labelled more than once in the file, of which nothing is read", name)
        single.append(labelled[0] if len(labelled) == 1 else Picture(name, same[0].size))
    return single


def _landmarks(specimens: list[Specimen], declared: Declared) -> tuple[list[Key], Schema]:
    """The landmarks in their order, and what they are called."""
    used = dict.fromkeys(key for specimen in specimens for key in specimen.marks)
    kinds_used = {kind for kind, _ in used}
    drawn = (key for kind, *ends in declared.bones if kind in kinds_used for key in ((kind, name) for name in ends))
    keys = list(dict.fromkeys([*used, *drawn]))
    of_meta = {key: i for i, key in reversed(list(enumerate(declared.keys)))}
    first = {base: i for i, base in reversed(list(enumerate(_base(key)[0] for key in keys)))}

    def rank(key: Key) -> tuple[int, int, int]:
        base, number = _base(key)
        at = min(of_meta.get(known, len(of_meta)) for known in (key, ("", key[1]), base))
        return at, first[base], number

    keys.sort(key=rank)
    kinds = list(dict.fromkeys(kind for kind, _ in keys if kind))
    before = kind_prefixes(kinds, [sum(kind == of for of, _ in keys) for kind in kinds])
    prefix = dict(zip(kinds, before, strict=True)) | {"": ""}
    bones = [((kind, a), (kind, b)) for kind, a, b in declared.bones]
    lines = tuple((prefix[a[0]] + a[1], prefix[b[0]] + b[1]) for a, b in bones if {a, b} <= set(keys))
    return keys, Schema(tuple(prefix[kind] + name for kind, name in keys), skeleton=lines)


def _base(key: Key) -> tuple[Key, int]:
    """Of points that have only a number to tell them apart, their common label and the number."""
    numbered = re.fullmatch(r"(.*) ([0-9]{1,9})", key[1], re.DOTALL)
    return (("", numbered[1]), int(numbered[2])) if numbered and not key[0] else (key, 0)


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of an XML file with a skeleton for each labelled specimen.

    Raises:
        LeadError: a picture's size is not to be had; or a name holds what XML cannot, such as a control character.
    """
    check_writable((*labels.schema.names, *labels.images))
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += _schema_lines(labels.schema)
    sizes = labels.known_sizes()
    for number, (image, rows) in enumerate(labels.rows_of().items()):
        width, height = sizes.get(image) or pictures.size(image)
        lines.append(f'  <image id="{number}" name={quoteattr(image)} width="{width}" height="{height}">')
        lines += (line for row in rows for line in _skeleton(labels, row))
        lines.append("  </image>")
    lines.append("</annotations>\n")
    return "\n".join(lines)


def _skeleton(labels: Labels, row: int) -> Iterator[str]:
    """The lines of a specimen's skeleton; none where it has no landmark."""
    if not (labels.visible[row] > UNLABELLED).any():
        return
    by_model = labels.is_predicted[row]
    source = AUTOMATIC if by_model[labels.visible[row] > UNLABELLED].all() else MANUAL
    yield f'    <skeleton label="{LABEL}" source="{source}" z_order="0">'
    for k, name in enumerate(labels.schema.names):
        visible = labels.visible[row, k]
        x, y = labels.xy[row, k].tolist() if visible > UNLABELLED else (0.0, 0.0)
        flags = f'outside="{int(visible == UNLABELLED)}" occluded="{int(visible == HIDDEN)}"'
        source = AUTOMATIC if by_model[k] else MANUAL
        yield f'      <points label={quoteattr(name)} source="{source}" {flags} points="{x!r},{y!r}"></points>'
    yield "    </skeleton>"


def _schema_lines(schema: Schema) -> list[str]:
    """``<meta>``: the labels as a task lists them, with a drawing that puts the landmarks in a row."""
    edges = "".join(
        f'<line data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in ((schema.index(one), schema.index(other)) for one, other in schema.lines)
    )
    nodes = "".join(
        f'<circle r="1.5" cx="{100 * (k + 0.5) / len(schema.names):g}" cy="50" data-type="element node" '
        f'data-element-id="{k + 1}" data-node-id="{k + 1}" data-label-name={quoteattr(name)}></circle>'
        for k, name in enumerate(schema.names)
    )
    whole = f"    <label><name>{LABEL}</name><type>skeleton</type><svg>{escape(edges + nodes)}</svg></label>"
    parts = [
        f"    <label><name>{_text(name)}</name><type>points</type><parent>{LABEL}</parent></label>"
        for name in schema.names
    ]
    return ["  <meta><task><labels>", whole, *parts, "  </labels></task></meta>"]


def _text(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
