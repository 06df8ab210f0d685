"""The re-ranker's training: what it learns, what it starts from, what is written, and that search gives its scores."""

import json
import shutil
from dataclasses import replace
from math import log2

import numpy as np
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.scoring import colbert_scores
from training_pairs import pair, passage

from osler.errors import ModelError, UsageError
from osler.late_interaction.maxsim import maxsim
from osler.models import load_models
from osler.models.adapter import merge_adapter, read_adapter
from osler.models.model_card import read_card
from osler.records import Passage
from osler.train import colbert
from osler.train.colbert import candidates_ndcg, colbert_model, maxsim_of, principal_projection, token_head
from osler.train.data import TrainingPassage
from osler.train.fitting.backbone import load_transformer
from osler.train.reranker import contrastive_loss, train_reranker
from osler.train.settings import RecipeSettings, RerankerSettings, TuningSettings

QUICK = {
    "dim": 24,
    "batch": 6,
    "mini_batch": 6,
    "epochs": 3,
    "negatives": 2,
    "learning_rate": 2e-3,
    "max_tokens": 64,
    "checkpoint_steps": 6,
}
TEXTS = [text for sentence in tiny_models.SENTENCES for text in (sentence, sentence * 4)]
QUERY = "is there fluid around the heart?"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def hard(number, other):
    """A passage that begins like the positive of one pair and ends like that of another."""
    begin, end = passage(number).text.split(), passage(other % 24).text.split()
    text = " ".join(begin[: len(begin) // 2] + end[len(end) // 2 :])
    return TrainingPassage(f"x{number}-{other}#0", text)


def mined(numbers=range(24)):
    return [replace(pair(n), negatives=tuple(hard(n, n + step) for step in (1, 2, 3))) for n in numbers]


def recipe(backbone="minilm", *, method="lora", keep=1.0, **settings):
    tuning = TuningSettings(method=method, rank=4, keep=keep)
    return RecipeSettings(backbone=str(backbone), tuning=tuning, reranker=RerankerSettings(**{**QUICK, **settings}))


def untrained(backbone, *, method="lora", examples=None, **settings):
    examples = examples or mined()
    return colbert_model(
        recipe(backbone, method=method, **settings),
        queries=[one.query for one in examples],
        passages=[text for one in examples for text in one.texts],
    )


def report(folder):
    return json.loads((folder / "training.json").read_text())


def load(folder):
    return MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)


def served(reranker, query, texts):
    found = [Passage(f"d{n}#0", f"d{n}", "", text, 0, len(text)) for n, text in enumerate(texts)]
    return maxsim(reranker.encode_queries([query])[0], reranker.encode_passages(found))


def in_float(model, query, texts):
    scores = maxsim_of(model, [(query, text) for text in texts])
    return [scores[query, text] for text in texts]


@pytest.fixture(scope="module")
def trained(backbones, tmp_path_factory):
    """Both backbones, tuned both ways, with markers where they can be had."""
    folders = {}
    for kind, method, markers in (
        ("bert", "lora", ("[unused0]", "[unused1]")),
        ("bert", "full", ("[Q] ", "[D] ")),
        ("modernbert", "lora", ("", "")),
        ("modernbert", "full", ("[Q] ", "[D] ")),
    ):
        folder = tmp_path_factory.mktemp(f"{kind}-{method}")
        settings = recipe(backbones[kind], method=method, markers=markers, mini_batch=3)
        train_reranker(mined(range(20)), mined(range(20)), settings, folder)
        folders[kind, method] = folder
    return folders


CASES = [("bert", "lora"), ("bert", "full"), ("modernbert", "lora"), ("modernbert", "full")]


@pytest.mark.parametrize("case", CASES)
def test_the_loss_goes_down(trained, case):
    losses = report(trained[case])["phases"]["contrastive"]["losses"]
    assert losses[-1]["valid"] < losses[0]["valid"]
    assert report(trained[case])["phases"]["contrastive"]["best_step"] == losses[-1]["step"] == 10


@pytest.mark.parametrize("case", CASES)
def test_search_gives_the_scores_of_training(trained, backbones, case):
    folder = trained[case] / "model"
    reranker = load_models(str(backbones["bert"]), str(folder)).reranker
    np.testing.assert_allclose(served(reranker, QUERY, TEXTS), in_float(load(folder), QUERY, TEXTS), atol=0.02)
    assert read_card(folder).markers == (reranker.model.spec.query_prompt, reranker.model.spec.passage_prompt)


@pytest.mark.parametrize("case", [("bert", "lora"), ("modernbert", "lora")])
def test_the_adapter_makes_the_trained_model_from_the_backbone(trained, backbones, case):
    adapter = read_adapter(trained[case] / "adapter.safetensors")
    backbone = load_transformer(str(backbones[case[0]]), max_tokens=512).auto_model
    merge_adapter(backbone, adapter, folder=backbones[case[0]])
    model = load(trained[case] / "model")
    for name, weight in model[0].auto_model.state_dict().items():
        torch.testing.assert_close(backbone.state_dict()[name], weight)
    torch.testing.assert_close(torch.from_numpy(adapter.token_projection.T), token_head(model).linear.weight.data)
    assert adapter.reranker == read_card(trained[case] / "model")


@pytest.mark.parametrize("case", [("bert", "full"), ("modernbert", "full")])
def test_without_lora_there_is_no_adapter(trained, case):
    assert {path.name for path in trained[case].iterdir()} == {"model", "training.json"}


def test_a_model_that_lost_its_trained_projection_does_not_load(trained, backbones, tmp_path):
    folder = shutil.copytree(trained["bert", "lora"] / "model", tmp_path / "model")
    weights = load_file(folder / "1_Dense" / "model.safetensors")
    lost = {name: torch.randn(weight.shape) for name, weight in weights.items()}
    save_file(lost, folder / "1_Dense" / "model.safetensors")
    with pytest.raises(ModelError, match="scores its reference passages"):
        load_models(str(backbones["bert"]), str(folder))


def test_a_saved_model_cuts_texts_no_shorter_than_search_does(trained):
    model = load(trained["modernbert", "full"] / "model")
    assert len(model.encode_query(["fluid around the heart " * 40])) == 1
    assert len(model.encode_query("fluid around the heart " * 40)) > QUICK["max_tokens"]


def test_training_sums_over_query_tokens_what_search_averages(trained):
    """In a batch with padding, skipped punctuation and [CLS]: the masks of both are the same."""
    model = load(trained["bert", "full"] / "model").eval()
    features = [model.preprocess([QUERY], task="query", prompt="[Q] "), model.preprocess(TEXTS, prompt="[D] ")]
    query, texts = (model(dict(one), task=task) for one, task in zip(features, ("query", "document"), strict=True))
    sums = colbert_scores(
        query["token_embeddings"],
        texts["token_embeddings"][:, None],
        queries_mask=query["attention_mask"],
        documents_mask=texts["attention_mask"][:, None],
    )[0]
    means = in_float(model, QUERY, TEXTS)
    assert (sums / query["attention_mask"].sum()).tolist() == pytest.approx(means, abs=1e-5)


def test_a_step_raises_the_positive_above_its_mined_negatives(backbones):
    model = untrained(backbones["modernbert"], method="full").train()
    one = mined()[0]

    def margin():
        positive, *negatives = in_float(model, one.query, one.texts[:3])
        return positive - max(negatives)

    before = margin()
    step(model, contrastive_loss(model, recipe().reranker), columns(model, mined(range(6))))
    assert margin() > before


def columns(model, examples):
    """The tokens of each column of a batch, as the trainer's collator gives them."""
    texts = [[one.query for one in examples], *zip(*(one.texts for one in examples), strict=True)]
    return [
        {
            **model.preprocess(list(column), task="document" if number else "query"),
            "task": "document" if number else "query",
        }
        for number, column in enumerate(texts)
    ]


def step(model, loss, features, labels=None):
    loss(features, labels).backward()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.grad is not None:
                weight -= 0.05 * weight.grad


def test_cached_gradients_equal_those_of_the_whole_batch(backbones):
    def gradient(mini_batch):
        model = untrained(backbones["modernbert"], method="full").eval()
        settings = recipe(mini_batch=mini_batch).reranker
        loss = contrastive_loss(model, settings)
        loss(columns(model, mined(range(6))), None).backward()
        return token_head(model).linear.weight.grad

    torch.testing.assert_close(gradient(2), gradient(6))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_killed_training_goes_on(backbones, tmp_path, monkeypatch, method):
    def kill(progress):
        if progress.step == 4:
            raise KeyboardInterrupt

    settings = recipe(backbones["modernbert"], method=method, checkpoint_steps=2)
    arguments = (mined(range(12)), mined(range(12)), settings)
    straight = train_reranker(*arguments, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_reranker(*arguments, tmp_path / "killed", on_progress=kill)
    # another number of threads computes the principal components a little differently
    monkeypatch.setattr(colbert, "principal_projection", lambda *of: principal_projection(*of) * np.float32(1.000001))
    steps = []
    killed = train_reranker(*arguments, tmp_path / "killed", on_progress=steps.append)
    assert steps[0].step == 3
    for file in ("model.safetensors", "1_Dense/model.safetensors", "osler.json"):
        assert (killed / file).read_bytes() == (straight / file).read_bytes()


def test_a_complete_training_is_not_repeated_and_another_one_is_refused(trained, backbones):
    folder, markers = trained["bert", "lora"], ("[unused0]", "[unused1]")
    written = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    settings = recipe(backbones["bert"], markers=markers, mini_batch=3)
    train_reranker(mined(range(20)), mined(range(20)), settings, folder)
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(UsageError, match="holds a reranker that was trained with other settings or examples"):
        train_reranker(mined(range(19)), mined(range(20)), settings, folder)


def test_the_report_says_what_was_measured_on_valid(trained):
    made = report(trained["bert", "lora"])
    assert made["examples"]["train"]["count"] == 20
    assert made["settings"]["reranker"]["markers"] == ["[unused0]", "[unused1]"]
    assert set(made["phases"]) == {"start", "contrastive"}
    assert 0 < made["phases"]["contrastive"]["nDCG@10"] <= 1


def test_keep_leaves_a_share_of_what_was_learned(backbones, tmp_path):
    def head(keep):
        settings = recipe(backbones["modernbert"], method="full", keep=keep, epochs=0.5)
        folder = train_reranker(mined(), mined(), settings, tmp_path / str(keep))
        return token_head(load(folder)).linear.weight

    start = token_head(untrained(backbones["modernbert"], method="full")).linear.weight
    learned = head(1.0)
    assert not torch.equal(learned, start)
    torch.testing.assert_close(head(0.5), (start + learned) / 2)
    assert set(report(tmp_path / "0.5")["phases"]) == {"start", "contrastive", "kept"}  # measured as it is saved


def test_final_dim_keeps_principal_components_of_what_was_learned(backbones, tmp_path):
    def trained_with(final_dim):
        folder = tmp_path / str(final_dim)
        settings = recipe(backbones["bert"], method="head", epochs=0.5, final_dim=final_dim)
        return load(train_reranker(mined(), mined(), settings, folder)), read_adapter(folder / "adapter.safetensors")

    (whole, _), (turned, _), (narrow, adapter) = (trained_with(final_dim) for final_dim in (None, 24, 20))
    assert np.allclose(in_float(turned, QUERY, TEXTS), in_float(whole, QUERY, TEXTS), atol=1e-5)  # rotated, no more
    assert adapter.token_projection.shape == adapter.reranker.projection == (48, 20)
    assert narrow.encode_query([QUERY])[0].shape[1] == 20
    learned, kept = (token_head(model).linear.weight.detach().numpy() for model in (whole, narrow))
    mixed = np.linalg.lstsq(learned.T, kept.T, rcond=None)[0]  # kept = mixed.T @ learned
    np.testing.assert_allclose(mixed.T @ learned, kept, atol=1e-4)
    np.testing.assert_allclose(mixed.T @ mixed, np.eye(20), atol=1e-3)
    assert np.corrcoef(in_float(narrow, QUERY, TEXTS), in_float(whole, QUERY, TEXTS))[0, 1] > 0.8
    assert set(report(tmp_path / "20")["phases"]) == {"start", "contrastive", "kept"}


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_principal_components_keep_more_of_maxsim_than_a_random_projection(backbones, kind):
    texts = [text for one in mined() for text in one.texts]
    full = load_models(str(backbones[kind]), str(backbones[kind])).reranker
    queries = [pair(number).query for number in range(4)]
    expected = [served(full, query, texts) for query in queries]

    def error(projection):
        model = untrained(backbones[kind], projection=projection, dim=8)
        return np.mean([
            1 - np.corrcoef(in_float(model, query, texts), scores)[0, 1]
            for query, scores in zip(queries, expected, strict=True)
        ])  # fmt: skip

    assert error("principal") < error("random")


def test_a_query_is_as_long_as_the_longest_of_the_data(backbones):
    vignette = "A 54-year-old woman has had chest pain for two days and cannot lie flat. " * 8
    examples = [replace(mined()[0], query=vignette), *mined(range(1, 6))]
    model = untrained(backbones["bert"], examples=examples)
    assert model[0].query_length == len(model.tokenizer(vignette)["input_ids"]) > 100
    assert len(model.preprocess([vignette], task="query")["input_ids"][0]) == model[0].query_length
    assert untrained(backbones["bert"], query_tokens=16)[0].query_length == 16


def test_a_marker_is_one_token_before_every_text(backbones):
    model = untrained(backbones["bert"], markers=("[unused0]", "[unused1]"))
    ids = model.preprocess(["fluid"], task="query", prompt=model.prompts["query"])["input_ids"][0]
    assert model.tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "[unused0]", "fluid", "[SEP]"]
    assert model[0].auto_model.get_input_embeddings().num_embeddings == 30522


def test_a_new_marker_has_a_vector_of_its_own_and_lora_refuses_it(backbones):
    model = untrained(backbones["bert"], method="full", markers=("[Q] ", "[D] "))
    assert model[0].auto_model.get_input_embeddings().num_embeddings == 30524
    with pytest.raises(UsageError, match=r"'\[Q\] ' is not in the backbone's vocabulary"):
        untrained(backbones["bert"], markers=("[Q] ", "[D] "))


def test_punctuation_of_passages_is_skipped_and_that_of_queries_counts(backbones):
    model = untrained(backbones["bert"])
    assert len(model.encode_document("fluid.")) == 3
    assert len(model.encode_query("fluid.")) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 100}, r"reranker.dim = 100 is more than the backbone's 48"),
        ({"final_dim": 32}, r"reranker.final_dim = 32 is more than reranker.dim = 24"),
        ({"max_tokens": 513}, "513 is more than"),
    ],
)
def test_what_the_backbone_cannot_give_is_refused(backbones, settings, message):
    with pytest.raises(UsageError, match=message):
        untrained(backbones["bert"], **settings)


def test_a_colbert_is_no_backbone(backbones, tmp_path):
    folder = tiny_models.colbert(backbones["modernbert"], tmp_path / "colbert")
    with pytest.raises(ModelError, match="is a ColBERT already"):
        untrained(folder)


def test_the_head_alone_can_be_trained(backbones, tmp_path):
    start = untrained(backbones["bert"])
    model = load(train_reranker(mined(), mined(), recipe(backbones["bert"], method="head"), tmp_path))
    assert not torch.equal(token_head(model).linear.weight, token_head(start).linear.weight)
    for name, weight in start[0].state_dict().items():
        assert torch.equal(model[0].state_dict()[name], weight), name
    adapter = read_adapter(tmp_path / "adapter.safetensors")
    assert adapter.layers == {}
    assert adapter.token_projection is not None


def test_a_trained_retriever_can_be_the_start(backbones, tmp_path):
    folder = tiny_models.bi_encoder(backbones["bert"], tmp_path / "retriever")
    expected = untrained(backbones["bert"]).encode_query(QUERY)
    torch.testing.assert_close(untrained(folder).encode_query(QUERY), expected)


def test_examples_without_negatives_alone_are_refused(backbones, tmp_path):
    with pytest.raises(UsageError, match="no example with a negative to train on"):
        train_reranker([pair(0), pair(1)], mined(), recipe(backbones["bert"]), tmp_path)


def test_ndcg_of_the_candidates_counts_ties_against_the_positive(backbones):
    model = untrained(backbones["bert"])
    text = "Fluid around the heart."
    twin = replace(pair(0), positive=TrainingPassage("a#0", text), negatives=(TrainingPassage("b#0", text),))
    assert candidates_ndcg(model, [twin], seed=1) == pytest.approx(1 / log2(3))
    assert candidates_ndcg(model, [pair(0)], seed=1) is None
