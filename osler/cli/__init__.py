"""The command line: `osler VERB`. Each verb is a file; its body reads flags, calls the library, prints.

What a program reads goes to standard output, everything else to standard error. Exit codes: 0 done, 1 a known error,
2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from osler.cli import answer, check, demo, evaluate, index, info, search, show, train

app = typer.Typer(
    name="osler",
    help="Search the biomedical literature and get answers whose evidence can be checked.",
    epilog="Start with: osler demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"osler {metadata.version('osler')}")
        raise typer.Exit


@app.callback()
def flags(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The flags of the command line as a whole; its help text is the app's."""


app.command("index")(index.index)
app.command("search")(search.search)
app.command("answer")(answer.answer)
app.command("show")(show.show)
app.command("info")(info.info)
app.command("check")(check.check)
app.add_typer(train.app, name="train")
app.command("mine")(train.mine)
app.add_typer(evaluate.app, name="evaluate")
app.command("demo")(demo.demo)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a known error becomes one line on standard error, and its exit code."""
    from osler.errors import OslerError, UsageError

    try:
        app(args=None if arguments is None else list(arguments))
    except OslerError as error:
        sys.stderr.write(f"osler: {error}\n")
        sys.exit(2 if isinstance(error, UsageError) else 1)
