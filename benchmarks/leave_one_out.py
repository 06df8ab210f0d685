"""How a recipe does on a data set that it has not seen: trained on the others, tested on the one left out.

    python benchmarks/leave_one_out.py --recipe recipes/mini.toml --work /tmp/loo --set retriever.max_steps=100

For each data set the recipe is run without it, and the trained two-stage is compared, on its dev part, with the
untrained one by a paired bootstrap. What is done is kept, so the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

from systems import baselines, trained

from osler.evaluate.significance import compare
from osler.models import load_models
from osler.train.parts import Parts, divide
from osler.train.recipe import run_recipe
from osler.train.recipe_file import load_recipe
from osler.train.settings import RecipeSettings

UNTRAINED, TRAINED = "untrained two-stage", "trained two-stage"


def main() -> None:
    arguments = parser().parse_args()
    recipe = load_recipe(arguments.recipe, changes=arguments.set)
    print("| left out | queries | untrained two-stage | trained stage 1 | trained two-stage | difference | p |")
    print("|---|---|---|---|---|---|---|")
    for number, part in enumerate(divide(recipe)):
        if part.dev and part.name not in arguments.only_train:
            others = tuple(data for place, data in enumerate(recipe.data) if place != number)
            print(row(part, recipe.model_copy(update={"data": others}), arguments.work), flush=True)


def row(part: Parts, recipe: RecipeSettings, work: Path) -> str:
    """One row: the data set that is left out, and what both systems reach on it."""
    folder = work / f"without-{part.name}"
    run_recipe(recipe, folder)
    models = load_models(str(folder / "retriever" / "model"), str(folder / "reranker" / "model"))
    plain = baselines(part.dev, recipe.backbone, work / "untrained")[UNTRAINED]
    ours = trained(part.dev, models, folder / "left-out")
    result = compare({part.name: ours[TRAINED]}, {part.name: plain})
    stage1, both = fmean(ours["trained stage 1"]), fmean(ours[TRAINED])
    spread = f"{result.difference:+.3f} ({result.low:+.3f} to {result.high:+.3f})"
    return (
        f"| {part.name} | {len(plain)} | {fmean(plain):.3f} | {stage1:.3f} | {both:.3f} | {spread} | {result.p:.4f} |"
    )


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", type=Path, default=Path("recipes/mini.toml"))
    found.add_argument("--set", action="append", default=[], help="another setting of the recipe, name=value")
    found.add_argument("--only-train", action="append", default=[], help="a data set that is never left out")
    found.add_argument("--work", type=Path, required=True, help="a folder for models and indexes")
    return found


if __name__ == "__main__":
    main()
