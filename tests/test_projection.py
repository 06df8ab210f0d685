from __future__ import annotations

import numpy as np
import pytest

from osler.train.colbert import principal_projection, rotated


def random_vectors(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


def test_the_columns_are_orthonormal():
    matrix = principal_projection(random_vectors(50, 6), 4)
    assert matrix.shape == (6, 4)
    assert np.allclose(matrix.T @ matrix, np.eye(4), atol=1e-6)


def test_dot_products_are_exact_when_the_rank_is_at_most_dim():
    vectors = random_vectors(20, 2) @ random_vectors(2, 6)
    projected = vectors @ principal_projection(vectors, 2)
    assert np.allclose(projected @ projected.T, vectors @ vectors.T, atol=1e-4)


def test_the_first_column_is_the_direction_of_most_length_not_of_most_variance():
    """A centred analysis would call the first axis constant and drop it; dot products live on it."""
    vectors = np.array([[1, 0.1], [1, -0.1]], dtype=np.float32)
    assert principal_projection(vectors, 1).ravel().tolist() == pytest.approx([1, 0], abs=1e-6)


def test_no_other_projection_of_that_size_keeps_dot_products_better():
    vectors = random_vectors(40, 5) * np.array([5, 4, 3, 2, 1], dtype=np.float32)
    other, _ = np.linalg.qr(random_vectors(5, 2))

    def error(matrix: np.ndarray) -> float:
        projected = vectors @ matrix
        return float(np.linalg.norm(projected @ projected.T - vectors @ vectors.T))

    assert error(principal_projection(vectors, 2)) < error(other.astype(np.float32))


def test_the_largest_component_of_a_column_is_positive():
    matrix = principal_projection(random_vectors(30, 6), 6)
    assert (matrix.max(axis=0) == np.abs(matrix).max(axis=0)).all()


def test_equal_vectors_in_another_order_give_the_same_matrix():
    vectors = random_vectors(30, 4)
    assert np.allclose(principal_projection(vectors, 2), principal_projection(vectors[::-1], 2), atol=1e-5)


@pytest.mark.parametrize("dim", [0, 5])
def test_a_size_that_cannot_be_is_refused(dim):
    with pytest.raises(ValueError, match="choose 1 to 4"):
        principal_projection(random_vectors(3, 4), dim)


def test_rotated_keeps_dot_products_and_evens_out_the_dimensions():
    vectors = random_vectors(400, 64) * np.arange(64, 0, -1, dtype=np.float32)
    matrix = principal_projection(vectors, 32)
    before, after = vectors @ matrix, vectors @ rotated(matrix, seed=3)
    products = before @ before.T
    assert np.allclose(after @ after.T, products, atol=1e-5 * np.abs(products).max())
    uneven, even = (np.ptp(projected.std(axis=0)) for projected in (before, after))
    assert even < 0.5 * uneven


def test_rotated_is_the_same_for_the_same_seed_only():
    matrix = np.eye(6, 4, dtype=np.float32)
    assert np.array_equal(rotated(matrix, seed=3), rotated(matrix, seed=3))
    assert not np.allclose(rotated(matrix, seed=3), rotated(matrix, seed=4))
