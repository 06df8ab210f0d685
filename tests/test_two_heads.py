"""The loss of both heads: its parts by hand, and that it teaches the token vectors of a small real model."""

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.nn import functional
from training_pairs import pairs

from osler.late_interaction.maxsim import maxsim
from osler.models import load_models
from osler.records import Passage
from osler.train.fitting.backbone import load_retriever
from osler.train.retriever import TwoHeadLoss, retriever_loss, token_loss, train_retriever
from osler.train.settings import RecipeSettings, RetrieverSettings, TuningSettings


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
