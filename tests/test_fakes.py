"""The index that the tests of searching trust keeps the contract that every index keeps."""

from __future__ import annotations

import pytest
from fakes import FakeIndex
from index_contract import *  # noqa: F403


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()
