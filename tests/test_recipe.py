"""The whole sequence on small real backbones, with real questions."""

import json

import pytest
from training_pairs import write_pairs

from osler.errors import OslerError, UsageError
from osler.index import open_index
from osler.models import load_models
from osler.models.adapter import read_adapter
from osler.models.model_card import read_card
from osler.records import NOT_RETRACTED, Passage
from osler.train.data import load_splits, read_examples
from osler.train.recipe import STEPS, run_recipe
from osler.train.settings import load_recipe

SMALL = [
    "data.0.dev_share=0.2",
    "tuning.rank=4",
    "retriever.batch=4",
    "retriever.epochs=2",
    "retriever.learning_rate=1e-3",
    "retriever.max_tokens=48",
    "mining.negatives=3",
    "mining.relative_margin=0.0",
    "reranker.dim=16",
    "reranker.batch=4",
    "reranker.negatives=2",
    "reranker.max_tokens=48",
    "choice.num_candidates=8",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The training pairs in BEIR's layout."""
    folder = tmp_path_factory.mktemp("data") / "questions"
    write_pairs(folder)
    return folder


def recipe(data, backbone, *changes):
    return load_recipe(data=[{"folder": str(data)}], flags={"backbone": str(backbone)}, changes=[*SMALL, *changes])


@pytest.fixture(scope="module")
def trained(data, backbones, tmp_path_factory):
    """A whole run, the re-ranker's head on the tuned retriever."""
    folder = tmp_path_factory.mktemp("trained")
    changes = ["reranker.start=retriever", 'reranker.tuning={method = "head"}']
    return folder, run_recipe(recipe(data, backbones["bert"], *changes), folder)


def test_every_step_reports_and_leaves_its_files(trained):
    folder, report = trained
    assert list(report) == [step for step in STEPS if step != "warm-up"]
    assert open_index(folder / "index" / "questions").manifest.encoder.name == str(folder / "retriever" / "model")
    assert report["mining"]["examples"] == len(read_examples(folder / "mining" / "examples.jsonl"))
    assert set(report["dev"]["measures"]["questions"]) == {"candidates", "ranked"}


def test_the_models_of_a_run_rank_passages(trained):
    folder, _ = trained
    models = load_models(str(folder / "retriever" / "model"), str(folder / "reranker" / "model"))
    vectors, token_vectors = models.encode_passages([Passage("a#0", "a", "", "Insulin lowers glucose.", 0, 23)])
    assert vectors.shape == (1, 48)
    assert token_vectors.codes.shape[1] == 16


def test_the_weight_and_the_threshold_are_kept_with_the_re_ranker_and_its_adapter(trained):
    folder, report = trained
    weight, threshold = report["dev"]["stage1_weight"], round(report["dev"]["abstention"]["threshold"], 3)
    adapter = read_adapter(folder / "reranker" / "adapter.safetensors")
    for card in (read_card(folder / "reranker" / "model"), adapter.reranker):
        assert (card.stage1_weight, card.abstain_below) == (weight, threshold)


def test_mistake_9_nothing_is_chosen_on_queries_that_are_trained_on(trained, data, backbones):
    folder, _ = trained
    learned, chosen = (read_examples(folder / "mining" / f"{name}.jsonl") for name in ("examples", "valid"))
    (parts,) = load_splits(recipe(data, backbones["bert"]))
    assert {one.query_id for one in learned} <= parts.train.queries.keys()
    assert {one.query_id for one in chosen} <= parts.valid.queries.keys()
    assert parts.train.queries.keys().isdisjoint(parts.valid.queries | parts.dev.queries)
    assert parts.valid.queries.keys().isdisjoint(parts.dev.queries)


def test_mistake_9_the_weight_is_chosen_on_valid_and_dev_is_only_reported(data, backbones, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("osler.train.recipe.choose_stage1_weight", lambda valid: seen.extend(valid) or (0.5, {}))
    wanted = recipe(data, backbones["bert"], "retriever.max_steps=1", "reranker.max_steps=1")
    report = run_recipe(wanted, tmp_path)
    (parts,) = load_splits(wanted)
    assert [set(one.candidates) for one in seen] == [set(parts.valid.queries)]
    assert report["dev"]["queries"] == {"questions": len(parts.dev.queries)}


def test_mining_that_keeps_nothing_says_what_dropped_it(data, backbones, tmp_path):
    wanted = recipe(data, backbones["bert"], f"encoder={backbones['bert']}", "mining.relative_margin=0.99")
    with pytest.raises(UsageError, match=r"no negative for any query of train \(candidates dropped: .*margin"):
        run_recipe(wanted, tmp_path, until="mining")


def test_a_head_on_the_retriever_ships_the_changes_of_the_retriever(trained):
    folder, _ = trained
    retriever, reranker = (read_adapter(folder / "dev" / f"{name}.safetensors") for name in ("retriever", "reranker"))
    assert reranker.lora_digest == retriever.lora_digest != ""
    assert reranker.weights == retriever.weights


def test_negatives_are_what_the_trained_retriever_ranks_high_and_no_known_positive(trained):
    folder, _ = trained
    model = str(folder / "retriever" / "model")
    encoder, index = load_models(model, model).encoder, open_index(folder / "index" / "questions")
    examples = list(read_examples(folder / "mining" / "examples.jsonl"))
    assert examples
    for example in examples:
        assert example.positive.passage_id not in {negative.passage_id for negative in example.negatives}
        found = index.snapshot().nearest(encoder.encode_queries([example.query])[0], k=50, where=NOT_RETRACTED)
        ranks = {candidate.passage_id: candidate.rank for candidate in found}
        assert [negative.rank for negative in example.negatives] == [
            ranks[negative.passage_id] for negative in example.negatives
        ]


def test_a_run_that_is_complete_is_not_repeated(trained, data, backbones):
    folder, report = trained
    changes = ["reranker.start=retriever", 'reranker.tuning={method = "head"}']
    told = []
    again = run_recipe(recipe(data, backbones["bert"], *changes), folder, on_progress=told.append)
    assert again == json.loads(json.dumps(report))
    assert told == []


def test_a_folder_of_another_recipe_is_refused(trained, data, backbones):
    with pytest.raises(UsageError, match="holds a run with another settings.seed, settings.reranker"):
        run_recipe(recipe(data, backbones["bert"], "seed=7"), trained[0])


def test_a_killed_run_ends_like_one_that_was_not(data, backbones, tmp_path):
    def kill(progress):
        if (progress.stage, progress.step) == ("retriever", 3):
            raise KeyboardInterrupt

    wanted = recipe(data, backbones["bert"], "retriever.checkpoint_steps=2")
    straight = run_recipe(wanted, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run_recipe(wanted, tmp_path / "killed", on_progress=kill)
    killed = run_recipe(wanted, tmp_path / "killed")
    assert killed["dev"] == straight["dev"]
    names = ("retriever/model/model.safetensors", "reranker/model/model.safetensors")
    for name in names:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("separate_encoders", [False, True])
def test_a_modernbert_runs_the_whole_recipe(data, backbones, tmp_path, separate_encoders, method):
    changes = [
        f"retriever.separate_encoders={str(separate_encoders).lower()}",
        f"tuning.method={method}",
        "retriever.max_steps=2",
        "reranker.max_steps=2",
    ]
    report = run_recipe(recipe(data, backbones["modernbert"], *changes), tmp_path)
    assert 0 <= report["dev"]["macro"]["ranked"]["nDCG@10"] <= 1


def test_negatives_by_words_and_a_warm_up_come_before_the_retriever(data, backbones, tmp_path):
    titled = tmp_path / "titled"
    titled.mkdir()
    for name in ("queries.jsonl", "qrels_train.tsv"):
        (titled / name).write_text((data / name).read_text())
    corpus = [json.loads(line) for line in (data / "corpus.jsonl").read_text().splitlines()]
    lines = [json.dumps({**document, "title": document["text"].split()[0]}) for document in corpus]
    (titled / "corpus.jsonl").write_text("\n".join(lines))
    changes = ["retriever.negatives=bm25", "mining.source=bm25", "retriever.max_steps=2", "retriever.warm_up_pairs=8"]
    report = run_recipe(recipe(titled, backbones["bert"], *changes), tmp_path / "out", until="mining")
    assert list(report) == ["warm-up", "retriever", "index", "mining"]
    assert report["mining"]["examples"] > 0
    assert not (tmp_path / "out" / "reranker").exists()


def test_a_run_without_a_dev_part_ends_with_the_weight(data, backbones, tmp_path):
    changes = ["data.0.dev_share=0", "retriever.max_steps=1", "reranker.max_steps=1"]
    report = run_recipe(recipe(data, backbones["bert"], *changes), tmp_path)
    assert set(report["dev"]) == {"stage1_weight", "valid", "abstention"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("reranker.dim=512", "reranker.dim = 512 is more than the backbone's 48"),
        ("mining.exclusions=nowhere.jsonl", "nowhere.jsonl: cannot be read"),
        ("encoder=nowhere/at/all", "neither a folder, a short name"),
        ("reranker.max_tokens=1000", "reranker.max_tokens = 1000 is more than the backbone reads"),
        ("reranker.markers=['[Q] ', '[D] ']", "is not in the backbone's vocabulary"),
        ("tuning.targets=['nolayer']", "no linear layer is called 'nolayer'"),
        ("reranker.tuning={targets = ['nolayer']}", "no linear layer is called 'nolayer'"),
        ("data.0.dev=dev", "set one of them"),
    ],
)
def test_what_cannot_work_is_said_before_the_folder_is_made(data, backbones, tmp_path, change, said):
    with pytest.raises(OslerError, match=said):
        run_recipe(recipe(data, backbones["bert"], change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_encoders_cannot_be_the_start_of_a_re_ranker(data, backbones, tmp_path):
    wanted = recipe(data, backbones["bert"], "retriever.separate_encoders=true", "reranker.start=retriever")
    with pytest.raises(UsageError, match="needs one encoder"):
        run_recipe(wanted, tmp_path / "out")


def test_a_retriever_that_is_there_already_mines_without_training(data, backbones, tmp_path):
    report = run_recipe(recipe(data, backbones["bert"], f"encoder={backbones['bert']}"), tmp_path, until="mining")
    assert list(report) == ["index", "mining"]


def test_an_unknown_step_is_refused_with_the_known_ones(data, backbones, tmp_path):
    with pytest.raises(UsageError, match="no step of a training. Steps: warm-up, retriever"):
        run_recipe(recipe(data, backbones["bert"]), tmp_path, until="rerank")


def test_a_dot_product_retriever_is_refused_where_an_index_must_be_built_with_it(data, backbones, tmp_path):
    wanted = recipe(data, backbones["bert"], "retriever.similarity=dot", "retriever.max_steps=2")
    with pytest.raises(UsageError, match="An index compares by cosine"):
        run_recipe(wanted, tmp_path / "whole")
    assert not (tmp_path / "whole" / "retriever").exists()
    assert list(run_recipe(wanted, tmp_path / "alone", until="retriever")) == ["retriever"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("retriever.separate_encoders=true", "one encoder for both"),
        ("retriever.mini_batch=2", "set retriever.mini_batch to"),
    ],
)
def test_both_heads_learn_from_one_encoder_and_a_whole_batch(data, backbones, tmp_path, change, said):
    wanted = recipe(data, backbones["bert"], "retriever.token_weight=0.5", change)
    with pytest.raises(UsageError, match=said):
        run_recipe(wanted, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("retriever.negatives=in-batch", "needs negatives of its own"),
        ("retriever.mini_batch=2", "caches no gradients"),
        ("retriever.token_weight=0.5", "caches no gradients"),
    ],
)
def test_own_negatives_alone_need_some_and_a_whole_batch(data, backbones, tmp_path, change, said):
    wanted = recipe(data, backbones["bert"], "retriever.in_batch_negatives=false", "retriever.negatives=random", change)
    with pytest.raises(UsageError, match=said):
        run_recipe(wanted, tmp_path / "out")
