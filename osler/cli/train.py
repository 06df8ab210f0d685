"""`osler train`, its steps `osler train retriever` and `osler train reranker`, and `osler mine`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.train.settings import RecipeSettings

app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR[:SPLIT]",
        help="A BEIR-style folder to train on, PubMedQA's own files, or builtin:hpo-lay; repeatable.",
    ),
]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", metavar="FILE", help="A TOML file with the settings of every step.")
]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="Where models, indexes and reports go.")]
Backbone = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What training starts from: short name, hub name or folder."),
]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Another setting, as retriever.batch=64; repeatable."),
]

DEFAULT_OUT = "models"


@app.callback()
def train(
    context: typer.Context,
    data: Data = None,
    recipe: RecipeFile = None,
    out: Out = DEFAULT_OUT,
    backbone: Backbone = None,
    device: options.Device = None,
    set: Change = None,
    json: options.AsJson = False,
) -> None:
    """Train a retriever, mine hard negatives from its own index, train a re-ranker on them, report dev figures.

    Run the same command again to go on where it stopped. Without a step, all steps are run.

        osler train --recipe recipes/mini.toml --out models

        osler train --data scifact --data bioasq:train --out models
    """
    if context.invoked_subcommand is None:
        _run("dev", out, _recipe(recipe, data, backbone, device, set), json=json)
    elif data or recipe or backbone or device or set or json or out != DEFAULT_OUT:
        from osler.errors import UsageError

        step = context.invoked_subcommand
        raise UsageError(f"Options come behind the step: write osler train {step} --data DIR …")


@app.command("retriever")
def retriever(
    data: Data = None,
    recipe: RecipeFile = None,
    out: Out = DEFAULT_OUT,
    backbone: Backbone = None,
    device: options.Device = None,
    set: Change = None,
    json: options.AsJson = False,
) -> None:
    """Train the retriever alone: the first step of `osler train`.

    osler train retriever --data scifact --out models
    """
    _run("retriever", out, _recipe(recipe, data, backbone, device, set), json=json)


@app.command("reranker")
def reranker(
    data: Data = None,
    recipe: RecipeFile = None,
    out: Out = DEFAULT_OUT,
    backbone: Backbone = None,
    device: options.Device = None,
    set: Change = None,
    json: options.AsJson = False,
) -> None:
    """Train the re-ranker, after whatever of the steps before it is not done yet.

    osler train reranker --data scifact --out models
    """
    _run("reranker", out, _recipe(recipe, data, backbone, device, set), json=json)


def mine(
    data: Data = None,
    recipe: RecipeFile = None,
    out: Out = DEFAULT_OUT,
    backbone: Backbone = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Mine with this retriever; one is trained first where none is named."),
    ] = None,
    device: options.Device = None,
    set: Change = None,
    json: options.AsJson = False,
) -> None:
    """Mine hard negatives and audit them: OUT/mining/examples.jsonl, audit.json and suspicious.jsonl.

    Review suspicious.jsonl and hand it back with --set mining.exclusions=FILE.

        osler mine --data scifact --encoder minilm --out mined
    """
    chosen = _recipe(recipe, data, backbone, device, set, encoder=encoder)
    _run("mining", out, chosen, json=json)


def _recipe(
    file: Path | None,
    data: list[str] | None,
    backbone: str | None,
    device: str | None,
    changes: list[str] | None,
    *,
    encoder: str | None = None,
) -> RecipeSettings:
    from osler.datasets import check_name, parse_name
    from osler.train.settings import load_recipe

    names = [parse_name(name) for name in data or []]
    recipe = load_recipe(
        file,
        data=[{"folder": folder, "split": split} for folder, split in names],
        flags={"backbone": backbone, "device": device, "encoder": encoder},
        changes=changes or [],
    )
    for dataset in recipe.data:  # before torch is loaded, which takes seconds
        check_name(dataset.folder)
    return recipe


def _run(until: str, out: str, recipe: RecipeSettings, *, json: bool) -> None:
    from osler.cli.printing import print_json, print_notice
    from osler.cli.progress import training_progress
    from osler.cli.tables import print_training
    from osler.errors import UsageError

    if not out:
        raise UsageError("--out is empty: name the folder that models and reports go to.")
    from osler.train.recipe import run_recipe

    with training_progress() as shown:
        summary: dict[str, Any] = run_recipe(recipe, Path(out), until=until, on_progress=shown)
    if json:
        print_json(summary)
        return
    print_training(summary)
    print_notice(f"{out}: done")
