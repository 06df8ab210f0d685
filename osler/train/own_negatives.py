"""A loss of each query's own negatives alone: no other passage of the batch is compared with it. Knows no examples.

What random or BM25 negatives do is otherwise hidden by those of the batch, which are random passages too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import cos_sim, dot_score, pairwise_cos_sim, pairwise_dot_score
from torch import Tensor, nn
from torch.nn import functional

from osler.train.settings import RetrieverSettings


class OwnNegativesLoss(nn.Module):
    """Cross-entropy of the positive among it and the negatives of its own query, over scale * similarity.

    Examples without negatives are compared within the batch: so checkpoints are measured as those of a training with
    in-batch negatives are.
    """

    def __init__(self, model: SentenceTransformer, settings: RetrieverSettings) -> None:
        super().__init__()
        self.model = model
        self.scale = settings.resolved_scale
        cosine = settings.similarity == "cosine"
        self.similarity: Any = pairwise_cos_sim if cosine else pairwise_dot_score
        within: Any = cos_sim if cosine else dot_score
        self.in_batch: Any = MultipleNegativesRankingLoss(model, scale=self.scale, similarity_fct=within)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss [] of a batch: its queries first, then its positives, then a column of negatives each."""
        vectors = [self.model(dict(features))["sentence_embedding"] for features in sentence_features]
        queries, *passages = vectors
        if len(passages) == 1:
            within: Tensor = self.in_batch.compute_loss_from_embeddings(vectors, labels)
            return within
        scores = torch.stack([self.similarity(queries, column) for column in passages], dim=1)  # [B, 1 + N]
        first = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        return functional.cross_entropy(self.scale * scores, first)
