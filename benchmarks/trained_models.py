"""Trained models against what they must beat, on the dev parts of the recipe that trained them.

    python benchmarks/trained_models.py --work /tmp/dev \\
        --encoder models/retriever/model --reranker models/reranker/model

prints a table: nDCG@10 by data set, the macro average with its 95% bootstrap interval, and for each
system the paired bootstrap p-value against the trained two-stage (queries resampled within each data set).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

from systems import Values, baselines, trained

from osler.evaluate.significance import compare, interval
from osler.models import load_models
from osler.train.parts import divide
from osler.train.recipe_file import load_recipe

OURS = "trained two-stage"


def main() -> None:
    arguments = parser().parse_args()
    recipe = load_recipe(arguments.recipe, changes=arguments.set)
    models = load_models(arguments.encoder, arguments.reranker)
    by_dataset: dict[str, Values] = {}
    for part in divide(recipe):
        if part.dev:
            plain = baselines(part.dev, recipe.backbone, arguments.work / "untrained")
            by_dataset[part.name] = plain | trained(part.dev, models, arguments.work / "trained")
    print("\n" + table(by_dataset))


def table(by_dataset: dict[str, Values]) -> str:
    """A Markdown table, a row a system, with the p-value of its difference from ours."""
    systems = list(next(iter(by_dataset.values())))
    lines = [
        "| | " + " | ".join(by_dataset) + " | macro average | p against ours |",
        "|---|" + "---|" * (len(by_dataset) + 2),
    ]
    for system in systems:
        values = {name: systems_of[system] for name, systems_of in by_dataset.items()}
        ours = {name: systems_of[OURS] for name, systems_of in by_dataset.items()}
        low, high = interval(values)
        macro = fmean(fmean(one) for one in values.values())
        p = "" if system == OURS else f"{compare(ours, values).p:.4f}"
        cells = [f"{fmean(one):.3f}" for one in values.values()]
        lines.append(f"| {system} | " + " | ".join(cells) + f" | {macro:.3f} ({low:.3f}–{high:.3f}) | {p} |")
    queries = ", ".join(f"{name} {len(systems_of[OURS])}" for name, systems_of in by_dataset.items())
    return "\n".join([*lines, "", f"Queries: {queries}."])


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", type=Path, default=Path("recipes/mini.toml"))
    found.add_argument("--set", action="append", default=[], help="another setting of the recipe, name=value")
    found.add_argument("--encoder", required=True)
    found.add_argument("--reranker", required=True)
    found.add_argument("--work", type=Path, required=True, help="a folder for the indexes")
    return found


if __name__ == "__main__":
    main()
