"""How records look on a terminal and as JSON. Knows records and Rich; asks nothing of a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from osler.cli.terminal import ERR, OUT, Text, json_line
from osler.records import (
    Answer,
    Citation,
    Document,
    EvidenceSpan,
    Metadata,
    Passage,
    RankedPassage,
    Ranking,
    is_retracted,
    is_true,
)

_EVIDENCE: Final = "bold yellow"
_STRONGEST_WORDS: Final = "bold black on yellow"
_CONTEXT_CHARACTERS: Final = 240
_TITLE_CHARACTERS: Final = 80
_AUTHORS_SHOWN: Final = 3


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on a line of standard output."""
    sys.stdout.write(json_line(values, encoding=sys.stdout.encoding or "utf-8"))


def print_notice(text: str) -> None:
    """A sentence for the person at the terminal, on standard error; elsewhere, as in a log, it is one line."""
    ERR.print(text.replace("\n", " "), soft_wrap=not ERR.is_terminal)


@contextmanager
def working(text: str) -> Iterator[None]:
    """A sign of life on standard error for as long as the block runs."""
    if not ERR.is_terminal:
        print_notice(f"{text} …")
        yield
        return
    with ERR.status(Text(f"{text} …", style="dim")):
        yield


def ranked_json(ranked: RankedPassage) -> dict[str, Any]:
    """A ranked passage as `osler search --json` gives it."""
    passage = ranked.passage
    return {
        "rank": ranked.rank,
        "passage_id": passage.passage_id,
        "doc_id": passage.doc_id,
        "title": passage.title,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "score": ranked.score,
        "candidate_rank": ranked.candidate_rank,
        "candidate_score": ranked.candidate_score,
        "evidence": asdict(ranked.evidence) if ranked.evidence else None,
        "metadata": dict(passage.metadata),
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer as `osler answer --json` gives it."""
    return {
        "question": answer.question,
        "text": answer.text,
        "abstained": answer.abstained,
        "citations": [_citation_json(citation) for citation in answer.citations],
        "warnings": list(answer.warnings),
        "ranked": [ranked_json(ranked) for ranked in answer.ranking.ranked],
    }


def document_json(document: Document) -> dict[str, Any]:
    """A document as `osler show --json` gives it; `start` and `end` of its sections count in `text`."""
    spans = zip(document.sections, document.section_spans, strict=True)
    return {
        "doc_id": document.doc_id,
        "title": document.title,
        "text": document.text,
        "sections": [
            {"heading": section.heading, "start": start, "end": end, "text": section.text}
            for section, (start, end) in spans
        ],
        "identifiers": dict(document.identifiers),
        "metadata": dict(document.metadata),
    }


def print_ranking(ranking: Ranking) -> None:
    """The ranked passages, best first, with the sentence that supports each highlighted."""
    for ranked in ranking.ranked:
        OUT.print(_entry(ranked))
        OUT.print()
    stages = "  ".join(f"{stage} {seconds * 1000:.0f} ms" for stage, seconds in ranking.seconds.items())
    count = len(ranking.ranked)
    ERR.print(
        f"{count} {'passage' if count == 1 else 'passages'}  ·  {stages}", style="dim", soft_wrap=not ERR.is_terminal
    )


def print_answer(answer: Answer) -> None:
    """The question, the answer, then what stands behind each marker."""
    style = "yellow" if answer.abstained else "green"
    OUT.print(Text(answer.question, style="bold"))
    OUT.print(Panel(Text(answer.text), border_style=style))
    passages = {ranked.passage.passage_id: ranked.passage for ranked in answer.ranking.ranked}
    for citation in _first_of_each_marker(answer):
        OUT.print(_citation(citation, passages.get(citation.passage_id)))
    for warning in answer.warnings:
        print_notice(f"note: {warning}")


def print_document(document: Document) -> None:
    """The document with its headings, as a person reads it."""
    OUT.print(Text.assemble((document.doc_id, "cyan"), "  ", (document.title, "bold"), _states(document.metadata)))
    for section in document.sections:
        OUT.print("")
        if section.heading:
            OUT.print(Text(section.heading, style="dim"))
        OUT.print(Text(section.text))
    rows = {**document.identifiers, **document.metadata}
    if authors := _authors(document.metadata):
        rows["authors"] = authors
    OUT.print("")
    for name, value in rows.items():
        OUT.print(Text.assemble((f"{name}: ", "dim"), _value(value)))


def _entry(ranked: RankedPassage) -> Table:
    """The rank, and beside it what was found."""
    entry = Table.grid(padding=(0, 1))
    entry.add_column()
    entry.add_column(overflow="fold")  # an id or a title without spaces is never cut
    shown = [_heading(ranked), *([_excerpt(ranked)] if ranked.passage.text else [])]  # a record may have no abstract
    entry.add_row(Text(f"{ranked.rank}.", style="bold"), Group(*shown))
    return entry


def _heading(ranked: RankedPassage) -> Text:
    passage = ranked.passage
    facts = [_authors(passage.metadata), passage.metadata.get("journal"), passage.metadata.get("year")]
    about = " · ".join(str(fact) for fact in facts if fact)
    scores = f"score {ranked.score:.3f}, candidate {ranked.candidate_rank}"
    title = passage.title or _cut(passage.text, _TITLE_CHARACTERS)
    line = Text.assemble((title, "bold"), "\n", (passage.passage_id, "cyan"))
    if about:
        line.append(f"  {about}", style="dim")
    return line.append(_states(passage.metadata)).append(f"  ({scores})", style="dim")


def _states(metadata: Metadata) -> Text:
    """What a reader must know before resting a claim on the document; nothing where all is well."""
    states = Text()
    if is_retracted(metadata):
        states.append("  RETRACTED", style="bold red")
    if is_true(metadata.get("concern")):
        states.append("  EXPRESSION OF CONCERN", style="bold yellow")
    if is_true(metadata.get("corrected")):
        states.append("  CORRECTED", style="yellow")
    return states


def _authors(metadata: Metadata) -> str:
    """The first three authors, "et al." for the rest."""
    value = metadata.get("authors")
    names = [name for name in (value if isinstance(value, list | tuple) else [value]) if name and isinstance(name, str)]
    shown = "; ".join(names[:_AUTHORS_SHOWN])
    return f"{shown} et al." if len(names) > _AUTHORS_SHOWN else shown


def _excerpt(ranked: RankedPassage) -> Text:
    """The evidence sentence with some of the passage around it."""
    passage, evidence = ranked.passage, ranked.evidence
    if evidence is None or not evidence.text:
        return Text(_cut(passage.text, _CONTEXT_CHARACTERS * 2))
    start, end = evidence.start - passage.start, evidence.end - passage.start
    left = max(0, start - _CONTEXT_CHARACTERS)
    right = min(len(passage.text), end + _CONTEXT_CHARACTERS)
    left = passage.text.find(" ", left, start) + 1 if left else 0
    before = ("… " if left else "") + passage.text[left:start]
    after = passage.text[end:right] if right == len(passage.text) else passage.text[end:right].rpartition(" ")[0] + " …"
    return Text.assemble((before, "dim"), highlighted(evidence), (after, "dim"))


def highlighted(evidence: EvidenceSpan) -> Text:
    """The evidence with the words that the query's tokens matched best standing out."""
    text = Text(evidence.text, style=_EVIDENCE)
    heaviest = max((weight for _, _, weight in evidence.words), default=0.0)
    for start, end, weight in evidence.words:
        if weight >= heaviest / 2:
            text.stylize(_STRONGEST_WORDS, start - evidence.start, end - evidence.start)
    return text


def _citation(citation: Citation, passage: Passage | None) -> Group:
    head = Text.assemble((citation.marker, "bold green"), " ", (citation.doc_id, "cyan"))
    if passage:
        head.append("  ").append(passage.title, style="bold").append(_states(passage.metadata))
    if not citation.supported:
        head.append("  (does not support it)", style="red")
    return Group(Padding(head, (0, 0, 0, 2)), Padding(highlighted(citation.evidence), (0, 0, 0, 6)))


def _first_of_each_marker(answer: Answer) -> list[Citation]:
    seen: dict[str, Citation] = {}
    for citation in answer.citations:
        seen.setdefault(citation.marker, citation)
    return list(seen.values())


def _citation_json(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "passage_id": citation.passage_id,
        "doc_id": citation.doc_id,
        "start": citation.evidence.start,
        "end": citation.evidence.end,
        "text": citation.evidence.text,
        "supported": citation.supported,
    }


def _value(value: Any) -> str:
    """The value of metadata in words: names that hold a comma, as authors do, are set apart by semicolons."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_value(part)}" for name, part in value.items())
    if not isinstance(value, list | tuple):
        return str(value)
    parts = [_value(part) for part in value]
    return ("; " if any("," in part for part in parts) else ", ").join(parts)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size].rsplit(" ", 1)[0] + " …"
