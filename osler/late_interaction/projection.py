"""Fewer dimensions for token vectors, without training. Knows a matrix of vectors, nothing of the model behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from osler.records import Vectors


def principal_projection(vectors: Vectors, dim: int) -> NDArray[np.float32]:
    """The matrix [D, dim] that keeps most of the vectors [T, D]: `vectors @ matrix` are their principal components.

    Its columns are the top eigenvectors of the second-moment matrix, uncentred because MaxSim compares dot products
    and these are kept best so (Eckart and Young, 1936). Components are shorter than the vectors: divide each row by
    its length afterwards, so that a dot product is a cosine again. Signs are fixed (the largest component of a column
    is positive), so equal vectors give an equal matrix. ValueError when dim is not between 1 and D.

    >>> vectors = np.array([[3, 4], [6, 8]], dtype=np.float32)
    >>> (vectors @ principal_projection(vectors, 1)).round(4).tolist()
    [[5.0], [10.0]]
    """
    if not 1 <= dim <= vectors.shape[1]:
        raise ValueError(f"dim = {dim} is not possible: choose 1 to {vectors.shape[1]}, the size of the vectors.")
    wide = vectors.astype(np.float64)
    _, eigenvectors = np.linalg.eigh(wide.T @ wide)  # ascending eigenvalues
    top = eigenvectors[:, ::-1][:, :dim]
    largest = np.abs(top).argmax(axis=0)
    signs = np.sign(top[largest, np.arange(dim)])
    matrix: NDArray[np.float32] = (top * signs).astype(np.float32)
    return matrix


def rotated(matrix: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """The projection [D, dim] with its dimensions mixed by a random rotation.

    Dot products stay what they are. Principal components vary less and less from first to last, and a scale for all
    of a vector's components serves few bits badly; mixed, every dimension varies about as much. The rotation is drawn
    evenly from all of them (Stewart, 1980: the Q of Gaussian numbers, signs fixed by R).

    >>> turned = rotated(np.eye(3, dtype=np.float32), seed=1)
    >>> np.allclose(turned @ turned.T, np.eye(3), atol=1e-6)
    True
    """
    dim = matrix.shape[1]
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    turned: NDArray[np.float32] = (matrix @ (q * np.sign(np.diagonal(r)))).astype(np.float32)
    return turned
