import pytest

from osler.config import LlmSettings, Settings, load_settings
from osler.errors import UsageError


def test_flags_overrule_the_environment_and_that_the_file(tmp_path):
    path = tmp_path / "osler.toml"
    path.write_text("[search]\nk = 1\nnum_candidates = 11\nlexical_weight = 0.3\n")
    environment = {"OSLER_SEARCH_K": "2", "OSLER_SEARCH_NUM_CANDIDATES": "22"}
    search = load_settings(path, environment=environment, flags={"search": {"k": 4, "candidates": None}}).search
    assert (search.k, search.num_candidates, search.lexical_weight, search.candidates) == (4, 22, 0.3, "hybrid")


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


@pytest.mark.parametrize(
    ("stage", "name", "value"),
    [
        ("search", "k", 2**32),
        ("search", "k", -1),
        ("search", "num_candidates", 2**64),
        ("search", "num_candidates", 0),
        ("search", "lexical_weight", "inf"),
        ("search", "lexical_weight", "nan"),
        ("search", "stage1_weight", "nan"),
        ("search", "lexical_weight", 10**30),
        ("answer", "abstain_below", "nan"),
        ("index", "commit_passages", 2**40),
        ("split", "max_tokens", 2**32),
        ("llm", "timeout", 1e10),
        ("judge", "timeout", 2**31),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_limit(stage, name, value):
    with pytest.raises(UsageError, match=rf"{stage}.{name} = .* is not possible \(input should be "):
        load_settings(environment={f"OSLER_{stage}_{name}".upper(): str(value)})


@pytest.mark.parametrize(
    ("stages", "name"),
    [
        ({"search": {"k": -1}}, "search.k = -1"),
        ({"llm": {"timeout": 1e300}}, "llm.timeout = 1e[+]300"),
        ({"models": {"device": "tpu"}}, "models.device = 'tpu'"),
        ({"searches": {}}, "unknown setting 'searches'"),
        ({"search": {"K": 3}}, "unknown setting 'search.K'"),
        ({"search": 3}, "search = 3"),
    ],
)
def test_python_is_told_of_a_setting_that_cannot_be_meant_in_the_same_words(stages, name):
    with pytest.raises(UsageError, match=f"^{name}"):
        Settings(**stages)


@pytest.mark.parametrize("written", ["", "none", " None ", "null"])
def test_a_setting_of_the_request_can_be_left_out(written):
    environment = {"OSLER_LLM_TEMPERATURE": written, "OSLER_LLM_SEED": written, "OSLER_LLM_MAX_TOKENS": written}
    llm = load_settings(environment=environment).llm
    assert (llm.temperature, llm.seed, llm.max_tokens) == (None, None, None)


def test_a_settings_file_can_leave_the_seed_out_and_the_environment_bring_it_back(tmp_path):
    path = tmp_path / "osler.toml"
    path.write_text('[llm]\nseed = "none"\n')
    assert load_settings(path, environment={}).llm.seed is None
    assert load_settings(path, environment={"OSLER_LLM_SEED": "3"}).llm.seed == 3


@pytest.mark.parametrize("setting", ["TEMPERATURE", "TIMEOUT"])
@pytest.mark.parametrize("value", ["nan", "inf", "warm"])
def test_a_number_of_the_request_is_a_number(setting, value):
    with pytest.raises(UsageError, match=f"OSLER_LLM_{setting}"):
        load_settings(environment={f"OSLER_LLM_{setting}": value})


@pytest.mark.parametrize(
    "content",
    [
        '[llm]\nkey = ["sk-secret"]',
        '[judge]\nkey = {a = "sk-secret"}',
        'llm = "sk-secret"',
        '[llm]\nurl = ["sk-secret"]',
    ],
)
def test_a_key_of_the_wrong_type_is_named_and_never_shown(tmp_path, content):
    path = tmp_path / "osler.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match="not possible") as caught:
        load_settings(path, environment={})
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("settings", [lambda: LlmSettings(key=["sk-secret"]), lambda: Settings(llm={"key": 5157})])
def test_neither_does_python_show_a_key_of_the_wrong_type(settings):
    with pytest.raises((ValueError, UsageError), match="key") as caught:
        settings()
    assert "sk-secret" not in str(caught.value)
    assert "5157" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("https://me:secret@llm/v1", "https://***@llm/v1"),
        ("https://secret@llm/v1", "https://***@llm/v1"),
        ("https://me:sec/ret?@llm/v1", "https://***@llm/v1"),
        ("https://llm/v1?key=secret&api-version=secret=", "https://llm/v1?key=***&api-version=***"),
        ("https://llm/v1?secret#secret", "https://llm/v1?***#***"),
        ("me:secret@llm", "***@llm"),
        ("https://llm/@cf/v1", "https://llm/@cf/v1"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert LlmSettings(url=url).shown_url == shown
