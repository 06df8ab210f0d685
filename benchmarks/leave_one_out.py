"""How a recipe does on a data set that it has not seen: trained on the others, tested on the one left out.

    python benchmarks/leave_one_out.py --recipe recipes/mini.toml --work /tmp/loo --reduced --only-train hpo-lay

For each data set the recipe is run without it, and the trained two-stage is compared, on its dev part, with the
untrained one (all dimensions in float) by a paired randomisation test. What is done is kept, so the same command goes
on, and --left-out makes the table a row at a time.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

from systems import baselines, place, show, trained

from osler.datasets import Dataset
from osler.evaluate.report import p_value
from osler.evaluate.significance import compare
from osler.models import load_models
from osler.train.corpora import index_corpus
from osler.train.data import load_splits
from osler.train.recipe import run_recipe
from osler.train.settings import DataSettings, RecipeSettings, load_recipe

UNTRAINED, TRAINED = "untrained two-stage", "trained two-stage"
SHOWN = (UNTRAINED, "untrained hybrid", "trained stage 1", TRAINED)
REDUCED = (
    *(f"data.{place}.distractors={count}" for place, count in ((0, 1500), (1, 3000), (2, 2500), (4, 3000))),
    *("choice.dev_queries=400", "choice.valid_queries=60", "retriever.max_steps=150", "reranker.max_steps=480"),
)
"""Settings of recipes/mini.toml for some ten minutes a data set on two cores: corpora cut to the relevant documents and
sampled others, fewer queries and steps."""


def main() -> None:
    arguments = parser().parse_args()
    changes = [*(REDUCED if arguments.reduced else ()), *arguments.set]
    recipe = load_recipe(arguments.recipe, changes=changes)
    print("| left out | queries | " + " | ".join(SHOWN) + " | difference from the first | p |")
    print("|---" * (len(SHOWN) + 4) + "|")
    for number, part in enumerate(load_splits(recipe)):
        wanted = not arguments.left_out or part.name in arguments.left_out
        if part.dev and wanted and part.name not in arguments.only_train:
            others = tuple(_without_dev(data) for place, data in enumerate(recipe.data) if place != number)
            print(row(part.dev, recipe.model_copy(update={"data": others}), arguments.work), flush=True)


def row(left_out: Dataset, recipe: RecipeSettings, work: Path) -> str:
    """One row: the data set that is left out, and what each system reaches on it."""
    folder = work / f"without-{left_out.name}"
    run_recipe(recipe, folder)
    models = load_models(str(folder / "retriever" / "model"), str(folder / "reranker" / "model"))
    index = index_corpus(left_out, place(left_out, folder), models, on_progress=show)
    values = baselines(left_out, recipe.backbone, work / "untrained") | trained(left_out, models, index)
    result = compare({left_out.name: values[TRAINED]}, {left_out.name: values[UNTRAINED]})
    means = " | ".join(f"{fmean(values[system]):.3f}" for system in SHOWN)
    spread = f"{result.difference:+.3f} ({result.low:+.3f} to {result.high:+.3f})"
    return f"| {left_out.name} | {len(values[TRAINED])} | {means} | {spread} | {p_value(result.p)} |"


def _without_dev(data: DataSettings) -> DataSettings:
    # Its dev queries are not asked: only those of the data set that is left out count.
    return data.model_copy(update={"dev": "", "dev_share": 0.0})


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", type=Path, default=Path("recipes/mini.toml"))
    found.add_argument("--set", action="append", default=[], help="another setting of the recipe, name=value")
    found.add_argument("--reduced", action="store_true", help="smaller corpora and fewer steps, for recipes/mini.toml")
    found.add_argument("--only-train", action="append", default=[], help="a data set that is never left out")
    found.add_argument(
        "--left-out", action="append", default=[], help="leave out this data set; all, one by one, unless given"
    )
    found.add_argument("--work", type=Path, required=True, help="a folder for models and indexes")
    return found


if __name__ == "__main__":
    main()
