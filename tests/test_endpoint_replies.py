"""From an endpoint over a socket to the answer: every reply ends in a checked answer, an abstention or one sentence."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fakes import FakeReranker

import osler.load
from osler.answer.answerer import Answerer
from osler.cli import main
from osler.config import LlmSettings
from osler.errors import GeneratorError
from osler.generators import OpenAIGenerator
from osler.records import EvidenceSpan, Filter, Passage, RankedPassage, Ranking

QUESTION = "Does aspirin prevent a second stroke?"
TEXT = "Patients took aspirin. Aspirin lowered the risk of stroke."
RIGHT = "Aspirin lowered the risk of stroke."
WRONG = "Mead cures every stroke within a week."
CHECKED = "Aspirin lowered the risk of stroke [1]."
QUOTED = "Quoted from PMID:1: “Patients took aspirin.” [1]"

Body = bytes | dict[str, Any] | list[Any]
Reply = Callable[[dict[str, Any]], tuple[int, Body]]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # http.server's name
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.server.reply(request)  # type: ignore[attr-defined]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        # One byte more than there is: the connection breaks off.
        self.send_header("Content-Length", str(len(content) + (content == b"trunc")))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: standard error is looked at."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a reply that is too long is not read to its end."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def url(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    def load(folder: str, settings: Any) -> Answerer:
        return Answerer(search, OpenAIGenerator(settings.llm), FakeReranker())

    monkeypatch.setattr(osler.load, "load_answerer", load)  # the index is none of what is tested here
    monkeypatch.setenv("OSLER_LLM_MODEL", "m")
    return f"http://127.0.0.1:{server.server_port}/v1"


def search(query: str, *, k: int | None = None, where: Filter | None = None) -> Ranking:
    passage = Passage("PMID:1#0", "PMID:1", "Aspirin after stroke", TEXT, 0, len(TEXT))
    evidence = EvidenceSpan(0, 22, TEXT[:22], 0.5)
    return Ranking(query, (RankedPassage(passage, 1, 0.5, 1, 0.02, evidence),))


def says(content: Any, reason: str = "stop", **message: Any) -> tuple[int, Body]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": content, **message}}
    return 200, {"model": "m", "choices": [choice]}


def sentences(text: str, citations: Any) -> str:
    return json.dumps({"sentences": [{"text": text, "citations": citations}]})


GOOD = says(sentences(RIGHT, [1]))


def refusing(status: int, *names: str) -> Reply:
    """Refuses the first of these parameters that the request holds."""

    def reply(request: dict[str, Any]) -> tuple[int, Body]:
        refused = [name for name in names if name in request]
        return (status, {"error": {"message": f"Unsupported parameter: '{refused[0]}'."}}) if refused else GOOD

    return reply


def once(status: int, body: Body) -> Reply:
    """Fails the first time."""
    replies = iter([(status, body)])
    return lambda request: next(replies, GOOD)


MODES: dict[str, tuple[Reply | tuple[int, Body], str]] = {
    "plain": (GOOD, CHECKED),
    "citestr": (says(sentences(WRONG, ["[1]"])), QUOTED),
    "citestr2": (says(sentences(RIGHT, ["1"])), CHECKED),
    "citestr3": (says(sentences(WRONG, ["1"])), QUOTED),
    "citeint": (says(sentences(WRONG, 1)), QUOTED),
    "citestrjoin": (says(sentences(WRONG, "1, 1")), QUOTED),
    "citefloat": (says(sentences(WRONG, [1.0])), QUOTED),
    "citeobj": (says(sentences(WRONG, [{"passage": 1}])), QUOTED),
    "citedocid": (says(sentences(WRONG, ["PMID:1"])), QUOTED),
    "citeunknown": (says(sentences(WRONG, [99])), QUOTED),
    "citeunread": (says(sentences(WRONG, ["the first"])), QUOTED),
    "sourceskey": (says(json.dumps({"sentences": [{"sentence": WRONG, "sources": ["1"]}]})), QUOTED),
    "listcontent": (says([{"type": "text", "text": sentences(RIGHT, [1])}]), CHECKED),
    "thinkingblock": (
        says([{"type": "thinking", "thinking": WRONG}, {"type": "text", "text": f"{RIGHT} [1]"}]),
        CHECKED,
    ),
    "dictcontent": (says({"sentences": [{"text": RIGHT, "citations": [1]}]}), CHECKED),
    "intcontent": (says(5), "is no text"),
    "nomessage": ((200, {"choices": [{"index": 0}]}), "replied with nothing"),
    "nullmessage": ((200, {"choices": [{"message": None}]}), "replied with nothing"),
    "emptychoice": ((200, {"choices": [{}]}), "OpenAI-compatible"),
    "choices5": ((200, {"choices": 5}), "OpenAI-compatible"),
    "badjsonbody": ((200, b'{"choices": [{"message": {"content": "As'), "breaks off"),
    "emptybody": ((200, b""), "OpenAI-compatible"),
    "html": ((200, b"<html><body>Welcome</body></html>"), "OpenAI-compatible"),
    "stream": (
        (200, b'data: {"choices": [{"delta": {"content": "Aspirin lowered the risk of stroke [1]."}}]}\n\n'),
        CHECKED,
    ),
    "huge": ((200, b" " * (2**24 + 1)), "more than 16 MB"),
    "err200": ((200, {"error": "Model overloaded"}), "Model overloaded"),
    "refusal": (says(None, refusal="I cannot give medical advice."), "refused to answer .I cannot give medical advice"),
    "filter": (says("", "content_filter"), "content filter"),
    "toolcalls": (says(None, "tool_calls", tool_calls=[{"id": "1"}]), "called a tool"),
    "length": (says("", "length", reasoning_content="Hm."), "OSLER_LLM_MAX_TOKENS above 400"),
    "trunc": ((200, b"trunc"), "broke off"),
    "r408": (once(408, {"error": "slow"}), CHECKED),
    "r529": (once(529, {"error": "overloaded"}), CHECKED),
    "r529always": ((529, {"error": "overloaded"}), "status 529 .overloaded"),
    "o1": (refusing(400, "max_tokens", "temperature", "seed"), CHECKED),
    "seed400": (refusing(400, "seed"), CHECKED),
    "seed422": (refusing(422, "seed"), CHECKED),
    "schema404": (refusing(404, "response_format"), CHECKED),
    "schema500": (refusing(500, "response_format"), CHECKED),
    "schema501": (refusing(501, "response_format"), CHECKED),
    "nomodel": ((404, {"error": {"message": "model 'm' not found"}}), "no model 'm' there"),
    "closethink": (says(f"Okay, {WRONG} [1] I should answer. </think> {RIGHT} [1]"), CHECKED),
    "closethinkjson": (says(f"{sentences(WRONG, [])}</think>{sentences(RIGHT, [1])}"), CHECKED),
    "thinking": (says(f"<thinking>{WRONG}</thinking>{RIGHT} [1]"), CHECKED),
    "reasoningtag": (says(f"<reasoning>{WRONG}</reasoning>{RIGHT} [1]"), CHECKED),
    "kimi": (says(f"◁think▷{WRONG}◁/think▷{RIGHT} [1]"), CHECKED),
    "harmonytext": (
        says(f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>{RIGHT} [1]"),
        CHECKED,
    ),
    "cutthink": (says(f"<think>{WRONG}", "length"), QUOTED),
    "answerkey": (says(json.dumps({"answer": f"{RIGHT} [1]"})), CHECKED),
    "toplist": (says(json.dumps([{"text": RIGHT, "citations": [1]}])), CHECKED),
    "nullsent": (says('{"sentences": null}'), "abstains"),
    "emptysent": (says('{"sentences": []}'), "abstains"),
    "mdlink": (says("[Aspirin](https://a.org) lowered the risk of **stroke** [1](https://b.org)."), CHECKED),
    "refs": (says(f"{RIGHT} [1]\n\nReferences: Aspirin after stroke (2012) [1]."), CHECKED),
    "declinetext": (says("The passages do not answer the question."), "abstains"),
    "declinejson": (says(sentences("I cannot answer the question from the passages.", [1])), "abstains"),
    "otherjson": (says('{"foo": 1}'), QUOTED),
    "trailcomma": (says(sentences(RIGHT, [1]).replace("]}", "],},")), CHECKED),
    "newlinestr": (says(sentences(RIGHT, [1]).replace(" the", "\nthe")), CHECKED),
    "pydict": (says(str({"sentences": [{"text": RIGHT, "citations": [1]}]})), CHECKED),
    "doubleenc": (says(json.dumps(sentences(RIGHT, [1]))), CHECKED),
    "nul": (says(f"{RIGHT}\x00\x1b[2J [1]"), CHECKED),
}


def outcome(url: str) -> str:
    """The text of the answer in Python, "abstains", or the error."""
    answerer = Answerer(search, OpenAIGenerator(LlmSettings(url=url, model="m")), FakeReranker())
    try:
        answer = answerer.answer(QUESTION)
    except GeneratorError as error:
        return str(error)
    return "abstains" if answer.abstained else answer.text


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_reply_ends_in_a_checked_answer_an_abstention_or_one_sentence(
    mode: str, url: str, server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def reply(request: dict[str, Any]) -> tuple[int, Body]:
        return given(request) if callable(given) else given

    given, expected = MODES[mode]
    server.reply = reply
    text = outcome(url)
    if expected in (CHECKED, QUOTED, "abstains"):
        assert text == expected
    else:
        assert re.search(expected, text)
        assert text.startswith(f"{url}: ")
        assert text.isprintable()
        assert text.endswith(".")

    with pytest.raises(SystemExit) as stop:
        main(["answer", QUESTION, "--generator", url, "--json"])
    printed = capsys.readouterr()
    if stop.value.code == 0:
        answered = json.loads(printed.out)
        assert ("abstains" if answered["abstained"] else answered["text"]) == text
        assert all(citation["supported"] for citation in answered["citations"])
    else:
        assert (stop.value.code, printed.out) == (1, "")
        assert printed.err.splitlines()[-1] == f"osler: {text}"
