"""The command line: parse, call the API, print.

Everything that needs torch is imported inside the commands, so that help and mistyped options answer at once.
"""

from __future__ import annotations

import difflib
import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lead.cli import calibration, extras, learn, measure, morphometrics, use
from lead.cli.console import fail, show
from lead.cli.export import export, push
from lead.cli.films import frames
from lead.cli.repeatability import repeatability
from lead.cli.reproduce import repeat, reproduce
from lead.cli.studio import studio
from lead.errors import LeadError
from lead.tuning import wait_passively


def _with_nearest(message: str) -> str:
    """What typer says of a choice that is none, and the nearest that is one."""
    said = message.removeprefix("Value error, ")
    value, between, choices = said.partition(" is not one of ")
    near = difflib.get_close_matches(value, choices.rstrip(".").split(", "), n=1) if between else []
    return f"{said} Did you mean {near[0]}?" if near else said


class _Commands(TyperGroup):
    """Commands whose errors are a line for the user, not a traceback."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with the whole first sentence of its help, which click would cut short."""
        helps = {name: self.commands[name].help or "" for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(text.split("\n\n")[0].split())) for name, text in helps.items()])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LeadError as error:
            fail(str(error))
            raise typer.Exit(2) from None
        except typer.BadParameter as error:
            error.message = _with_nearest(error.message)
            raise
        except KeyboardInterrupt:
            fail("Interrupted. No file is half-written; run the same command again to go on.")
            raise typer.Exit(130) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has left; typer keeps quiet about it
                raise
            fail(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}.")
            raise typer.Exit(2) from None


app = typer.Typer(
    name="lead",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its panels take longer to import than all the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    learn.train,
    learn.pretrain,
    learn.distill,
    frames,
    use.fit,
    use.predict,
    use.match,
    use.convert,
    calibration.calibrate,
    morphometrics.scale,
    morphometrics.measure,
    morphometrics.shape,
    repeatability,
    export,
    push,
    studio,
    measure.evaluate,
    reproduce,
    repeat,
    extras.render,
    extras.demo,
    extras.settings,
):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        from lead.provenance import versions

        found = versions()
        show(f"lead {found['lead']} (python {found['python']}, torch {found['torch']})")
        raise typer.Exit


@app.callback()
def _lead(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Landmarks from unlabelled pictures.

    Learn features from a folder of pictures of one kind of thing (`train`), fit landmarks to a few labels (`fit`),
    and get them on all the rest (`predict`). Every command says where it put things, and overwrites nothing unless
    told to. To see it all at work: `lead demo --out demo`.
    """


def main() -> None:
    """The program ``lead``."""
    wait_passively()
    app()
