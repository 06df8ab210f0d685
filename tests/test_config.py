import pytest

from osler.config import load_settings
from osler.errors import UsageError


def test_flags_overrule_the_environment_and_that_the_file(tmp_path):
    path = tmp_path / "osler.toml"
    path.write_text("[search]\nk = 1\nnum_candidates = 11\nfusion_constant = 3\n")
    environment = {"OSLER_SEARCH_K": "2", "OSLER_SEARCH_NUM_CANDIDATES": "22"}
    search = load_settings(path, environment=environment, flags={"search": {"k": 4, "candidates": None}}).search
    assert (search.k, search.num_candidates, search.fusion_constant, search.candidates) == (4, 22, 3, "hybrid")


def test_variables_that_name_no_stage_are_left_alone():
    assert load_settings(environment={"OSLER_DATA": "x", "OSLER_CACHE": "y", "HOME": "z"}).search.k == 5


def test_an_unknown_setting_is_named_with_those_that_are_known():
    with pytest.raises(UsageError, match=r"unknown setting 'search.top'.*num_candidates"):
        load_settings(environment={"OSLER_SEARCH_TOP": "1"})


def test_an_unknown_stage_is_named_with_those_that_are_known(tmp_path):
    path = tmp_path / "osler.toml"
    path.write_text("[serch]\nk = 1\n")
    with pytest.raises(UsageError, match=r"unknown setting 'serch'.*search"):
        load_settings(path, environment={})


def test_an_impossible_value_is_named():
    with pytest.raises(UsageError, match="search.k = 0 is not possible"):
        load_settings(environment={}, flags={"search": {"k": 0}})


@pytest.mark.parametrize("content", ["[search", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "osler.toml"
    if content:
        path.write_text(content)
    with pytest.raises(UsageError, match="osler.toml"):
        load_settings(path, environment={})


def test_a_judge_has_neither_the_key_nor_the_model_of_the_one_that_answers():
    environment = {"OSLER_LLM_KEY": "secret", "OSLER_LLM_MODEL": "large", "OSLER_JUDGE_MODEL": "strict"}
    judge = load_settings(environment=environment, flags={"judge": {"url": "http://judge/v1"}}).judge
    assert (judge.url, judge.model, judge.key) == ("http://judge/v1", "strict", "")


def test_the_key_of_an_endpoint_is_not_shown():
    assert "secret" not in repr(load_settings(environment={"OSLER_LLM_KEY": "secret"}))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_threshold_that_nothing_is_below_is_refused(value):
    with pytest.raises(UsageError, match=r"answer.abstain_below = .* is not possible"):
        load_settings(environment={"OSLER_ANSWER_ABSTAIN_BELOW": value})
