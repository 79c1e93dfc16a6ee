"""Pages of measurements: HTML files that need no network and no script."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined


def rendered(template: str, **values: object) -> str:
    """The text of a page, of the template of that name in this folder."""
    loader = FunctionLoader(lambda name: files("lead.morphometrics").joinpath(name).read_text("utf-8"))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    return environment.get_template(template).render(values)
