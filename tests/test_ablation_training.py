"""The grid of an ablation on small real backbones: what is shared, what is kept, what is not trained again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_pairs import write_pairs
from typer.testing import CliRunner

from experiments.ablation.__main__ import app
from experiments.ablation.data import even_shares, prepared
from experiments.ablation.run import run_ablation
from experiments.ablation.variants import BASE, SIZES, Size, grid
from osler.cli import main
from osler.errors import UsageError
from osler.train.settings import load_recipe

ROOT = Path(__file__).parent.parent
SHORT = {"epochs": 1.0, "batch": 4, "mini_batch": 4, "learning_rate": 1e-3, "max_tokens": 48, "checkpoint_steps": 100}
SMALL = Size(
    name="small",
    seeds=(1, 2),
    pairs=12,
    fewer_pairs=(4,),
    reranker_pairs=8,
    queries=None,
    distractors=10,
    valid_queries=6,
    num_candidates=8,
    max_tokens=24,
    retriever=SHORT,
    reranker={**SHORT, "dim": 16, "negatives": 2},
    mining={"num_candidates": 12, "relative_margin": 0.0},
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, backbones):
    """The training pairs in BEIR's layout, a quarter of them dev, for the small BERT."""
    folder = tmp_path_factory.mktemp("data") / "questions"
    write_pairs(folder)
    changes = ["data.0.dev_share=0.25", "tuning.rank=4", "choice.valid_share=0.33"]
    return load_recipe(data=[{"folder": str(folder)}], flags={"backbone": str(backbones["bert"])}, changes=changes)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of converted networks of its own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSLER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def ran(recipe, cache, tmp_path_factory):
    """A retriever by its own negatives and a re-ranker behind the base, which comes with it."""
    folder = tmp_path_factory.mktemp("out") / "ablation"
    report = run_ablation(recipe, SMALL, folder, only=["random-dot", "reranker-mined"])
    return folder, report


def outcomes(folder, variant):
    return [json.loads((folder / "variants" / variant / f"seed-{seed}.json").read_text()) for seed in SMALL.seeds]


def test_each_variant_keeps_the_values_of_its_queries_and_its_settings(ran):
    folder, report = ran
    assert [one.variant.name for one in report.variants] == [BASE, "random-dot", "reranker-mined"]
    for variant in ("random-dot", "reranker-mined"):
        first, second = outcomes(folder, variant)
        assert first["values"]["nDCG@10"]["questions"].keys() == second["values"]["nDCG@10"]["questions"].keys()
        assert len(first["values"]["nDCG@10"]["questions"]) == 6
    random_dot = outcomes(folder, "random-dot")[1]["settings"]
    assert (random_dot["retriever"]["scale"], random_dot["retriever"]["negatives"]) == (1.0, "random")
    assert (random_dot["seed"], random_dot["examples"], random_dot["steps"]) == (2, 12, 3)


def test_two_seeds_are_two_models_and_one_seed_is_one(ran):
    folder, _ = ran
    digests = {
        (folder / "work" / BASE / f"seed-{seed}" / "model" / "model.safetensors").read_bytes() for seed in (1, 2)
    }
    assert len(digests) == 2


def test_only_the_base_is_left_and_no_converted_network_of_the_others(ran, cache):
    folder, _ = ran
    left = {path.relative_to(folder / "work").as_posix() for path in (folder / "work").glob("*/*")}
    assert left == {f"{BASE}/seed-1", f"{BASE}/seed-2"}
    assert {path.name.split("-")[0] for path in (cache / "models").iterdir()} == {"pair", "bi_encoder", "colbert"}
    assert len({path.name.split("-")[1] for path in (cache / "models").iterdir()}) == 1  # the backbone


def test_the_corpora_are_named(ran):
    folder, report = ran
    documents = (folder / "corpora" / "questions.txt").read_text().split()
    assert len(documents) == 6 + 10
    assert "Of a passage the first 24 tokens are read, in training and in search." in report.about
    assert any(
        line.startswith("questions: 6 queries over 16 documents, 6 relevant ones and 10") for line in report.about
    )


def test_a_second_run_trains_nothing_and_reports_the_same(ran, recipe):
    folder, report = ran
    told = []
    again = run_ablation(recipe, SMALL, folder, only=["random-dot", "reranker-mined"], on_progress=told.append)
    assert again == report
    assert {progress.stage for progress in told} == {"variants, a seed each"}


def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(ran, recipe, tmp_path):
    def kill(progress):
        if progress.stage == "reranker-mined, seed 1: reranker":
            raise KeyboardInterrupt

    straight, _ = ran
    with pytest.raises(KeyboardInterrupt):
        run_ablation(recipe, SMALL, tmp_path, only=["reranker-mined"], on_progress=kill)
    assert [path.stem for path in (tmp_path / "variants").glob("*/*")] == ["seed-1"]
    stages = []
    run_ablation(
        recipe, SMALL, tmp_path, only=["reranker-mined"], on_progress=lambda progress: stages.append(progress.stage)
    )
    assert f"{BASE}, seed 1: retriever" not in stages
    assert f"{BASE}, seed 2: retriever" in stages
    for variant in (BASE, "reranker-mined"):
        assert [one["values"] for one in outcomes(tmp_path, variant)] == [
            one["values"] for one in outcomes(straight, variant)
        ]


def test_a_folder_of_another_size_or_recipe_is_refused(ran, recipe):
    folder, _ = ran
    with pytest.raises(UsageError, match="holds a run with another size.pairs"):
        run_ablation(recipe, replace(SMALL, pairs=8), folder, only=[BASE])
    other = recipe.model_copy(update={"tuning": recipe.tuning.model_copy(update={"rank": 2})})
    with pytest.raises(UsageError, match="holds a run with another settings.tuning.rank"):
        run_ablation(other, SMALL, folder, only=[BASE])


@pytest.mark.slow
def test_every_variant_of_the_grid_runs(recipe, cache, tmp_path):
    report = run_ablation(recipe, replace(SMALL, seeds=(1,)), tmp_path)
    assert [one.variant.name for one in report.variants] == [one.name for one in grid(SMALL)]
    assert report.not_judged == []


def test_data_without_a_dev_part_cannot_be_measured(recipe, tmp_path):
    without = tuple(data.model_copy(update={"dev_share": 0.0}) for data in recipe.data)
    with pytest.raises(UsageError, match="No data set of the recipe has a dev part"):
        run_ablation(recipe.model_copy(update={"data": without}), SMALL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_would_hide_the_effect_of_a_variant_is_left_out():
    recipe = load_recipe(ROOT / "recipes" / "mini.toml", changes=["retriever.scale=20"])
    found = prepared(recipe, SIZES["cpu"])
    assert (found.retriever.siblings, found.retriever.token_weight, found.retriever.scale) == (False, 0.0, None)
    assert (found.reranker.start, found.reranker.tuning) == ("backbone", None)
    assert (recipe.tuning.keep, found.tuning.keep) == (0.3, 1.0)
    assert {data.weight for data in found.data} == {1.0}
    assert found.mining.negatives == found.reranker.negatives == 3


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(0, 60), st.integers(0, 60))
def test_shares_add_up_and_grow_with_the_total(sizes, one, other):
    fewer, more = even_shares(min(one, other), sizes), even_shares(max(one, other), sizes)
    assert sum(fewer) == min(one, other, sum(sizes))
    assert all(few <= many <= size for few, many, size in zip(fewer, more, sizes, strict=True))


def test_the_command_prints_a_line_a_variant_and_writes_the_report(recipe, cache, tmp_path):
    file = tmp_path / "small.toml"
    lines = [f'backbone = "{recipe.backbone}"', "[[data]]", f'folder = "{recipe.data[0].folder}"', "dev_share = 0.25"]
    file.write_text("\n".join([*lines, "[reranker]", "dim = 16"]))
    flags = ["--recipe", str(file), "--out", str(tmp_path / "out"), "--size", "full", "--only", "zero-shot", "--json"]
    result = CliRunner().invoke(app, flags)
    (line,) = map(json.loads, result.stdout.splitlines())
    assert (line["name"], line["seeds"], line["queries"]) == ("zero-shot", 3, 6)
    assert "| zero-shot | the backbone, untrained |" in (tmp_path / "out" / "ablation.md").read_text()


def test_an_unknown_variant_is_one_line(tmp_path, capsys):
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(SystemExit) as stopped:
        main(["--recipe", str(tmp_path / "empty.toml"), "--out", "out", "--only", "bm26"], program=app)
    assert stopped.value.code == 2
    assert "--only 'bm26' is no variant of this size" in capsys.readouterr().err


def test_the_command_explains_itself():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "python -m experiments.ablation" in result.output
