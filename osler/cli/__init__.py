"""The command line: `osler VERB`. Each verb is a function that reads flags, calls the library and prints.

What a program reads goes to standard output, everything else to standard error. Exit codes: 0 done, 1 an error (one
line), 2 wrong usage, 130 interrupted, 141 nobody reads standard output any longer.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from osler.cli import demo, evaluate, index, search, train

_MISUSE: Final[Any] = typer.BadParameter.__base__
"""What Typer raises where a command line cannot be meant; it has no public name there."""

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


def _print_version(requested: bool) -> None:
    if requested:
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


app.command("demo")(demo.demo)
app.command("index")(index.index)
app.command("search")(search.search)
app.command("answer")(search.answer)
app.command("show")(search.show)
app.command("info")(index.info)
app.command("check")(index.check)
app.add_typer(train.app, name="train")
app.command("mine")(train.mine)
app.add_typer(evaluate.app, name="evaluate")


def main(arguments: Sequence[str] | None = None, *, program: typer.Typer = app, name: str = "osler") -> None:
    """Run the command line; every failure becomes one line on standard error, and its exit code.

    Without `arguments` it runs those of the process, whose streams and warnings it sets up as a program's should be.
    program, name: another command line that is to fail in the same way, as those of the experiments.
    """
    from osler.cli.terminal import prepare_streams

    if arguments is None:
        prepare_streams()
        if not sys.warnoptions and not os.environ.get("OSLER_DEBUG"):
            warnings.simplefilter("ignore")  # of libraries: a person at the command line cannot mend them
            os.environ.setdefault("LANCEDB_LOG", "error")  # Lance's own, which it reads when it is imported
    try:
        code = _run(program, name, sys.argv[1:] if arguments is None else arguments)
    except Exception as error:
        code = _explain(error)
    sys.exit(code)


def _run(program: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """The exit code of the command line, whose output is written to the end."""
    code = program(args=[_as_text(argument) for argument in arguments], prog_name=name, standalone_mode=False)
    sys.stdout.flush()
    return code or 0


def _as_text(argument: str) -> str:
    """The argument, read as UTF-8 whatever the locale; UsageError where it is none and names no file."""
    from osler.errors import UsageError

    if argument.isascii() or not re.search("[\ud800-\udfff]", argument) or os.path.lexists(argument):
        return argument
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        raise UsageError(
            f"The argument {argument!r} is not UTF-8, and no file has that name: write it in UTF-8."
        ) from None


def _explain(error: Exception) -> int:
    """The exit code of a failure, which is told in one line."""
    from osler.cli.terminal import printable
    from osler.errors import OslerError, UsageError

    code = 2 if isinstance(error, _MISUSE | UsageError) else 1
    if isinstance(error, _MISUSE):
        message = error.format_message()
        if not message:  # a group without a command: its help is printed
            return code
        stop = "" if message.endswith((".", "?")) else "."
        message = f"{message}{stop} See `{error.ctx.command_path if error.ctx else 'osler'} --help`."
    elif isinstance(error, OslerError):
        message = str(error)
    elif isinstance(error, UnicodeEncodeError) and "surrogate" in error.reason:  # a folder, or a variable
        message = f"{error.object[:200]!r} is not UTF-8: take a name in UTF-8."
    elif isinstance(error, OSError) and error.filename:
        message = f"{os.fsdecode(error.filename)}: {error.strerror}."
    elif isinstance(error, MemoryError) or "failed to map segment" in str(error):  # a library had no room to be loaded
        message = "out of memory: free some, or raise the limit of this shell (ulimit -v)."
    else:
        cause = error.__cause__ or error if isinstance(error, typer.Abort) else error
        message = f"unexpected {type(cause).__name__}: {cause} (set OSLER_DEBUG=1 to see where it comes from)"
    if os.environ.get("OSLER_DEBUG"):
        sys.stderr.write(printable("".join(traceback.format_exception(error))))
    sys.stderr.write(f"osler: {printable(message)}".replace("\n", " ") + "\n")
    return code
