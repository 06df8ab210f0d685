"""`osler evaluate contamination`: what a training set shares with an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options
from osler.cli.options import check_new_file

if TYPE_CHECKING:
    from osler.evaluate.contamination import Kind, Overlap, Texts

_SHOWN = 10
# The name of each count, and what is counted.
_COUNTED: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "query": ("queries", "training queries that are queries there"),
        "passage": ("passages", "training positives that are relevant documents there"),
        "title": ("titles", "training positives whose title is a query there"),
        "record": ("records", "training positives from a PubMed record that is relevant there"),
    }
)


def contamination(
    train: Annotated[str, typer.Option(metavar="DIR[:SPLIT]", help="The training set.")],
    test: Annotated[
        str, typer.Option(metavar="DIR[:SPLIT]", help="The evaluation set, or MIRAGE's benchmark.json: its questions.")
    ],
    clean: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the training qrels without the queries that are touched.")
    ] = None,
    json: options.AsJson = False,
) -> None:
    """List training queries and positives that occur, exactly or nearly, in an evaluation set.

    osler evaluate contamination --train medquad --test medquad:dev --clean medquad/qrels_clean.tsv
    """
    from osler.cli.printing import print_json, print_notice
    from osler.cli.terminal import OUT
    from osler.datasets import load_dataset, parse_name
    from osler.evaluate.contamination import clean_qrels, find_overlaps, write_qrels

    check_new_file("--clean", clean)
    measured = _texts(test)
    learned = load_dataset(*parse_name(train))
    by_kind = find_overlaps(learned, measured)
    overlaps = [overlap for of_kind in by_kind.values() for overlap in of_kind]
    counts = {kind: len(by_kind[kind]) if kind in by_kind else None for kind in _COUNTED}
    left = clean_qrels(learned, overlaps)
    touched = len(learned.qrels) - len(left)
    if json:
        for overlap in overlaps:
            print_json(asdict(overlap))
        named = {name: counts[kind] for kind, (name, _) in _COUNTED.items()}
        print_json({"train": train, "test": test, **named, "touched": touched, "left": len(left)})
    else:
        said = [*_lines(overlaps, counts), f"{test} touches {touched:,} of {len(learned.qrels):,} training queries"]
        OUT.print("\n".join(said), soft_wrap=True)
    if clean:
        write_qrels(clean, left)
        print_notice(f"{clean}: {len(left):,} training queries are left")


def _texts(name: str) -> Texts:
    """What is compared of the evaluation set of this name."""
    from osler.datasets import BUILTIN, find_source, load_dataset, parse_name
    from osler.datasets.mirage import holds_mirage, load_mirage
    from osler.evaluate.contamination import Texts

    folder, split = parse_name(name)
    if not folder.startswith(BUILTIN):
        source = find_source(folder)
        if holds_mirage(source):
            return Texts.of_benchmark(load_mirage(source))
    return Texts.of(load_dataset(folder, split))


def _lines(overlaps: Sequence[Overlap], counts: Mapping[Kind, int | None]) -> Iterator[str]:
    """The first overlaps, then how many there are of each kind."""
    for overlap in overlaps[:_SHOWN]:
        shares = {"similarity": overlap.similarity, "containment": overlap.containment}
        said = ", ".join(f"{name} {share:.2f}" for name, share in shares.items() if share is not None)
        yield f"{overlap.kind} {overlap.train_id} ~ {overlap.test_id}  {said}".rstrip()
    if len(overlaps) > _SHOWN:
        yield f"and {len(overlaps) - _SHOWN:,} more (--json lists them all)"
    for kind, count in counts.items():
        yield f"{_COUNTED[kind][1]}: {'not compared' if count is None else f'{count:,}'}"
