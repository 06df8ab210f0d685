"""`osler evaluate ablation`: the paper's grid on a recipe, and whether its claims hold here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.evaluate.ablation.report import AblationReport


def ablation(
    recipe: Annotated[
        Path, typer.Option(metavar="FILE", help="A TOML file: its backbone, its data sets, its tuning are used.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where cells, models and the report go.")],
    size: Annotated[
        Literal["cpu", "full"],
        typer.Option(help="cpu: short runs over cut corpora; full: 10,000 pairs, whole corpora."),
    ] = "cpu",
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Run this cell, and what it needs; repeatable.")
    ] = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Train and measure the cells of the paper's ablation under three seeds, and say which of its claims hold.

    Run the same command again to go on where it stopped.

        osler evaluate ablation --recipe recipes/mini.toml --out ablation

        osler evaluate ablation --recipe recipes/mini.toml --out ablation --only random-cosine --only random-dot
    """
    from osler.cli.printing import print_json, print_notice
    from osler.cli.progress import training_progress
    from osler.evaluate.ablation.cells import SIZES, grid, select
    from osler.train.recipe_file import load_recipe

    settings = load_recipe(recipe, flags={"device": device})
    select(grid(SIZES[size]), only or [])  # a name that is no cell is said before torch is loaded
    from osler.train.ablation import run_ablation

    with training_progress() as shown:
        report = run_ablation(settings, SIZES[size], out, only=only or [], on_progress=shown)
    report.write(out)
    if json:
        for line in [one.json() for one in report.cells] + [one.json() for one in report.judged]:
            print_json(line)
    else:
        _print(report)
    print_notice(f"{out}: ablation.md, ablation.json and the plot")


def _print(report: AblationReport) -> None:
    from rich.table import Table

    from osler.cli.terminal import OUT
    from osler.evaluate.ablation.ranking import MEASURES

    table = Table()
    table.add_column("cell", no_wrap=True)
    for column in MEASURES:
        table.add_column(column, justify="right", no_wrap=True)
        table.add_column("95%", justify="right", no_wrap=True)
    for one in report.cells:
        figures = ((f"{one.metrics[name]:.3f}", "{:.3f}–{:.3f}".format(*one.intervals[name])) for name in MEASURES)
        table.add_row(one.cell.name, *(text for pair in figures for text in pair))
    OUT.print(table)
    for claim in report.judged:
        OUT.print(f"{claim.sentence} → {claim.verdict}", soft_wrap=True)
