"""Trained models against what they must beat, on the dev parts of the recipe that trained them.

    osler train --recipe recipes/mini.toml --out models
    python benchmarks/trained_models.py --recipe recipes/mini.toml --models models --work /tmp/untrained

prints a table: nDCG@10 by data set and its macro average with their 95% bootstrap intervals, and for each system p of
the paired randomisation test of the average against the trained two-stage. A data set named by --apart is shown, but is
no part of the average and of the test; models that the same recipe trained with other settings (--against) are two more
systems. Without --work only trained models are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from systems import Values, baselines, trained

from osler.evaluate.report import p_value, table, with_interval
from osler.evaluate.significance import compare, interval
from osler.index import open_index
from osler.models import ModelPair, load_models
from osler.train.data import load_splits
from osler.train.settings import load_recipe

OURS = "trained two-stage"


def main() -> None:
    arguments = parser().parse_args()
    recipe = load_recipe(arguments.recipe, changes=arguments.set)
    pairs = {folder: pair(folder) for folder in [arguments.models, *arguments.against]}
    by_dataset: dict[str, Values] = {}
    for part in load_splits(recipe):
        if part.dev:
            by_dataset[part.name] = baselines(part.dev, recipe.backbone, arguments.work) if arguments.work else {}
            for folder, models in pairs.items():
                values = trained(part.dev, models, open_index(folder / "index" / part.name))
                suffix = "" if folder == arguments.models else f", {folder.name}"
                by_dataset[part.name] |= {f"{name}{suffix}": of for name, of in values.items()}
    print("\n" + report(by_dataset, apart=arguments.apart))


def pair(folder: Path) -> ModelPair:
    """The retriever and the re-ranker that training left in the folder."""
    return load_models(str(folder / "retriever" / "model"), str(folder / "reranker" / "model"))


def report(by_dataset: dict[str, Values], *, apart: Sequence[str]) -> str:
    """A Markdown table, a row a system, with the p-value of its difference from ours; `apart` does not count there."""
    counted = {name: values for name, values in by_dataset.items() if name not in apart}
    rows = [row(system, counted, {name: by_dataset[name] for name in apart}) for system in next(iter(counted.values()))]
    columns = ("", *counted, "macro average", "p against ours", *apart)
    queries = ", ".join(f"{name} {len(systems_of[OURS])}" for name, systems_of in by_dataset.items())
    return "\n".join([*table(columns, rows), "", f"Queries: {queries}."])


def row(system: str, counted: dict[str, Values], apart: dict[str, Values]) -> list[str]:
    values, ours = ({name: of[one] for name, of in counted.items()} for one in (system, OURS))
    macro = with_interval(fmean(fmean(one) for one in values.values()), interval(values))
    p = "" if system == OURS else p_value(compare(ours, values).p)
    return [system, *map(mean, values.values()), macro, p, *(mean(of[system]) for of in apart.values())]


def mean(values: Sequence[float]) -> str:
    return with_interval(fmean(values), interval({"": values}))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", type=Path, default=Path("recipes/mini.toml"))
    found.add_argument("--set", action="append", default=[], help="another setting of the recipe, name=value")
    found.add_argument("--models", type=Path, default=Path("models"), help="the folder that osler train wrote")
    found.add_argument("--against", type=Path, action="append", default=[], help="a folder of other trained models")
    found.add_argument("--apart", action="append", default=[], help="a data set that is no part of the average")
    found.add_argument("--work", type=Path, help="compare the untrained backbone too; its indexes go into this folder")
    return found


if __name__ == "__main__":
    main()
