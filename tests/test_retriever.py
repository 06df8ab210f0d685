"""Stage 1's training and its losses, on small backbones."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.modules import Pooling
from torch.nn import functional
from training_pairs import pairs, passage

from osler.errors import UsageError
from osler.late_interaction.maxsim import maxsim
from osler.models import load_models
from osler.models.adapter import read_adapter
from osler.records import Passage
from osler.train.fitting.backbone import load_retriever
from osler.train.retriever import ExplicitNegativesLoss, TwoHeadLoss, retriever_loss, token_loss, train_retriever
from osler.train.settings import RecipeSettings, RetrieverSettings, TuningSettings

QUICK = {"batch": 6, "mini_batch": 6, "epochs": 4, "checkpoint_steps": 8}
RATES = {"full": 2e-3, "lora": 1e-2}


def recipe(backbone, *, method: str = "lora", keep: float = 1.0, **settings) -> RecipeSettings:
    tuning = TuningSettings(method=method, rank=4, keep=keep)
    retriever = RetrieverSettings(**QUICK | {"learning_rate": RATES[method]} | settings)
    return RecipeSettings(backbone=str(backbone), tuning=tuning, retriever=retriever)


@pytest.fixture(scope="module")
def trained(backbones, tmp_path_factory):
    """The folder of a training that is complete."""
    folder = tmp_path_factory.mktemp("trained")
    train_retriever(pairs(), pairs()[:8], recipe(backbones["bert"], keep=0.5), folder)
    return folder


def report(folder) -> dict:
    return json.loads((folder / "training.json").read_text())


def load(folder) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def similarities(model) -> np.ndarray:
    """[Q, P], of every query with every passage."""
    examples = pairs()
    queries = model.encode_query([example.query for example in examples])
    return queries @ model.encode_document([example.positive.text for example in examples]).T


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize("separate_encoders", [False, True])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_loss_goes_down_and_the_saved_model_ranks_better(backbones, tmp_path, kind, separate_encoders, method):
    settings = recipe(backbones[kind], separate_encoders=separate_encoders, method=method)
    before = similarities(load_retriever(settings.backbone, settings.retriever).eval())
    model = train_retriever(pairs(), pairs(), settings, tmp_path)
    after = similarities(load(model))
    losses = [loss["valid"] for loss in report(tmp_path)["losses"]]
    assert min(losses) < 0.85 * losses[0]
    found = [(scores.argmax(axis=1) == np.arange(24)).sum() for scores in (before, after)]
    assert found[1] > found[0]


@pytest.mark.parametrize("separate_encoders", [False, True])
def test_osler_loads_the_trained_model_and_gives_its_vectors(backbones, tmp_path, separate_encoders):
    model = train_retriever(
        pairs(), pairs(), recipe(backbones["bert"], separate_encoders=separate_encoders, max_steps=2), tmp_path
    )
    encoder = load_models(str(model), str(backbones["bert"])).encoder
    expected, texts = load(model), [pairs()[0].query, passage(0).text]
    np.testing.assert_allclose(encoder.encode_queries(texts), expected.encode_query(texts), atol=5e-3)
    passages = [Passage(f"{n}#0", str(n), "", text, 0, len(text)) for n, text in enumerate(texts)]
    np.testing.assert_allclose(encoder.encode_passages(passages), expected.encode_document(texts), atol=5e-3)


def test_the_adapter_file_makes_the_saved_weights_from_the_backbone(backbones, trained):
    adapter = read_adapter(trained / "adapter.safetensors")
    start, learned = (load_file(folder / "model.safetensors") for folder in (backbones["bert"], trained / "model"))
    for name, change in adapter.layers.items():
        expected = start[f"{name}.weight"] + adapter.scale * torch.tensor(change.b @ change.a)
        torch.testing.assert_close(learned[f"{name}.weight"], expected)
    assert sum(not torch.equal(learned[name], start[name]) for name in learned) == len(adapter.layers) > 0


def test_of_two_encoders_there_is_no_adapter_file(backbones, tmp_path):
    train_retriever(pairs(), pairs(), recipe(backbones["bert"], separate_encoders=True, max_steps=2), tmp_path)
    assert not (tmp_path / "adapter.safetensors").exists()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_a_training_step_raises_the_positive_and_lowers_the_negatives(backbones, similarity):
    """Mistake 1 of the released code: a similarity where the loss expects a distance trains backwards."""
    settings = RetrieverSettings(**QUICK, similarity=similarity)
    model = load_retriever(str(backbones["modernbert"]), settings).eval()
    before = similarities(model)[:4, :4]
    step(model, retriever_loss(model, settings), learning_rate=1e-2)
    change = similarities(model)[:4, :4] - before
    margin = np.diag(change).mean() - change[~np.eye(4, dtype=bool)].mean()
    assert margin > 0


def step(model, loss, *, learning_rate: float) -> None:
    """One step of gradient descent on the first four pairs."""
    examples = pairs()[:4]
    texts = [[example.query for example in examples], [example.positive.text for example in examples]]
    optimiser = torch.optim.SGD(model.parameters(), lr=learning_rate)
    loss([model.preprocess(column) for column in texts], None).backward()
    optimiser.step()


def test_the_dot_product_has_a_scale_of_its_own(backbones):
    """Mistake 2: cosine's scale of 20 on vectors that are not of unit length."""
    cosine, dot = (RetrieverSettings(similarity=name) for name in ("cosine", "dot"))
    backbone = str(backbones["bert"])
    assert retriever_loss(load_retriever(backbone, cosine), cosine).scale == 20.0
    assert retriever_loss(load_retriever(backbone, dot), dot).scale == 1.0
    of_its_own = RetrieverSettings(similarity="dot", scale=0.05)
    assert retriever_loss(load_retriever(backbone, of_its_own), of_its_own).scale == 0.05


def test_vectors_have_unit_length_for_cosine_only(backbones):
    lengths = {}
    for name in ("cosine", "dot"):
        model = load_retriever(str(backbones["modernbert"]), RetrieverSettings(similarity=name))
        lengths[name] = float(np.linalg.norm(model.encode("a fever")))
        assert model.similarity_fn_name == name
    assert lengths["cosine"] == pytest.approx(1.0)
    assert lengths["dot"] != pytest.approx(1.0, abs=0.1)


def test_a_model_of_dot_products_is_trained_and_says_so(backbones, tmp_path):
    model = train_retriever(pairs(), pairs(), recipe(backbones["bert"], similarity="dot"), tmp_path)
    assert load(model).similarity_fn_name == "dot"
    assert report(tmp_path)["settings"]["retriever"]["scale"] == 1.0
    assert report(tmp_path)["best_step"] > 0


def test_pooling_is_as_set(backbones):
    model = load_retriever(str(backbones["bert"]), RetrieverSettings(pooling="cls"))
    (pooling,) = (module for module in model if isinstance(module, Pooling))
    features = {"token_embeddings": torch.tensor([[[1.0], [3.0]]]), "attention_mask": torch.ones(1, 2).long()}
    assert pooling(features)["sentence_embedding"].item() == 1.0


def test_cached_gradients_equal_those_of_the_whole_batch(backbones):
    gradients = []
    for mini_batch, kind in ((2, CachedMultipleNegativesRankingLoss), (4, MultipleNegativesRankingLoss)):
        settings = RetrieverSettings(batch=4, mini_batch=mini_batch)
        model = load_retriever(str(backbones["bert"]), settings).eval()
        loss = retriever_loss(model, settings)
        assert type(loss) is kind
        step(model, loss, learning_rate=0.0)
        gradients.append([weight.grad for weight in model.parameters() if weight.grad is not None])
    for cached, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(cached, whole, atol=1e-5, rtol=1e-3)


def test_a_positive_is_pushed_away_from_the_negatives_that_were_given(backbones, tmp_path):
    """Each query's negative is the passage of its neighbour: what is learned is to tell the two apart."""
    examples = [replace(one, negatives=(passage((n + 1) % 24),)) for n, one in enumerate(pairs())]
    settings = recipe(backbones["modernbert"], negatives="mined", method="full")
    model = train_retriever(examples, examples, settings, tmp_path)
    scores = [similarities(one) for one in (load_retriever(settings.backbone, settings.retriever).eval(), load(model))]
    margins = [np.mean([matrix[n, n] - matrix[n, (n + 1) % 24] for n in range(24)]) for matrix in scores]
    assert margins[1] > margins[0]
    assert report(tmp_path)["losses"][0]["valid"] > report(tmp_path)["losses"][-1]["valid"]


def test_a_complete_training_is_not_repeated_and_leaves_no_checkpoints(backbones, trained):
    settings, reports = recipe(backbones["bert"], keep=0.5), []
    again = train_retriever(pairs(), pairs()[:8], settings, trained, on_progress=reports.append)
    assert again == trained / "model"
    assert reports == []
    assert {path.name for path in trained.iterdir()} == {"model", "adapter.safetensors", "training.json"}


def test_a_folder_with_another_training_is_refused(backbones, trained):
    with pytest.raises(UsageError, match=f"{trained} holds a retriever that was trained with other settings"):
        train_retriever(pairs()[1:], pairs()[:8], recipe(backbones["bert"], keep=0.5), trained)


def test_the_report_says_what_the_model_was_made_with(trained):
    made = report(trained)
    assert made["settings"]["retriever"]["scale"] == 20.0
    assert made["settings"]["tuning"]["rank"] == 4
    assert {kind: part["count"] for kind, part in made["examples"].items()} == {"train": 24, "valid": 8}
    assert set(made["versions"]) >= {"osler", "torch", "transformers", "sentence-transformers", "peft"}
    assert made["steps"] == 16
    assert [loss["step"] for loss in made["losses"]] == [0, 8, 16]


def test_a_killed_training_of_the_same_recipe_goes_on(backbones, tmp_path):
    def kill(progress) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    straight = train_retriever(pairs(), pairs(), recipe(backbones["bert"]), tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_retriever(pairs(), pairs(), recipe(backbones["bert"]), tmp_path / "killed", on_progress=kill)
    steps = []
    killed = train_retriever(pairs(), pairs(), recipe(backbones["bert"]), tmp_path / "killed", on_progress=steps.append)
    assert steps[0].step == 9
    assert (killed / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


def test_the_prompts_of_a_backbone_are_trained_with_and_kept(backbones, tmp_path):
    model = SentenceTransformer(
        str(backbones["bert"]), device="cpu", prompts={"query": "query: ", "document": "text: "}
    )
    model.save_pretrained(str(tmp_path / "prompted"), create_model_card=False)
    retriever = load_retriever(str(tmp_path / "prompted"), RetrieverSettings())
    assert (retriever.prompts["query"], retriever.prompts["document"]) == ("query: ", "text: ")


class Given(torch.nn.Module):
    """A model whose vectors are given."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}


def features(*columns):
    return [{"vectors": torch.tensor(column)} for column in columns]


def test_a_query_is_compared_with_its_own_negatives_alone():
    loss = ExplicitNegativesLoss(Given(), RetrieverSettings(similarity="dot"))
    queries, positives = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]
    near, far = (loss(features(queries, positives, negatives), None) for negatives in (positives, [[0.0, 0.0]] * 2))
    assert near.item() == pytest.approx(math.log(2))
    assert far.item() == pytest.approx(math.log(1 + math.exp(-2)))
    swapped = features(queries, positives, [[0.0, 9.0], [9.0, 0.0]])  # near the other query only
    assert loss(swapped, None).item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_loss_falls_where_the_positive_comes_nearer():
    """The reference system's loss took a similarity for a distance, and so trained backwards."""
    for similarity in ("cosine", "dot"):
        loss = ExplicitNegativesLoss(Given(), RetrieverSettings(similarity=similarity))
        query = torch.tensor([[1.0, 0.0]])
        positive = torch.tensor([[0.6, 0.8]], requires_grad=True)
        columns = [{"vectors": query}, {"vectors": positive}, {"vectors": torch.tensor([[0.8, -0.6]])}]
        loss(columns, None).backward()
        assert (query * positive.grad).sum() < 0


def test_without_negatives_the_batch_is_compared():
    settings = RetrieverSettings()
    columns = features([[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.0, 1.0]])
    expected = MultipleNegativesRankingLoss(Given(), scale=20.0)(columns, None)
    assert ExplicitNegativesLoss(Given(), settings)(columns, None).item() == pytest.approx(expected.item())


def test_a_recipe_asks_for_it_by_in_batch_negatives():
    own = RetrieverSettings(negatives="bm25", in_batch_negatives=False, batch=4, mini_batch=4)
    assert isinstance(retriever_loss(Given(), own), ExplicitNegativesLoss)
    batch = own.model_copy(update={"in_batch_negatives": True})
    assert isinstance(retriever_loss(Given(), batch), MultipleNegativesRankingLoss)


def tokens(*rows, mask=None):
    """One text a row of 2-dimensional token vectors, as a model gives them."""
    vectors = torch.tensor(rows, dtype=torch.float32)
    return {
        "token_embeddings": vectors,
        "attention_mask": torch.tensor(mask) if mask else torch.ones(vectors.shape[:2]),
    }


EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def test_the_token_loss_is_the_cross_entropy_of_summed_maxsim():
    queries, passages = tokens([EAST, NORTH], [NORTH, NORTH]), tokens([EAST, NORTH], [NORTH, NORTH])
    # MaxSim: the first query scores 2 and 1, the second 2 and 2
    scores = torch.tensor([[2.0, 1.0], [2.0, 2.0]])
    assert token_loss([queries, passages]).item() == pytest.approx(
        functional.cross_entropy(scores, torch.tensor([0, 1])).item()
    )


def test_vectors_are_compared_by_direction_and_padding_never_wins():
    queries = tokens([EAST], [NORTH])
    long = tokens([[3.0, 0.0], [0.0, 9.0]], [[0.0, 3.0], [9.0, 0.0]], mask=[[1, 0], [1, 0]])
    assert token_loss([queries, long]).item() == pytest.approx(
        functional.cross_entropy(torch.eye(2), torch.tensor([0, 1])).item()
    )


def test_each_column_of_negatives_is_compared_with_every_query():
    queries, positives, negatives = (tokens([EAST], [NORTH]) for _ in range(3))
    # the columns of the scores: positive and negative of the first, then of the second
    scores = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    assert token_loss([queries, positives, negatives]).item() == pytest.approx(
        functional.cross_entropy(scores, torch.tensor([0, 2])).item()
    )


def maxsim_hits(folder):
    """Queries whose own passage has the highest MaxSim over the token vectors of the model in this folder."""
    reranker = load_models(str(folder), str(folder)).reranker
    examples = pairs()
    passages = [
        Passage(f"{n}#0", str(n), "", one.positive.text, 0, len(one.positive.text)) for n, one in enumerate(examples)
    ]
    token_vectors = reranker.encode_passages(passages)
    queries = reranker.encode_queries([example.query for example in examples])
    return sum(int(maxsim(query, token_vectors).argmax()) == n for n, query in enumerate(queries))


def test_the_token_vectors_learn_to_rank_too(backbones, tmp_path):
    settings = RetrieverSettings(
        token_weight=1.0, batch=6, mini_batch=6, epochs=4, checkpoint_steps=8, learning_rate=1e-2
    )
    recipe = RecipeSettings(backbone=str(backbones["modernbert"]), tuning=TuningSettings(rank=4), retriever=settings)
    model = train_retriever(pairs(), pairs(), recipe, tmp_path)
    assert maxsim_hits(model) > maxsim_hits(backbones["modernbert"])


def test_both_losses_are_added_with_the_weight(backbones):
    settings = RetrieverSettings(token_weight=0.5, batch=4, mini_batch=4)
    model = load_retriever(str(backbones["modernbert"]), settings).eval()
    columns = [[one.query for one in pairs()[:4]], [one.positive.text for one in pairs()[:4]]]
    features = [model.preprocess(texts) if hasattr(model, "preprocess") else model.tokenize(texts) for texts in columns]
    both = retriever_loss(model, settings)
    assert isinstance(both, TwoHeadLoss)
    alone = MultipleNegativesRankingLoss(model)([dict(one) for one in features], None)
    expected = alone + 0.5 * token_loss([model(dict(one)) for one in features])
    assert both(features, None).item() == pytest.approx(expected.item(), rel=1e-5)
