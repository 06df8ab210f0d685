"""`osler evaluate contamination`: what a training set shares with an evaluation set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options
from osler.cli.outputs import check_file

if TYPE_CHECKING:
    from osler.evaluate.contamination import Overlap, Texts

_SHOWN = 10


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
    from osler.datasets import load_dataset, parse_name
    from osler.evaluate.contamination import clean_qrels, find_overlaps, write_qrels

    check_file("--clean", clean)
    measured = _texts(test)
    learned = load_dataset(*parse_name(train))
    overlaps = find_overlaps(learned, measured)
    left = clean_qrels(learned, overlaps)
    queries = sum(one.kind == "query" for one in overlaps)
    counts = {"queries": queries, "passages": len(overlaps) - queries}
    touched = len(learned.qrels) - len(left)
    if json:
        for overlap in overlaps:
            print_json(asdict(overlap))
        print_json({**counts, "touched": touched, "left": len(left)})
    else:
        _print(overlaps, f"{touched:,} of {len(learned.qrels):,} training queries are touched", test)
    if clean:
        write_qrels(clean, left)
        print_notice(f"{clean}: {len(left):,} training queries are left")


def _texts(name: str) -> Texts:
    """What is compared of the evaluation set of this name."""
    from osler.datasets import load_dataset, parse_name
    from osler.datasets.mirage import holds_mirage, load_mirage
    from osler.datasets.names import BUILTIN, find_source
    from osler.evaluate.contamination import Texts

    folder, split = parse_name(name)
    if not folder.startswith(BUILTIN):
        source = find_source(folder)
        if holds_mirage(source):
            return Texts.of_benchmark(load_mirage(source))
    return Texts.of(load_dataset(folder, split))


def _print(overlaps: list[Overlap], touched: str, test: str) -> None:
    from osler.cli.printing import OUT

    for one in overlaps[:_SHOWN]:
        shares = f"similarity {one.similarity:.2f}, containment {one.containment:.2f}"
        OUT.print(f"{one.kind} {one.train_id} ~ {one.test_id}  {shares}", soft_wrap=True)
    if len(overlaps) > _SHOWN:
        OUT.print(f"and {len(overlaps) - _SHOWN:,} more (--json lists them all)")
    queries = sum(one.kind == "query" for one in overlaps)
    said = f"{queries:,} training queries and {len(overlaps) - queries:,} positives occur in {test}"
    OUT.print(f"{said}; {touched}", soft_wrap=True)
