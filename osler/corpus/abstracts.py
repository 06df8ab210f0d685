"""Which abstracts of a citation become its text, and where a structured one comes apart. Knows no file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from osler.records import Section

SUMMARY_HEADING = "Plain-language summary"
_NOT_THERE = re.compile(r"\W*abstract (?:is )?(?:not )?available from the publisher\W*", re.IGNORECASE)
_UNLABELLED = ("UNLABELLED", "UNLABELED", "UNASSIGNED")

# A phrase without small letters behind the end of a sentence. It may hold a question, and numbers: "RESULTS (n = 12)".
_CAPITALS = re.compile(
    r"(?:^|(?<=[.?!…)\]\"'”’»%] )|(?<=\n)|(?<=UNLABELLED: ))"
    r"((?:[^a-zß-öø-ÿ:;.()\n]|\.(?=\S)|\([^():\n]{1,40}\)){3,120}?):\s*(?=[^\s:])"
)
# NLM's list of labels has thousands; these are the words that nearly all of them are made of.
_LABEL_WORDS = """
abstract achievements aim aims analyses analysis antecedentes applicability application approach approaches
assessment assessments ausblick background cadre case cases characteristics clinicaltrials comment comments
comparison conclusao conclusion conclusiones conclusions conclusión conclusoes conclusão conclusões consensus
consequences considerations context contexte contexto contribution contributions counseling course criteria data
definition design diagnosis diagnostics discusión discussion discussão dissemination einleitung endpoint endpoints
ergebnis ergebnisse ethics evaluation evidence experimental exposure exposures features finding findings
fragestellung fundamento fundamentos funding future generalizability goal goals groups highlights hintergrund
hipótesis history hypotheses hypothesis identifier impact implication implications importance indications innovation
innovations interpretation intervention interventions introducao introduccion introducción introduction introdução
justification key keypoints keywords learning lessons level limitation limitations limites localização malades
management materiais material materiales materials meaning measure measurement measurements measures message
messages method methode methoden methodik methodology methods metodo metodologia metodología metodos model méthode
méthodes método métodos necessity novelty objectif objectifs objective objectives objetivo objetivos observation
observations outcome outcomes overview participant participants patient patienten patients perspective perspectives
points population populations practice presentation prevention principle principles problem procedure procedures
prognosis prospects protocol purpose purposes question questions rationale reason reasons recommendation
recommendations reference references registration registry relevance report research result resultado resultados
results review reviewers résultats sample samples schlussfolgerung schlussfolgerungen scope search secondary
selection setting settings significado significance solution source sources statement statistics strategies strategy
strengths study subject subjects summary synopsis synthesis technique techniques testing theory therapy topic
treatment trial unlabeled unlabelled validity variables ziel ziele zielsetzung zusammenfassung
"""
_LABELS = frozenset(_LABEL_WORDS.split())


@dataclass(frozen=True, slots=True)
class OtherAbstract:
    """An abstract that is not the article's own: its kind and language as NLM writes them, and its sections.

    Kinds are `Publisher`, `plain-language-summary`, and the indexing services PIP, KIE, NASA, AAMC and AIDS.
    """

    kind: str
    language: str
    sections: tuple[Section, ...]


def choose_sections(abstract: Sequence[Section], others: Iterable[OtherAbstract]) -> tuple[tuple[Section, ...], str]:
    """The sections of the text, and their language ("" for English, and for an article's own abstract).

    That is the article's own abstract, else those that others wrote in English, and behind it a plain-language summary
    in English. What is in another language is the text only where there is nothing else.

    >>> aims = OtherAbstract("PIP", "eng", (Section("", "Records were compared."),))
    >>> choose_sections((), [aims])
    ((Section(heading='', text='Records were compared.'),), '')
    """
    others = [replace(other, sections=_real(other.sections)) for other in others]
    others = [other for other in others if other.sections]
    english = [other for other in others if other.language.casefold() in ("eng", "en", "")]
    summaries = [other for other in english if other.kind.casefold() == "plain-language-summary"]
    own = tuple(abstract) or _joined(other for other in english if other not in summaries)
    if own or summaries:
        return own + tuple(_under_heading(section) for section in _joined(summaries)), ""
    language = others[0].language if others else ""
    return _joined(other for other in others if other.language == language), language


def heading_of(label: str) -> str:
    """The heading that a label makes, without its colon; "" for those that say there is none.

    >>> heading_of("RESULTS:"), heading_of("UNLABELLED")
    ('RESULTS', '')
    """
    heading = " ".join(label.split()).rstrip(" :")
    return "" if heading.upper() in _UNLABELLED else heading


def labelled_sections(text: str) -> tuple[Section, ...]:
    """The text, apart at the labels of a structured abstract; what may be no label stays in the text.

    A label is in capitals, begins the text or a sentence, ends with a colon, and has a word that labels are made of, or
    is a question. "COVID-19: the disease" and "RNA: a molecule" are none.

    >>> [(part.heading, part.text) for part in labelled_sections("AIMS: To count. MAIN RESULTS (N=12): Four. RNA: no.")]
    [('AIMS', 'To count.'), ('MAIN RESULTS (N=12)', 'Four. RNA: no.')]
    """
    labels = [match for match in _CAPITALS.finditer(text) if _is_label(match[1])]
    starts = [label.start() for label in labels] + [len(text)]
    parts = [Section("", text[: starts[0]].strip())]
    for label, end in zip(labels, starts[1:], strict=True):
        parts.append(Section(heading_of(label[1]), text[label.end() : end].strip()))
    return tuple(part for part in parts if part.text)


def _is_label(phrase: str) -> bool:
    words = re.findall(r"[^\W\d_]+", re.sub(r"\([^()]*\)", " ", phrase).casefold())
    if phrase.rstrip().endswith("?"):
        return len(words) > 2
    return phrase == phrase.strip() and bool(_LABELS.intersection(words))


def _real(sections: Iterable[Section]) -> tuple[Section, ...]:
    return tuple(section for section in sections if section.text and not _NOT_THERE.fullmatch(section.text))


def _joined(abstracts: Iterable[OtherAbstract]) -> tuple[Section, ...]:
    return tuple(section for abstract in abstracts for section in abstract.sections)


def _under_heading(section: Section) -> Section:
    heading = f"{SUMMARY_HEADING} > {section.heading}" if section.heading else SUMMARY_HEADING
    return Section(heading, section.text)
