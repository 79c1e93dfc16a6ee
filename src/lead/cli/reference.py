"""The reference of the commands, written from their code: ``python -m lead.cli.reference docs/commands.md``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer
from typer.cli import get_docs_for_click

from lead.cli import app
from lead.files import write_atomic


def reference() -> str:
    """Every command with its arguments and options, in Markdown."""
    group: Any = typer.main.get_command(app)
    for command in group.commands.values():  # whole: of a summary that it makes itself, Typer keeps 45 characters
        command.short_help = " ".join(command.help.partition("\n\n")[0].split())
    text = get_docs_for_click(obj=group, ctx=typer.Context(group), name="lead", title="Commands")
    shell = re.compile(r"^\* `--(?:install|show)-completion`.*\n", re.MULTILINE)  # of no use to a reader
    return shell.sub("", text).rstrip() + "\n"


if __name__ == "__main__":
    write_atomic(Path(sys.argv[1]), reference(), overwrite=True)
