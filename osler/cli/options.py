"""The flags that several commands share, and how they become settings. Knows Typer, loads no stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from osler.config import Settings

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
