"""The loss of a query's own negatives: what it compares, and that it falls where it must."""

import math

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from osler.train.retriever import OwnNegativesLoss, retriever_loss
from osler.train.settings import RetrieverSettings


class Given(torch.nn.Module):
    """A model whose vectors are given."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}


def features(*columns):
    return [{"vectors": torch.tensor(column)} for column in columns]


def test_a_query_is_compared_with_its_own_negatives_alone():
    loss = OwnNegativesLoss(Given(), RetrieverSettings(similarity="dot"))
    queries, positives = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]
    near, far = (loss(features(queries, positives, negatives), None) for negatives in (positives, [[0.0, 0.0]] * 2))
    assert near.item() == pytest.approx(math.log(2))
    assert far.item() == pytest.approx(math.log(1 + math.exp(-2)))
    swapped = features(queries, positives, [[0.0, 9.0], [9.0, 0.0]])  # near the other query only
    assert loss(swapped, None).item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_loss_falls_where_the_positive_comes_nearer():
    """The reference system's loss took a similarity for a distance, and so trained backwards."""
    for similarity in ("cosine", "dot"):
        loss = OwnNegativesLoss(Given(), RetrieverSettings(similarity=similarity))
        query = torch.tensor([[1.0, 0.0]])
        positive = torch.tensor([[0.6, 0.8]], requires_grad=True)
        columns = [{"vectors": query}, {"vectors": positive}, {"vectors": torch.tensor([[0.8, -0.6]])}]
        loss(columns, None).backward()
        assert (query * positive.grad).sum() < 0


def test_without_negatives_the_batch_is_compared():
    settings = RetrieverSettings()
    columns = features([[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.0, 1.0]])
    expected = MultipleNegativesRankingLoss(Given(), scale=20.0)(columns, None)
    assert OwnNegativesLoss(Given(), settings)(columns, None).item() == pytest.approx(expected.item())


def test_a_recipe_asks_for_it_by_compare():
    own = RetrieverSettings(negatives="bm25", compare="own", batch=4, mini_batch=4)
    assert isinstance(retriever_loss(Given(), own), OwnNegativesLoss)
    batch = own.model_copy(update={"compare": "batch"})
    assert isinstance(retriever_loss(Given(), batch), MultipleNegativesRankingLoss)
