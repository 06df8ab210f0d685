"""The flags that several commands share: how they become settings, and what is checked before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets import Dataset

Index = Annotated[
    str, typer.Option("--index", metavar="DIR", envvar="OSLER_INDEX", help="The index: a folder or object-store URL.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, an object per line, for programs.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="A TOML file of settings, with one table per stage.")
]
DEFAULT_MODEL = "osler-mini"
"""As in osler.load, which reads more than a help text needs."""

ENCODER = "Bi-encoder: a short name, hub name or folder."
Encoder = Annotated[
    str | None, typer.Option(metavar="NAME", help=ENCODER, show_default=f"the index's, or {DEFAULT_MODEL}")
]
RERANKER = "ColBERT re-ranker: a short name, hub name or folder."
Reranker = Annotated[
    str | None, typer.Option(metavar="NAME", help=RERANKER, show_default=f"the index's, or {DEFAULT_MODEL}")
]
Device = Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Where the models run.", show_default="cpu")]
K = Annotated[int | None, typer.Option("-k", metavar="N", help="Number of passages to return.", show_default="5")]
NumCandidates = Annotated[
    int | None, typer.Option(metavar="N", help="Number of candidates for the re-ranker.", show_default="100")
]
Candidates = Annotated[
    Literal["hybrid", "dense", "lexical"] | None,
    typer.Option(help="Find candidates by vectors (dense), by words (lexical), or by both.", show_default="hybrid"),
]
Rerank = Annotated[
    bool | None,
    typer.Option("--rerank/--no-rerank", help="Re-order the candidates by MaxSim.", show_default="rerank"),
]
Generator = Annotated[
    str | None,
    typer.Option(
        metavar="local|URL",
        help="Language model: the embedded one, or the URL of an OpenAI-compatible endpoint.",
        show_default="local",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="year>=2010, year<=2020, type=Review, mesh=Humans, language=eng, journal=Lancet, author='Osler W', "
        "retracted=any; repeatable.",
    ),
]

DEFAULT_INDEX = "osler-index"


def settings_from(file: Path | None, **flags: dict[str, Any]) -> Settings:
    """The settings of the file and the environment, overruled by the flags that were given."""
    from osler.config import load_settings

    return load_settings(file, flags=flags)


def check_file(flag: str, path: Path | None) -> None:
    """Return where a file can be written there, or none is wanted; UsageError for a folder and for one in no folder."""
    from osler.errors import UsageError

    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"{flag} {path}: there is no folder {path.parent}; make it, or name a file in another one.")


def check_new_file(flag: str, path: Path | None) -> None:
    """Return where a file can be written there that is not there yet, or none is wanted; else UsageError."""
    from osler.errors import UsageError

    check_file(flag, path)
    if path and path.exists():
        raise UsageError(f"{flag} {path}: the file is there already; name another one, or delete it first.")


def check_folder(flag: str, path: Path) -> None:
    """Return where there is a folder or can be one; UsageError where a file is in the way."""
    from osler.errors import UsageError

    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise UsageError(f"{flag} {path}: {part} is a file; name a folder.")


def check_corpus(dataset: Dataset, folder: str) -> None:
    """Say how many documents of the data set this index lacks, or holds with other content, if any.

    StoreError where its build was interrupted, UsageError where it is the index of something else.
    """
    from osler.cli.printing import print_notice
    from osler.errors import StoreError
    from osler.evaluate.retrieval import coverage
    from osler.index import open_index

    index = open_index(folder)
    covered = coverage(dataset, index)
    missing, changed = covered.missing, covered.changed
    if changed:
        print_notice(
            f"{folder} holds {len(changed):,} of the {len(dataset.documents):,} documents of {dataset.name} with other "
            f"content ({changed[0]} …), so these are no figures of that data set: index its own corpus."
        )
    if not missing:
        return
    lacks = f"{len(missing):,} of the {len(dataset.documents):,} documents of {dataset.name}"
    if index.statistics().unindexed:  # the last step of a build covers every passage
        raise StoreError(
            f"{folder}: its build was interrupted and {lacks} are not in it: finish it with the command that built it, "
            "or delete the folder, and `osler evaluate retrieval` builds it anew."
        )
    relevant = len(set(dataset.relevant_ids).intersection(missing))
    print_notice(
        f"{folder} lacks {lacks} ({missing[0]} …), {relevant:,} of them relevant: they count as not found; index the "
        "whole corpus, or name a folder that is not there yet, and `osler evaluate retrieval` builds it."
    )
