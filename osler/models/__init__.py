"""Text to vectors: a bi-encoder and a ColBERT, on OpenVINO or torch. Knows nothing of files of documents or indexes."""

from osler.models.pair import ModelPair, load_encoder, load_models

__all__ = ["ModelPair", "load_encoder", "load_models"]
