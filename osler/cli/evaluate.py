"""`osler evaluate`: what is measured, a command each."""

from __future__ import annotations

import typer

from osler.cli import answers, contamination, mirage, retrieval, sweep

app = typer.Typer(no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure what an index, its models and its answers reach, with intervals and paired tests."""


app.command("retrieval")(retrieval.retrieval)
app.command("mirage")(mirage.mirage)
app.command("answers")(answers.answers)
app.command("sweep")(sweep.sweep)
app.command("contamination")(contamination.contamination)
