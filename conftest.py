"""For tests and doctests alike: converted models are kept for one session, doctests write to a folder of their own."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def converted_models_of_this_session(tmp_path_factory):
    """Models that the tests convert do not fill the user's cache."""
    os.environ["OSLER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def doctests_write_elsewhere(request, monkeypatch, tmp_path_factory):
    """A doctest that writes a file leaves the checkout as it is."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path_factory.mktemp("doctest"))
