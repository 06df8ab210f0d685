"""`python -m experiments.ablation`: the paper's grid on a recipe, and whether its claims hold here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from osler.cli import main, options

if TYPE_CHECKING:
    from experiments.ablation.report import AblationReport

app = typer.Typer(add_completion=False)


@app.command()
def ablation(
    recipe: Annotated[
        Path, typer.Option(metavar="FILE", help="A TOML file: its backbone, its data sets, its tuning are used.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where variants, models and the report go.")],
    size: Annotated[
        Literal["cpu", "full"],
        typer.Option(help="cpu: short runs over cut corpora; full: 10,000 pairs, whole corpora."),
    ] = "cpu",
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Run this variant, and what it needs; repeatable.")
    ] = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Train and measure the variants of the paper's ablation under three seeds, and say which of its claims hold.

    Run the same command again to go on where it stopped.

        python -m experiments.ablation --recipe recipes/mini.toml --out ablation

        python -m experiments.ablation --recipe recipes/mini.toml --out ablation --only random-cosine --only random-dot
    """
    from experiments.ablation.variants import SIZES, grid, select
    from osler.cli.printing import print_json, print_notice
    from osler.cli.progress import training_progress
    from osler.train.settings import load_recipe

    settings = load_recipe(recipe, flags={"device": device})
    select(grid(SIZES[size]), only or [])  # a name that is no variant is said before torch is loaded
    from experiments.ablation.run import run_ablation

    with training_progress() as shown:
        report = run_ablation(settings, SIZES[size], out, only=only or [], on_progress=shown)
    report.write(out)
    if json:
        for line in [variant.json() for variant in report.variants] + [result.json() for result in report.results]:
            print_json(line)
    else:
        _print(report)
    print_notice(f"{out}: ablation.md, ablation.json and the plot")


def _print(report: AblationReport) -> None:
    from rich.table import Table

    from experiments.ablation.search import MEASURES
    from osler.cli.terminal import OUT

    table = Table()
    table.add_column("variant", no_wrap=True)
    for column in MEASURES:
        table.add_column(column, justify="right", no_wrap=True)
        table.add_column("95%", justify="right", no_wrap=True)
    for row in report.variants:
        figures = ((f"{row.metrics[name]:.3f}", "{:.3f}–{:.3f}".format(*row.intervals[name])) for name in MEASURES)
        table.add_row(row.variant.name, *(text for pair in figures for text in pair))
    OUT.print(table)
    for result in report.results:
        OUT.print(f"{result.sentence} → {result.verdict}", soft_wrap=True)


if __name__ == "__main__":
    main(program=app, name="python -m experiments.ablation")
