"""The endpoint is a function here: every test says what it replies. No network."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.config import JudgeSettings, LlmSettings
from osler.errors import GeneratorError, MissingDependencyError, ReplyError
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


def sends(body: Any, status: int = 200) -> Callable[[httpx2.Request], httpx2.Response]:
    """A reply with exactly this body: bytes as they are, anything else as JSON."""
    return lambda request: httpx2.Response(status, content=body if isinstance(body, bytes) else json.dumps(body))


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
        (fails(402, "no credits"), "no credits.*OSLER_LLM_URL"),
        (fails(403), "OSLER_LLM_KEY"),
        (fails(405), "OSLER_LLM_URL"),
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


def test_a_missing_package_is_one_sentence_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(says("Yes."))
    generator = endpoint.generator()
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingDependencyError, match="'httpx2' is not installed: run `pip install osler`"):
        generator.complete(MESSAGES)


def test_a_key_is_never_in_the_error() -> None:
    with pytest.raises(GeneratorError) as caught:
        Endpoint(fails(401)).generator(key="sk-secret").complete(MESSAGES)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "It is "}, {"type": "text", "text": "fluid."}], "It is fluid."),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}],
            "Yes.",
        ),
        ([{"type": "reasoning", "text": "Hm."}, {"type": "output_text", "text": {"value": "Yes."}}], "Yes."),
        ([{"text": "Gas.", "thought": True, "type": "text"}, {"text": "Yes."}], "Yes."),
        (["It is ", "fluid."], "It is fluid."),
        ({"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Yes."}]}, "Yes."),
        ({"type": "text", "text": "Yes."}, "Yes."),
        ({"sentences": []}, '{"sentences": []}'),
        ([{"text": "Yes.", "citations": [1]}], '{"text": "Yes.", "citations": [1]}'),
    ],
)
def test_content_in_blocks_is_their_text_without_thoughts(content: Any, text: str) -> None:
    reply = sends({"choices": [{"message": {"role": "assistant", "content": content}}]})
    assert Endpoint(reply).generator().complete(MESSAGES) == text


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"text": "Yes."}]},
        {"choices": [{"message": "Yes."}]},
        {"choices": {"message": {"content": "Yes."}}},
        {"choices": [{"delta": {"content": "Yes."}}]},
        {"message": {"role": "assistant", "content": "Yes."}, "done": True},
        [{"choices": [{"message": {"content": "Yes."}}]}],
        b'\xef\xbb\xbf{"choices": [{"message": {"content": "Yes."}}]}',
        b'data: {"choices": [{"delta": {"content": "Y"}}]}\n\ndata: {"choices": [{"delta": {"content": "es."}}]}\n\n'
        b'data: {"choices": []}\n\ndata: [DONE]\n',
        {"error": None, "choices": [{"message": {"content": "Yes.", "refusal": None}}]},
    ],
)
def test_a_reply_of_another_shape_is_read_where_its_text_can_be_told(body: Any) -> None:
    assert Endpoint(sends(body)).generator().complete(MESSAGES) == "Yes."


def chose(message: Any, reason: str | None = "stop") -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            chose({"content": None, "refusal": "I cannot help with doses."}),
            "refused to answer .I cannot help with doses",
        ),
        (chose({"content": [{"type": "refusal", "refusal": "No doses."}]}), "refused to answer .No doses"),
        (chose({"content": ""}, "content_filter"), "content filter.*OSLER_LLM_URL"),
        (chose({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls"), "called a tool"),
        (chose({"content": ""}, "length"), "replied with nothing.*OSLER_LLM_MAX_TOKENS above 400"),
        (
            chose({"content": "", "reasoning_content": "Hm."}, "length"),
            "did not answer.*OSLER_LLM_MAX_TOKENS above 400",
        ),
        (chose({"content": [{"type": "thinking", "thinking": "Hm."}]}), "did not answer.*OSLER_LLM_MAX_TOKENS"),
        (chose({"content": 5}), "is no text.*OSLER_LLM_MODEL"),
        (chose({"content": True}), "is no text"),
        (chose({}), "replied with nothing"),
        (chose(None), "replied with nothing"),
        (chose(5), "replied with nothing"),
        (b'{"choices": [{"message": {"content": "Asp', "breaks off"),
        (b'{"choices": [{"message": {"content": ' + b"[" * 100_000, "breaks off"),
    ],
)
def test_a_reply_without_text_says_in_the_endpoints_words_why(body: Any, words: str) -> None:
    with pytest.raises(ReplyError, match=words) as caught:
        Endpoint(sends(body)).generator().complete(MESSAGES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"5", b"[]", b"<html>Welcome</html>", b"\xff\xfe", {}, {"choices": 5}, {"choices": [{}]},
     {"choices": []}, {"choices": None}, {"choices": "Yes."}, b"data: [DONE]\n", b": ping\n\n"],
)  # fmt: skip
def test_what_is_no_reply_of_the_chat_api_names_the_variable_of_the_address(body: Any) -> None:
    with pytest.raises(GeneratorError, match="OSLER_LLM_URL"):
        Endpoint(sends(body)).generator().complete(MESSAGES)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "Model overloaded"}, "Model overloaded"),
        ({"error": {"message": "Model overloaded", "code": "busy"}}, "Model overloaded"),
        (
            {"error": {"message": "No such model.", "code": 404}},
            "no model 'llama3' there .No such model.*OSLER_LLM_MODEL",
        ),
        ({"error": {"message": "Bad key", "code": 401}}, "OSLER_LLM_KEY"),
        ({"choices": [{"error": {"message": "Upstream died"}, "finish_reason": "error"}]}, "Upstream died"),
        ({"object": "error", "message": "Model overloaded"}, "Model overloaded"),
        ({"detail": "Model overloaded"}, "Model overloaded"),
        ([{"error": {"message": "Model overloaded"}}], "Model overloaded"),
        (b'data: {"error": {"message": "Model overloaded"}}\n\n', "Model overloaded"),
        (
            b'data: {"choices": [{"delta": {"content": "Ye"}}]}\n\ndata: {"error": {"message": "Provider died"}}\n\n',
            "Provider died",
        ),
    ],
)
def test_an_error_with_status_200_is_an_error_in_the_endpoints_words(body: Any, words: str) -> None:
    with pytest.raises(GeneratorError, match=words):
        Endpoint(sends(body)).generator().complete(MESSAGES)


@pytest.mark.parametrize("error", [httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError])
def test_a_connection_that_breaks_off_is_not_told_as_one_that_never_was(error: type[httpx2.TransportError]) -> None:
    with pytest.raises(GeneratorError, match="broke off") as caught:
        Endpoint(refuses(error)).generator().complete(MESSAGES)
    assert "nothing answers there" not in str(caught.value)


def test_a_reply_without_end_is_one_sentence_and_not_held_in_memory() -> None:
    pieces_sent = []

    def endless() -> Iterator[bytes]:
        while True:
            pieces_sent.append(1)
            yield b" " * 2**20

    with pytest.raises(ReplyError, match="more than 16 MB"):
        Endpoint(lambda request: httpx2.Response(200, content=endless())).generator().complete(MESSAGES)
    assert len(pieces_sent) == 17


@contextmanager
def listening(*pieces: bytes, seconds: float) -> Iterator[str]:
    """The address of an endpoint that sends these pieces again and again, with a wait after each, whatever is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    for piece in chain(pieces, repeat(pieces[-1], 200)):
                        connection.sendall(piece)
                        time.sleep(seconds)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\n", b"x: 1\r\n"),
        (b"HTTP/1.1 102 Processing\r\n\r\n",),
        (b"H", b"T"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b" "),
    ],
)
def test_whatever_drips_the_wait_is_over_in_time(pieces: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    with listening(*pieces, seconds=0.05) as url, pytest.raises(GeneratorError, match="no reply within 0.3 seconds"):
        OpenAIGenerator(LlmSettings(url=url, model="m", timeout=0.3)).complete(MESSAGES)
    assert time.monotonic() - began < 3


def test_a_redirect_to_another_host_is_not_followed() -> None:
    place = b"location: http://localhost:9/v1/chat/completions"
    head = b"HTTP/1.1 307 Temporary Redirect\r\n" + place + b"\r\ncontent-length: 0\r\n\r\n"
    with listening(head, b"", seconds=5) as url, pytest.raises(GeneratorError, match="to another host, localhost;"):
        OpenAIGenerator(LlmSettings(url=url, model="m")).complete(MESSAGES)


@pytest.mark.parametrize("end", ["", 'data: {"choi', ": ping\n\n"])
def test_a_stream_that_breaks_off_is_no_answer(end: str) -> None:
    event = json.dumps({"choices": [{"delta": {"content": "It presses"}}]})
    with pytest.raises(GeneratorError, match="the stream of the reply broke off"):
        Endpoint(sends(f"data: {event}\n\n{end}".encode())).generator().complete(MESSAGES)


@pytest.mark.parametrize("end", ["data: [DONE]", 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'])
def test_a_stream_that_ends_is_an_answer(end: str) -> None:
    event = json.dumps({"choices": [{"delta": {"content": "It presses"}}]})
    assert Endpoint(sends(f"data: {event}\n\n{end}".encode())).generator().complete(MESSAGES) == "It presses"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_json_in_any_unicode_encoding_is_read(encoding: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Naïve."}}]}, ensure_ascii=False).encode(encoding)
    assert Endpoint(sends(body)).generator().complete(MESSAGES) == "Naïve."


@pytest.mark.parametrize(
    ("charset", "text"), [("iso-8859-1", "Na\xefve."), ("none-such", "Na\ufffdve."), ("hex", "Na\ufffdve.")]
)
def test_an_encoding_that_a_reply_names_is_believed(charset: str, text: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Na\xefve."}}]}, ensure_ascii=False).encode("latin-1")
    headers = {"content-type": f"application/json; charset={charset}"}
    reply = httpx2.Response(200, content=body, headers=headers)
    assert Endpoint(lambda request: reply).generator().complete(MESSAGES) == text


@pytest.mark.parametrize("repeated", ["sk-proj-a1b2", "sk-proj-a1b2c3d4e5…", "…c3d4e5f6g7", "sk-proj-***"])
def test_no_part_of_a_key_that_an_endpoint_repeats_is_shown(repeated: str) -> None:
    generator = Endpoint(fails(401, f"Incorrect API key: {repeated}.")).generator(key="sk-proj-a1b2c3d4e5f6g7")
    with pytest.raises(GeneratorError) as caught:
        generator.complete(MESSAGES)
    assert "a1b2" not in str(caught.value)
    assert "e5f6" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://me:secret@127.0.0.1:zz", "socks9://secret@x", "://secret"])
def test_a_proxy_that_is_none_is_named_by_its_variable_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(GeneratorError, match="the proxy that HTTP_PROXY") as caught:
        OpenAIGenerator(LlmSettings(url=URL, model="m")).complete(MESSAGES)
    assert "secret" not in str(caught.value)


def test_a_reply_that_drips_is_given_up_when_the_wait_is_over() -> None:
    def dripping() -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b" "

    with pytest.raises(GeneratorError, match="no reply within 0.1 seconds"):
        Endpoint(lambda request: httpx2.Response(200, content=dripping())).generator(timeout=0.1).complete(MESSAGES)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_every_status_that_goes_away_by_waiting_is_asked_again(status: int) -> None:
    endpoint = Endpoint(fails(status, "overloaded", **{"retry-after": "0"}), says("Yes."))
    assert endpoint.generator().complete(MESSAGES) == "Yes."


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("1.5", 1.5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("nan", 1.0),
        ("-1", 1.0),
        ("soon", 1.0),
        ("", 1.0),
    ],
)
def test_a_busy_endpoint_is_given_the_time_it_asks_for_or_a_second(
    monkeypatch: pytest.MonkeyPatch, retry_after: str, seconds: float
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    busy = fails(529, "busy", **{"retry-after": retry_after})
    assert Endpoint(busy, says("Yes.")).generator().complete(MESSAGES) == "Yes."
    assert waits == [seconds]


def refusing(*names: str, status: int = 400, words: str = "Unsupported parameter: '{}'.") -> Any:
    """An endpoint that refuses the first of these parameters that a request holds, and answers one that holds none."""

    def reply(request: httpx2.Request) -> httpx2.Response:
        refused = [name for name in names if name in json.loads(request.content)]
        answer = fails(status, words.format(refused[0]), **{"retry-after": "0"}) if refused else says("Yes.")
        return answer(request)

    return reply


@pytest.mark.parametrize("status", [400, 404, 422, 500, 501])
@pytest.mark.parametrize("name", ["temperature", "seed", "response_format", "max_tokens"])
def test_a_parameter_that_an_endpoint_refuses_is_left_out_from_then_on(name: str, status: int) -> None:
    endpoint = Endpoint(refusing(name, status=status))
    generator = endpoint.generator()
    assert generator.complete(MESSAGES, schema=SCHEMA) == "Yes."
    assert generator.complete(MESSAGES, schema=SCHEMA) == "Yes."
    assert [name in endpoint.sent(number) for number in range(len(endpoint.requests))] == [True, False, False]
    others = {"temperature", "seed", "response_format", "max_tokens"} - {name}
    assert others <= endpoint.sent(2).keys()


def test_max_tokens_goes_by_its_newer_name_where_the_older_is_refused() -> None:
    words = "Unsupported parameter: '{}' is not supported with this model. Use 'max_completion_tokens' instead."
    endpoint = Endpoint(refusing("max_tokens", "temperature", "seed", words=words.replace("Use", "Try")))
    assert endpoint.generator(max_tokens=50).complete(MESSAGES) == "Yes."
    assert endpoint.sent(-1) == {"model": "llama3", "messages": list(MESSAGES), "max_completion_tokens": 50}


def test_an_endpoint_that_takes_nothing_but_messages_is_given_nothing_else() -> None:
    endpoint = Endpoint(refusing("max_tokens", "max_completion_tokens", "temperature", "seed", "response_format"))
    assert endpoint.generator().complete(MESSAGES, schema=SCHEMA) == "Yes."
    assert endpoint.sent(-1) == {"model": "llama3", "messages": list(MESSAGES)}


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        {"error": {"message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}},
        [{"error": {"code": 400, "message": 'Unknown name "seed"', "status": "INVALID_ARGUMENT"}}],
        {"error": {"message": "Provider returned error", "metadata": {"raw": "seed is not supported"}}},
        {"message": "unknown field", "param": "seed"},
    ],
)
def test_an_error_names_a_parameter_in_many_places(body: Any) -> None:
    endpoint = Endpoint(sends(body, 422), says("Yes."))
    assert endpoint.generator().complete(MESSAGES) == "Yes."
    assert "seed" not in endpoint.sent(1)


def test_several_parameters_refused_in_one_error_are_all_left_out() -> None:
    """The same list is sent again, as by a proxy that keeps it, until none of its parameters is there."""
    body = {
        "detail": [{"loc": ["body", name], "msg": "Extra inputs are not permitted"} for name in ("seed", "max_tokens")]
    }

    def reply(request: httpx2.Request) -> httpx2.Response:
        refused = {"seed", "max_tokens"} & json.loads(request.content).keys()
        return (sends(body, 422) if refused else says("Yes."))(request)

    assert Endpoint(reply).generator().complete(MESSAGES) == "Yes."


@pytest.mark.parametrize(
    "words",
    [
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "System role not supported",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "messages.0.role: Input should be 'user' or 'assistant'",
    ],
)
def test_where_the_role_of_the_system_is_refused_its_words_begin_the_first_turn(words: str) -> None:
    endpoint = Endpoint(fails(400, words), says("Yes."))
    generator = endpoint.generator()
    assert generator.complete([{"role": "system", "content": "Be brief."}, *MESSAGES]) == "Yes."
    assert endpoint.sent(1)["messages"] == [{"role": "user", "content": "Be brief.\n\nWhat is scurvy?"}]
    assert endpoint.sent(1)["seed"] == 42


@pytest.mark.parametrize("status", [404, 500, 501])
def test_a_schema_may_be_refused_without_a_word_of_it(status: int) -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        schema = "response_format" in json.loads(request.content)
        return (fails(status, "No endpoints found", **{"retry-after": "0"}) if schema else says("Yes."))(request)

    assert Endpoint(reply).generator().complete(MESSAGES, schema=SCHEMA) == "Yes."


def test_a_missing_model_is_told_as_such_though_a_schema_was_sent() -> None:
    endpoint = Endpoint(fails(404, "model 'llama3' not found, try pulling it first"))
    with pytest.raises(GeneratorError, match="no model 'llama3' there .*not found.*OSLER_LLM_MODEL"):
        endpoint.generator().complete(MESSAGES, schema=SCHEMA)
    assert len(endpoint.requests) == 2


def test_the_error_told_is_the_first_that_leaving_something_out_did_not_mend() -> None:
    endpoint = Endpoint(fails(400, "Unsupported: seed"), fails(400, "too long"), fails(400, "something else"))
    with pytest.raises(ReplyError, match="too long"):
        endpoint.generator().complete(MESSAGES, schema=SCHEMA)


def test_empty_settings_are_not_sent() -> None:
    endpoint = Endpoint(says("Yes."))
    endpoint.generator(temperature="none", seed="", max_tokens=None).complete(MESSAGES)
    assert endpoint.sent(0) == {"model": "llama3", "messages": list(MESSAGES)}


def test_no_variable_of_another_client_reaches_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "CUSTOM_HEADERS", "BASE_URL", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "https://x-strange.example: another")
    endpoint = Endpoint(says("Yes."))
    endpoint.generator(key="mine").complete(MESSAGES)
    (request,) = endpoint.requests
    assert request.headers["authorization"] == "Bearer mine"
    assert request.url == f"{URL}/chat/completions"
    assert "another" not in str(list(request.headers.raw))
    assert not [name for name in request.headers if name.startswith(("x-", "openai"))]


@pytest.mark.parametrize(
    "key", ["sk-1234567\n", "\nsk-1234567", "sk-1234567\r", "sk-12345é", "sk-1234567 ", "“sk-1234567”"]
)
def test_a_key_that_no_header_can_carry_is_one_sentence_that_does_not_show_it(key: str) -> None:
    with pytest.raises(GeneratorError, match="key in OSLER_LLM_KEY holds") as caught:
        Endpoint(says("Yes.")).generator(key=key).complete(MESSAGES)
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        fails(400, "Incorrect API key provided: sk-very-secret"),
        fails(401, "sk-very-secret is wrong, and so is hunter2-hunter2 of query-secret"),
        refuses(httpx2.ConnectError),
        refuses(httpx2.ReadTimeout),
        refuses(httpx2.ReadError),
        says(""),
        sends(b""),
        sends({"error": "no sk-very-secret"}),
    ],
)
def test_no_error_shows_the_key_the_password_or_the_query_of_the_url(reply: Any) -> None:
    url = "http://me:hunter2-hunter2@llm.example/v1?key=query-secret"
    with pytest.raises(GeneratorError) as caught:
        Endpoint(reply).generator(url=url, key="sk-very-secret").complete(MESSAGES)
    assert "http://***@llm.example/v1?key=***: " in str(caught.value)
    assert not [word for word in ("sk-very", "hunter2", "query-secret") if word in str(caught.value)]


@pytest.mark.parametrize(
    "url", ["http://bob:hunter2@h/v1", "//bob:hunter2@h/v1", "http://h/v1?key=hunter2", "http://h/v1"]
)
def test_no_error_repeats_a_short_secret_that_an_endpoint_or_a_client_names(url: str) -> None:
    words = f"no Bearer hunter2, no Basic Ym9iOmh1bnRlcjI= at {url}\nfor http://hunter2@h/v1"
    with pytest.raises(GeneratorError) as caught:
        Endpoint(fails(401, words)).generator(url=url, key="hunter2").complete(MESSAGES)
    assert not [word for word in ("hunter2", "Ym9i", "\n") if word in str(caught.value)]


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://h:99999999/v1", "ftp://h/v1", "http://", "http://a b/v1", f"http://{'a' * 70}.org/v1"],
)
def test_what_is_no_address_is_one_sentence(url: str) -> None:
    with pytest.raises(GeneratorError, match="OSLER_LLM_URL"):
        OpenAIGenerator(LlmSettings(url=url, model="m", timeout=2)).complete(MESSAGES)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://llm.example/v1/", "http://llm.example/v1/chat/completions"),
        ("http://llm.example/v1/chat/completions", "http://llm.example/v1/chat/completions"),
        ("http://llm.example/v1?api-version=1", "http://llm.example/v1/chat/completions?api-version=1"),
    ],
)
def test_the_address_may_end_in_a_slash_the_whole_path_or_a_query(url: str, asked: str) -> None:
    endpoint = Endpoint(says("Yes."))
    endpoint.generator(url=url).complete(MESSAGES)
    assert str(endpoint.requests[0].url) == asked


def test_the_words_of_an_endpoint_are_short_and_hold_no_control_characters() -> None:
    with pytest.raises(GeneratorError) as caught:
        Endpoint(fails(400, "bad\x1b[2J\u202e request\n" + "very " * 99)).generator().complete(MESSAGES)
    assert str(caught.value).isprintable()
    assert "bad" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_endpoint_that_does_not_list_its_models_says_how_to_name_one(status: int) -> None:
    with pytest.raises(GeneratorError, match="does not list its models.*OSLER_LLM_MODEL"):
        Endpoint(fails(status)).generator(model="").complete(MESSAGES)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", {"data": None}, {"data": [5, {}]}, {"data": 7}, b"[" * 99_999])
def test_a_list_of_models_that_names_none_is_one_sentence(body: Any) -> None:
    with pytest.raises(GeneratorError, match="offers no model"):
        Endpoint(sends(body)).generator(model="").complete(MESSAGES)


def test_the_models_of_ollamas_own_list_count() -> None:
    endpoint = Endpoint(sends({"models": [{"name": "llama3:8b"}]}), says("Yes."))
    endpoint.generator(model="").complete(MESSAGES)
    assert endpoint.sent(1)["model"] == "llama3:8b"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.sampled_from(["choices", "message", "content", "text", "type", "error", "code", "delta"]),
                         inner, max_size=4), max_leaves=12))  # fmt: skip
def test_no_body_raises_anything_but_errors_that_a_user_can_mend(body: Any) -> None:
    with suppress(GeneratorError):
        assert Endpoint(sends(body)).generator().complete(MESSAGES).strip()
