"""The pictures as the page's list shows them."""

from __future__ import annotations

from lead.studio import answers
from lead.studio.folder import stamp_text
from lead.studio.knowledge import Knowledge
from lead.studio.messages import Picture


def listed(knowledge: Knowledge) -> list[Picture]:
    """All pictures, in the folder's order."""
    folder, contents, coarse = knowledge.folder, knowledge.contents, knowledge.coarse
    bad, showing, expected = dict(folder.unreadable), folder.showing, answers.expected_errors(knowledge)
    pictures = []
    for file, id in contents.listing.id_of.items():
        count, complete = contents.summary.get(id, (0, False))
        picture = Picture(id=id, file=file, labelled=count, complete=complete)
        picture.specimens = contents.specimens.get(id, 0)
        picture.accepted, picture.unlabelled = contents.accepted.get(id, 0), contents.unlabelled.get(id, [])
        picture.stamp = stamp_text(contents.listing.stamps[file], showing)
        if image := contents.document.image(file):
            picture.tags, picture.noted = image.tags, bool(image.note)
        picture.unreadable, picture.coarse = bad.get(file), coarse.get(file)
        picture.expected, picture.expected_px = expected.get(id, (None, None))
        pictures.append(picture)
    return pictures
