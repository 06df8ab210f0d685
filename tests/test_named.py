from __future__ import annotations

import numpy as np
import pytest

from osler.late_interaction.named import NamedTokenVectors, either, together
from osler.late_interaction.ragged import divide
from osler.late_interaction.token_vectors import Compression, compress, quantise, vectors_per_token
from osler.records import TokenVectors

IDS, LENGTHS = ["a#0", "b#0", "c#0", "d#0"], [3, 90, 0, 5]


@pytest.fixture(params=[1, 2], ids=["every token", "pooled"])
def whole(request) -> TokenVectors:
    vectors = np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)).astype(np.float32)
    return compress(vectors, LENGTHS, Compression(bits=4, pooling=request.param))


def assert_equal(ours: TokenVectors, theirs: TokenVectors) -> None:
    assert ours.lengths.tolist() == theirs.lengths.tolist()
    assert ours.num_tokens == theirs.num_tokens
    np.testing.assert_array_equal(vectors_per_token(ours), vectors_per_token(theirs))


def test_each_passage_has_its_own_token_vectors(whole):
    named = NamedTokenVectors(IDS, whole)
    assert list(named) == IDS
    for passage_id, part in zip(IDS, divide(whole, [1] * len(IDS)), strict=True):
        assert_equal(named[passage_id], part)


def test_only_passages_that_are_there_have_any(whole):
    named = NamedTokenVectors(IDS, whole)
    assert "a#0" in named
    assert "e#0" not in named
    assert named.get("e#0") is None
    with pytest.raises(KeyError, match="e#0"):
        together(named, ["a#0", "e#0"])


@pytest.mark.parametrize("passage_ids", [IDS, IDS[::-1], IDS[:2], ["d#0", "a#0"], ["b#0", "b#0"]])
def test_in_one_piece_they_are_those_of_a_dictionary_joined(whole, passage_ids):
    named = NamedTokenVectors(IDS, whole)
    assert_equal(together(named, passage_ids), together(dict(named), passage_ids))


def test_all_of_them_in_order_are_not_copied(whole):
    assert together(NamedTokenVectors(IDS, whole), IDS) is whole


def test_ids_and_passages_must_be_as_many(whole):
    with pytest.raises(ValueError, match="3 ids for 4 passages"):
        NamedTokenVectors(IDS[:3], whole)


def test_either_prefers_the_second_and_copies_nothing_beside_an_empty_one(whole):
    named = NamedTokenVectors(IDS, whole)
    fresh = {"a#0": quantise(np.eye(8, dtype=np.float32), [8], bits=4)}
    both = either(named, fresh)
    assert list(both) == IDS
    assert both["a#0"] is fresh["a#0"]
    assert either(named, {}) is named
    assert either({}, named) is named
