"""The endpoint is a function here: every test says what it replies. No network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from osler.config import JudgeSettings, LlmSettings
from osler.errors import GeneratorError, ReplyError
from osler.generators.openai import OpenAIGenerator

MESSAGES = ({"role": "user", "content": "What is scurvy?"},)
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
URL = "http://llm.example/v1"


class Endpoint:
    """Keeps the requests it gets and replies to the n-th with what the n-th of `replies` says, the last for good."""

    def __init__(self, *replies: Callable[[httpx2.Request], httpx2.Response]) -> None:
        self.replies = replies
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.replies[min(len(self.requests), len(self.replies)) - 1](request)

    def sent(self, number: int) -> Any:
        return json.loads(self.requests[number].content)

    def generator(self, **settings: Any) -> OpenAIGenerator:
        client = httpx2.Client(transport=httpx2.MockTransport(self))
        return OpenAIGenerator(LlmSettings(**{"url": URL, "model": "llama3", **settings}), http_client=client)


def says(text: str | None, reason: str = "stop") -> Callable[[httpx2.Request], httpx2.Response]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "llama3", "choices": [choice]}
    return lambda request: httpx2.Response(200, json=body)


def fails(status: int, message: str = "no", **headers: str) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda request: httpx2.Response(status, json={"error": {"message": message}}, headers=headers)


def refuses(error: type[httpx2.TransportError]) -> Callable[[httpx2.Request], httpx2.Response]:
    def reply(request: httpx2.Request) -> httpx2.Response:
        raise error("refused", request=request)

    return reply


def test_the_settings_go_out_with_the_messages() -> None:
    endpoint = Endpoint(says("A lack of vitamin C."))
    assert endpoint.generator(seed=7, max_tokens=50).complete(MESSAGES) == "A lack of vitamin C."
    assert endpoint.sent(0) == {
        "model": "llama3",
        "messages": list(MESSAGES),
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 50,
    }


def test_a_schema_goes_out_as_a_strict_response_format() -> None:
    endpoint = Endpoint(says("{}"))
    endpoint.generator().complete(MESSAGES, schema=SCHEMA)
    sent = endpoint.sent(0)["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize("status", [400, 422])
def test_an_endpoint_that_rejects_schemas_is_asked_without_one_from_then_on(status: int) -> None:
    endpoint = Endpoint(fails(status, "response_format is not supported"), says("free text"))
    generator = endpoint.generator()
    assert generator.complete(MESSAGES, schema=SCHEMA) == "free text"
    generator.complete(MESSAGES, schema=SCHEMA)
    assert ["response_format" in endpoint.sent(number) for number in range(3)] == [True, False, False]


def test_a_request_that_is_wrong_for_another_reason_leaves_schemas_on() -> None:
    endpoint = Endpoint(fails(400, "too long"), fails(400, "too long"), says("{}"))
    generator = endpoint.generator()
    with pytest.raises(GeneratorError, match="too long.*OSLER_ANSWER_PASSAGE_TOKENS"):
        generator.complete(MESSAGES, schema=SCHEMA)
    generator.complete(MESSAGES, schema=SCHEMA)
    assert "response_format" in endpoint.sent(2)


def test_without_a_model_the_first_that_the_endpoint_offers_is_asked() -> None:
    models = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in ("llama3:8b", "other")]
    endpoint = Endpoint(lambda request: httpx2.Response(200, json={"object": "list", "data": models}), says("Yes."))
    endpoint.generator(model="").complete(MESSAGES)
    assert endpoint.requests[0].url.path == "/v1/models"
    assert endpoint.sent(1)["model"] == "llama3:8b"


def test_the_model_of_a_reply_is_known_by_the_name_that_the_endpoint_gives_it() -> None:
    generator = Endpoint(says("Yes.")).generator(model="latest")
    generator.complete(MESSAGES)
    assert (generator.model, generator.replied_by) == ("latest", "llama3")


def test_an_endpoint_without_models_says_how_to_name_one() -> None:
    endpoint = Endpoint(lambda request: httpx2.Response(200, json={"object": "list", "data": []}))
    with pytest.raises(GeneratorError, match="OSLER_LLM_MODEL"):
        endpoint.generator(model="").complete(MESSAGES)


def test_an_empty_key_is_allowed_and_a_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key for another endpoint")
    endpoint = Endpoint(says("Yes."))
    endpoint.generator().complete(MESSAGES)
    endpoint.generator(key="secret").complete(MESSAGES)
    assert [request.headers["authorization"] for request in endpoint.requests] == ["Bearer none", "Bearer secret"]


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (refuses(httpx2.ConnectError), "OSLER_LLM_URL"),
        (refuses(httpx2.ReadTimeout), "OSLER_LLM_TIMEOUT"),
        (fails(401), "OSLER_LLM_KEY"),
        (fails(403), "OSLER_LLM_KEY"),
        (fails(404, "model not found"), "OSLER_LLM_MODEL"),
        (says(None, reason="length"), "OSLER_LLM_MAX_TOKENS"),
        (lambda request: httpx2.Response(200, html="<p>Welcome</p>"), "OSLER_LLM_URL"),
        (lambda request: httpx2.Response(200, json={"hello": "world"}), "OSLER_LLM_URL"),
    ],
)
def test_a_failure_is_one_sentence_with_the_endpoint_and_the_variable_to_set(reply: Any, remedy: str) -> None:
    endpoint = Endpoint(reply)
    with pytest.raises(GeneratorError, match=remedy) as caught:
        endpoint.generator().complete(MESSAGES)
    assert str(caught.value).startswith(f"{URL}: ")
    assert "\n" not in str(caught.value)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(says(""), ReplyError), (fails(400), ReplyError), (fails(401), GeneratorError), (fails(404), GeneratorError)],
)
def test_what_may_be_wrong_with_one_request_alone_is_told_from_what_stops_all(reply: Any, kind: type) -> None:
    with pytest.raises(GeneratorError) as caught:
        Endpoint(reply).generator().complete(MESSAGES)
    assert type(caught.value) is kind


@pytest.mark.parametrize("reply", [fails(401), fails(404), fails(400), fails(429, **{"retry-after": "99"}), says("")])
def test_the_error_of_a_judge_names_the_judges_variables(reply: Any) -> None:
    client = httpx2.Client(transport=httpx2.MockTransport(reply))
    judge = OpenAIGenerator(JudgeSettings(url=URL, model="strict"), http_client=client)
    with pytest.raises(GeneratorError, match="OSLER_JUDGE_") as caught:
        judge.complete(MESSAGES)
    assert "OSLER_LLM_" not in str(caught.value)


def test_a_busy_endpoint_is_asked_again() -> None:
    busy = fails(429, "slow down", **{"retry-after": "0"})
    endpoint = Endpoint(busy, fails(503, "loading", **{"retry-after": "0"}), says("Yes."))
    assert endpoint.generator().complete(MESSAGES) == "Yes."


def test_an_endpoint_that_stays_busy_is_given_up() -> None:
    endpoint = Endpoint(fails(503, "loading model", **{"retry-after": "0"}))
    with pytest.raises(GeneratorError, match="503 .*loading model"):
        endpoint.generator().complete(MESSAGES)
    assert len(endpoint.requests) == 3


def test_an_endpoint_that_asks_for_a_long_wait_is_given_up_at_once() -> None:
    endpoint = Endpoint(fails(429, "daily limit", **{"retry-after": "3600"}))
    with pytest.raises(GeneratorError, match="daily limit"):
        endpoint.generator().complete(MESSAGES)
    assert len(endpoint.requests) == 1


def test_a_key_is_never_in_the_error() -> None:
    with pytest.raises(GeneratorError) as caught:
        Endpoint(fails(401)).generator(key="sk-secret").complete(MESSAGES)
    assert "sk-secret" not in str(caught.value)
