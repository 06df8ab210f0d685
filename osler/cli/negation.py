"""`osler evaluate negation`: whether models see a negation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.evaluate.negation import StatementPair


def negation(
    scifact: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="SciFact with its answers.jsonl: claims of its split train, on most of which osler-mini was trained; "
            "without it, templates only.",
        ),
    ] = None,
    terms: Annotated[
        int, typer.Option(metavar="N", min=1, help="Terms of the ontology put into the templates in turn.")
    ] = 240,
    encoder: Annotated[str, typer.Option(metavar="NAME", help=options.ENCODER)] = options.DEFAULT_MODEL,
    reranker: Annotated[str, typer.Option(metavar="NAME", help=options.RERANKER)] = options.DEFAULT_MODEL,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Ask both models which of two contradicting statements agrees with a text.

    osler evaluate negation --scifact scifact --encoder minilm --reranker minilm
    """
    from osler.cli.evaluation_tables import print_negation
    from osler.cli.printing import print_json
    from osler.evaluate.negation import probe
    from osler.models import load_models

    models = load_models(encoder, reranker, device=device or "cpu")
    results = probe(_pairs(scifact, terms), models.encoder, models.reranker)
    if json:
        print_json({name: asdict(result) for name, result in results.items()})
    else:
        print_negation(results)


def _pairs(scifact: Path | None, terms: int) -> list[StatementPair]:
    from osler.datasets import load_dataset
    from osler.datasets.names import find_source
    from osler.datasets.parts import sample_ids
    from osler.evaluate.negation import scifact_pairs, template_pairs

    documents = load_dataset("builtin:hpo-lay", "test").documents
    pairs = list(template_pairs(documents[doc_id].title for doc_id in sample_ids(documents, terms, 0)))
    if scifact:
        folder = find_source(scifact)
        pairs += scifact_pairs(folder, load_dataset(folder, "train"))
    return pairs
