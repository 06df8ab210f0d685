"""For tests and doctests alike: converted models are kept for one session, doctests write to a folder of their own."""

import os

import pytest

SLOW_FIXTURES = {"backbones", "encoders", "data_folder"}
"""What uses small networks converts or trains them, and real data are read whole: seconds a test."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what uses these fixtures as `slow`, and the doctests of the models, which load one."""
    for item in items:
        loads_a_model = isinstance(item, pytest.DoctestItem) and item.name.startswith("osler.models.")
        if loads_a_model or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def converted_models_of_this_session(tmp_path_factory):
    """Models that the tests convert do not fill the user's cache."""
    os.environ["OSLER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def doctests_write_elsewhere(request, monkeypatch, tmp_path_factory):
    """A doctest that writes a file leaves the checkout as it is."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path_factory.mktemp("doctest"))
