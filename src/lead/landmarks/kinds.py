"""Several kinds of things in one file of labels, as a beetle and a ruler: one list of landmarks of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lead.landmarks.model import Labels, Schema


def kind_prefixes(names: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """What stands before the landmarks' names of each kind: nothing for the one with most, else its name and a space.

    Args:
        names: of the kinds.
        sizes: how many landmarks each has; of those with as many the first counts.
    """
    main = max(range(len(names)), key=lambda i: (sizes[i], -i), default=0)
    return ["" if i == main else f"{name} " for i, name in enumerate(names)]


def joined_kinds(parts: Sequence[Labels], kinds: Sequence[str]) -> Labels:
    """The labels of several kinds of things on the same pictures, side by side; without places, sizes and boxes.

    Args:
        parts: of each kind; all of the same rows.
        kinds: their names.

    Raises:
        LeadError: two landmarks get one name.
    """
    if len(parts) == 1:
        return parts[0]
    prefixes = kind_prefixes(kinds, [len(part.schema.names) for part in parts])
    schema = Schema(
        tuple(before + name for before, part in zip(prefixes, parts, strict=True) for name in part.schema.names),
        *(
            tuple(
                (before + a, before + b)
                for before, part in zip(prefixes, parts, strict=True)
                for a, b in getattr(part.schema, pairs)
            )
            for pairs in ("flip_pairs", "skeleton")
        ),
    )
    return Labels(
        schema,
        parts[0].images,
        np.concatenate([part.xy for part in parts], axis=1),
        np.concatenate([part.visible for part in parts], axis=1),
        *(_side_by_side([getattr(part, name) for part in parts], parts) for name in ("score", "px_error", "px_90")),
        accepted=np.concatenate([part.is_accepted for part in parts], axis=1),
        predicted=np.concatenate([part.is_predicted for part in parts], axis=1),
        tracks=parts[0].tracks,
    )


def _side_by_side(
    tables: Sequence[npt.NDArray[np.float64] | None], parts: Sequence[Labels]
) -> npt.NDArray[np.float64] | None:
    if all(table is None for table in tables):
        return None
    return np.concatenate(
        [
            np.full(part.visible.shape, np.nan) if table is None else table
            for table, part in zip(tables, parts, strict=True)
        ],
        axis=1,
    )
