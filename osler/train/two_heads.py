"""One loss for both heads that a backbone can have: its pooled vectors and its token vectors. Knows no examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.multi_vector_encoder.scoring import colbert_scores
from sentence_transformers.util.tensor import stack_padded_token_embeddings
from torch import Tensor, nn
from torch.nn import functional

Features = dict[str, Tensor]


class TwoHeadLoss(nn.Module):
    """A loss of pooled vectors + token_weight * the cross-entropy of the positive by summed MaxSim, in one pass.

    Both compare a query with every passage of the batch. Token vectors are the backbone's own, of unit length; each
    token counts, [CLS] and [SEP] too, as in a search without a trained head. pooled: a loss of sentence-transformers
    that can be computed from embeddings.
    """

    def __init__(self, model: SentenceTransformer, pooled: Any, *, token_weight: float) -> None:
        super().__init__()
        self.model = model
        self.pooled = pooled
        self.token_weight = token_weight

    def forward(self, sentence_features: Iterable[Features], labels: Tensor) -> Tensor:
        """The loss [] of a batch: its queries first, then its positives, then a column of negatives each."""
        outputs = [self.model(dict(features)) for features in sentence_features]
        pooled: Tensor = self.pooled.compute_loss_from_embeddings(
            [one["sentence_embedding"] for one in outputs], labels
        )
        return pooled + self.token_weight * token_loss(outputs)


def token_loss(outputs: list[Features]) -> Tensor:
    """The cross-entropy [] of each query's first passage among all, over summed MaxSim at scale 1."""
    (queries, query_mask), *passages = [_tokens(one) for one in outputs]
    stacked, mask = stack_padded_token_embeddings(*map(list, zip(*passages, strict=True)))  # [B, N, T, d]
    scores = colbert_scores(queries, stacked, queries_mask=query_mask, documents_mask=mask)  # [B, B * N]
    positives = torch.arange(len(scores), device=scores.device) * len(passages)
    return functional.cross_entropy(scores, positives)


def _tokens(output: Features) -> tuple[Tensor, Tensor]:
    return functional.normalize(output["token_embeddings"], dim=-1), output["attention_mask"].bool()
