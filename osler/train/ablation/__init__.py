"""An ablation's cells become trained models and measured queries; what cells share is made once."""

from osler.train.ablation.grid import run_ablation

__all__ = ["run_ablation"]
