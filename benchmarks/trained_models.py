"""Trained models against what they must beat, on the dev parts of the recipe that trained them.

    osler train --recipe recipes/mini.toml --out models
    python benchmarks/trained_models.py --recipe recipes/mini.toml --models models --work /tmp/untrained

prints a table: nDCG@10 by data set, the macro average with its 95% bootstrap interval, and for each
system the paired bootstrap p-value against the trained two-stage (queries resampled within each data set). A data set
named by --apart is shown, but is no part of the average and of the test; models that the same recipe trained with other
settings (--against) are two more systems.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from systems import Values, baselines, trained

from osler.evaluate.significance import compare, interval
from osler.index import open_index
from osler.models import ModelPair, load_models
from osler.train.examples.parts import divide
from osler.train.recipe_file import load_recipe

OURS = "trained two-stage"


def main() -> None:
    arguments = parser().parse_args()
    recipe = load_recipe(arguments.recipe, changes=arguments.set)
    pairs = {folder: pair(folder) for folder in [arguments.models, *arguments.against]}
    by_dataset: dict[str, Values] = {}
    for part in divide(recipe):
        if part.dev:
            by_dataset[part.name] = baselines(part.dev, recipe.backbone, arguments.work)
            for folder, models in pairs.items():
                values = trained(part.dev, models, open_index(folder / "index" / part.name))
                suffix = "" if folder == arguments.models else f", {folder.name}"
                by_dataset[part.name] |= {f"{name}{suffix}": of for name, of in values.items()}
    print("\n" + table(by_dataset, apart=arguments.apart))


def pair(folder: Path) -> ModelPair:
    """The retriever and the re-ranker that training left in the folder."""
    return load_models(str(folder / "retriever" / "model"), str(folder / "reranker" / "model"))


def table(by_dataset: dict[str, Values], *, apart: Sequence[str]) -> str:
    """A Markdown table, a row a system, with the p-value of its difference from ours; `apart` does not count there."""
    counted = {name: values for name, values in by_dataset.items() if name not in apart}
    lines = [
        "| | " + " | ".join([*counted, "macro average", "p against ours", *apart]) + " |",
        "|---" * (len(by_dataset) + 3) + "|",
    ]
    for system in next(iter(by_dataset.values())):
        values, ours = ({name: of[one] for name, of in counted.items()} for one in (system, OURS))
        low, high = interval(values)
        macro = fmean(fmean(one) for one in values.values())
        cells = [f"{fmean(one):.3f}" for one in values.values()]
        cells += [
            f"{macro:.3f} ({low:.3f}–{high:.3f})",
            "" if system == OURS else f"{compare(ours, values).bootstrap_p:.4f}",
        ]
        cells += [f"{fmean(by_dataset[name][system]):.3f}" for name in apart]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    queries = ", ".join(f"{name} {len(systems_of[OURS])}" for name, systems_of in by_dataset.items())
    return "\n".join([*lines, "", f"Queries: {queries}."])


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", type=Path, default=Path("recipes/mini.toml"))
    found.add_argument("--set", action="append", default=[], help="another setting of the recipe, name=value")
    found.add_argument("--models", type=Path, default=Path("models"), help="the folder that osler train wrote")
    found.add_argument("--against", type=Path, action="append", default=[], help="a folder of other trained models")
    found.add_argument("--apart", action="append", default=[], help="a data set that is no part of the average")
    found.add_argument("--work", type=Path, required=True, help="a folder for the indexes of the untrained backbone")
    return found


if __name__ == "__main__":
    main()
