"""Text to vectors: a bi-encoder and a ColBERT, on OpenVINO or torch. Knows nothing of files of documents or indexes."""

from osler.models.loading import load_encoder, load_models
from osler.models.pair import ModelPair

__all__ = ["ModelPair", "load_encoder", "load_models"]
