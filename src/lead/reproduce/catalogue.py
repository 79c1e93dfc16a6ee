"""Every table and figure by its name, and where what it makes is filed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.evaluation.grids import markdown
from lead.evaluation.results import Result, read, results_path
from lead.files import replacing, write_atomic
from lead.reproduce import claims, figures, tables
from lead.reproduce.study import Study

TABLES: dict[str, Callable[[Study], Result]] = {
    "table1": tables.table1,
    "table2": tables.table2,
    "table3": tables.table3,
    "table4": tables.table4,
    "table5": tables.table5,
    "table6": tables.table6,
    "recipes": tables.recipes,
    "matching": tables.matching,
    "starts": tables.starts,
    "supervised": tables.supervised,
}
FIGURES: dict[str, Callable[[Study], figures.Drawn]] = {
    "fig3": figures.fig3,
    "fig4": figures.fig4,
    "fig5": figures.fig5,
    "fig6": figures.fig6,
    "fig7": figures.fig7,
    "fig8": figures.fig8,
    "fig9": figures.fig9,
    "fig10": figures.fig10,
}
CLAIMS = "claims"
"""Made from the tables and figures that are there; trains and measures nothing."""


def names() -> list[str]:
    """All names, tables first; the claims, which are put to the others, last."""
    return [*TABLES, *FIGURES, CLAIMS]


def meaning(name: str) -> str:
    """What a table or figure shows, in a line."""
    made: Callable[..., object] = claims.write if name == CLAIMS else TABLES.get(name) or FIGURES[name]
    return (made.__doc__ or "").partition("\n")[0]


def check_names(asked: list[str]) -> list[str]:
    """The names asked for, all of them for ``all``, each once. Raises :class:`LeadError` for an unknown one."""
    for name in asked:
        if name != "all" and name not in names():
            raise unknown("table or figure", name, [*names(), "all"])
    return names() if "all" in asked else list(dict.fromkeys(asked))


def target(study: Study, name: str, results: Path) -> Path:
    """Where a table or figure is filed."""
    name = name if study.split == "test" else f"{name}-{study.split}"
    return results_path(results, study.bench_data.name, study.preset_name, name)


def made(study: Study, name: str, results: Path) -> Result | None:
    """What the same study filed before, or None where nothing stands.

    Raises:
        LeadError: what stands there was made by another study.
    """
    path = target(study, name, results)
    if not path.exists():
        return None
    there = read(path)
    asked = study.description()
    if {key: there.settings.get(key) for key in asked} != asked:
        raise LeadError(
            f"{path} was made with other settings. Give another --preset-name, or ask for it to be overwritten "
            "(--overwrite)."
        )
    return there


def make(study: Study, name: str, results: Path) -> Result:
    """Makes one table or figure and files it: ``.json``, ``.md``, and ``.webp`` for a figure; replaces what is there.

    Raises:
        LeadError: what the study needs cannot be made.
    """
    path = target(study, name, results)
    if name in TABLES:
        result = TABLES[name](study)
    else:
        result, image = FIGURES[name](study)
        picture = path.with_suffix(".webp")
        with replacing(picture) as partial:
            image.save(partial, "WEBP", quality=85)
        result = replace(result, pictures=(picture.name,))
    result = replace(result, name=path.stem)
    result.write(path, overwrite=True)
    write_atomic(path.with_suffix(".md"), markdown(result), overwrite=True)
    return result
