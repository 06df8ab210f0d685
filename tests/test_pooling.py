from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from osler.late_interaction.pooling import num_vectors, pool
from osler.late_interaction.token_vectors import Compression, compress, vectors_per_token


def unit_vectors(count: int, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_short_passage_keeps_a_vector_for_every_token():
    vectors = unit_vectors(64)
    found = pool(vectors, [64], factor=4)
    assert found.vectors.tolist() == vectors.tolist()
    assert found.tokens.places.tolist() == list(range(64))


@pytest.mark.parametrize(("tokens", "factor", "left"), [(65, 4, 64), (300, 3, 100), (301, 3, 101), (2000, 2, 256)])
def test_a_long_passage_is_left_with_a_share_of_its_vectors(tokens, factor, left):
    assert num_vectors(tokens, factor) == left
    assert len(pool(unit_vectors(tokens), [tokens], factor=factor).vectors) == left


def test_passages_are_pooled_by_themselves():
    vectors = unit_vectors(290)
    together = pool(vectors, [100, 0, 190], factor=3)
    apart = [pool(part, [len(part)], factor=3) for part in (vectors[:100], vectors[100:])]
    assert together.lengths.tolist() == [64, 0, 64]
    assert together.tokens.counts.tolist() == [100, 0, 190]
    assert together.vectors.tolist() == np.concatenate([part.vectors for part in apart]).tolist()


def test_clusters_are_those_of_ward_with_their_means_at_unit_length():
    vectors = unit_vectors(200)
    found = pool(vectors, [200], factor=2)
    labels = fcluster(linkage(vectors, "ward"), 100, "maxclust")
    for place, vector in enumerate(found.vectors):
        members = np.flatnonzero(found.tokens.places == place)
        assert len(set(labels[members])) == 1
        assert (labels == labels[members[0]]).sum() == len(members)
        mean = vectors[members].mean(axis=0)
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_vectors_are_numbered_by_their_first_tokens():
    places = pool(unit_vectors(200), [200], factor=3).tokens.places.tolist()
    first = [places.index(number) for number in range(max(places) + 1)]
    assert first == sorted(first)


def test_tokens_of_equal_vectors_keep_them():
    vectors = np.repeat(unit_vectors(2), 100, axis=0)
    kept = vectors_per_token(compress(vectors, [200], Compression(bits=32, pooling=2)))
    assert kept == pytest.approx(vectors, abs=1e-6)


def test_no_passages_have_no_vectors():
    found = pool(unit_vectors(0), [], factor=3)
    assert found.vectors.shape == (0, 16)
    assert found.lengths.tolist() == found.tokens.places.tolist() == []


def test_the_vector_of_each_token_is_near_what_it_was():
    centres = unit_vectors(64)
    noise = np.random.default_rng(0).standard_normal((192, 16)).astype(np.float32) * 0.05
    vectors = np.repeat(centres, 3, axis=0) + noise
    kept = vectors_per_token(compress(vectors, [192], Compression(bits=8, pooling=3)))
    assert kept.shape == vectors.shape
    cosines = (kept * vectors).sum(axis=1) / np.linalg.norm(kept, axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.min() > 0.9
