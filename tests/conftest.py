"""What tests of several modules share: the folder of real data, and small models."""

import os
from pathlib import Path

import pytest

from osler.models.openvino import disable_telemetry

disable_telemetry()  # before a test imports openvino itself: each conversion would fork the process fifty times
pytest.register_assert_rewrite("index_contract")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that OSLER_DATA names; a test that asks for it is skipped where that is not set."""
    folder = os.environ.get("OSLER_DATA")
    if not folder:
        pytest.skip("real data: set OSLER_DATA to the folder that holds the data sets")
    assert Path(folder).is_dir(), f"OSLER_DATA={folder} is not a folder"
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def backbones(tmp_path_factory) -> dict[str, Path]:
    """A small ModernBERT and a small BERT with random weights."""
    import tiny_models

    folder = tmp_path_factory.mktemp("backbones")
    return {"modernbert": tiny_models.modernbert(folder / "modernbert"), "bert": tiny_models.bert(folder / "bert")}
