"""When to give no answer: the best passage scores too low, or the language model declines; and what is said instead.

A model declines in a sentence about the passages as such, about the question or about itself. A finding can be negative
too: "The trial found no evidence that …" answers, "No information is given in the passages" does not. Read is English,
and the commonest phrases of German, French and Spanish. Knows no models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from osler.answer.prompt import unbracketed
from osler.records import RankedPassage, Ranking

NAMED = 3
"""Passages that an abstention names as the nearest."""


def confidence(ranking: Ranking) -> float:
    """The highest mean MaxSim per query token of a passage; of passages without one, the highest score.

    It is MaxSim also where the score that ranks is interpolated with stage 1: scores of stage 1 (cosines, BM25,
    reciprocal ranks) have other scales, so a threshold says nothing of those. ValueError when the ranking has no
    passage.
    """
    return max(passage.score if passage.maxsim is None else passage.maxsim for passage in ranking.ranked)


def abstention(ranked: Sequence[RankedPassage], *, score: float | None = None, threshold: float = 0.0) -> str:
    """What stands in place of an answer: why there is none, and the nearest passages.

    Three reasons: there are no passages; there is a score, which is under the threshold; there is none, because the
    language model was asked and declined.

    >>> abstention([])
    'No passage was found for this question, so there is no answer.'
    """
    if not ranked:
        return "No passage was found for this question, so there is no answer."
    reason = "The language model found no answer in the passages."
    if score is not None:
        reason = f"No passage is near enough to this question (confidence {score:.2f}, needed {threshold:.2f})."
    names = dict[str, None]()
    for passage in (candidate.passage for candidate in ranked[:NAMED]):
        title, doc_id = (unbracketed(" ".join(text.split())) for text in (passage.title, passage.doc_id))
        names[f"{title} ({doc_id})" if title else doc_id] = None
    return f"{reason} The nearest are: {'; '.join(names)}."


@dataclass(frozen=True, slots=True)
class ThresholdFit:
    """A threshold and what it does: the share of answerable questions answered, of unanswerable ones declined."""

    threshold: float
    answered: float
    declined: float

    @property
    def balanced_accuracy(self) -> float:
        """The mean of both shares: 0.5 for a coin, 1.0 for no mistake."""
        return (self.answered + self.declined) / 2


def fit_threshold(answerable: Sequence[float], unanswerable: Sequence[float], *, keep: float = 0.95) -> ThresholdFit:
    """The threshold of the best balanced accuracy among those that answer at least `keep` of the answerable.

    That is Youden's J statistic (1950) under a limit: wrongly declining is what users forgive least, so it is bounded
    first. A threshold lies halfway between two neighbouring scores; of equal ones the lowest, which declines least.
    ValueError when either kind has no score or `keep` is not between 0 and 1.

    >>> fit_threshold([0.7, 0.8, 0.9], [0.3, 0.5, 0.75])
    ThresholdFit(threshold=0.6, answered=1.0, declined=0.6666666666666666)
    """
    if not answerable or not unanswerable:
        raise ValueError("A threshold needs scores of answerable and of unanswerable questions.")
    if not 0 <= keep <= 1:
        raise ValueError(f"keep = {keep} is not a share: choose 0 to 1.")
    scores = sorted({*answerable, *unanswerable})
    fits = []
    for threshold in (scores[0], *((low + high) / 2 for low, high in pairwise(scores))):  # the lowest declines nothing
        answered = sum(score >= threshold for score in answerable) / len(answerable)
        declined = sum(score < threshold for score in unanswerable) / len(unanswerable)
        fits.append(ThresholdFit(threshold, answered, declined))
    return max((fit for fit in fits if fit.answered >= keep), key=lambda fit: (fit.balanced_accuracy, -fit.threshold))


_KIND = "(?:given|provided|supplied|above|numbered|retrieved|available|cited|listed|quoted)"
_GIVEN = (
    rf"(?:(?:any|none|all|either|neither) of )?(?:(?:the|these|those|this|your|any|no|my)\s+)?(?:{_KIND}\s+)*"
    r"(?:passages?|contexts?|excerpts?|snippets?|search results|(?:text|document|source|article|abstract|material|"
    rf"reference|information|literature|evidence)s?(?=\s+{_KIND}\b)|(?<=provided )\w+|(?<=given )\w+|(?<=supplied )\w+"
    r"|(?<=available )information|(?<=above )\w+"
    r"|(?:text|document|source)s?)"
    rf"(?:\s+(?:{_KIND}|that (?:was|were|is|are) {_KIND}|here|i (?:have|was given)))*(?:\s*\[[\d,]+\])*"
)
_HOW = r"(?:\s+(?:actually|explicitly|directly|specifically|clearly|really|even|fully|\w+ly))*"
_NOT = rf"(?:do|does|did|can|could|is|are|was|were|has|have)(?:\s+not|n['’]t|not){_HOW}"
_VERBS = (
    "(?:answer|address|contain|mention|specify|include|discuss|cover|describe|define|explain|identify|tell"
    "|(?:say|state|indicate|clarify|speak|talk)(?! that)|list|name"
    r"|(?:provide|give|offer|hold|have)(?!\s+(?:\w+\s+){0,2}(?:evidence|proof|support)))"
)
_FACTS = (
    r"(?:information|answers?|mention|details?|description|explanation|reference|definition|indication (?:of|about))"
)
_STATED = (
    "(?:stated|mentioned|specified|given|discussed|addressed|described|provided|answered|covered|defined|included|found"
    "|available|present|explained|identified|listed|contained|known)"
)
_IN_THEM = rf"(?:in|from|within|by|with|using|based on|on the basis of)\s+{_GIVEN}"

_OPENINGS = re.compile(
    r"^\W*(?:(?:however|but|unfortunately|sorry|therefore|thus|so|hence|(?:my )?apologies|regrettably|note that|as such"
    rf"|and)\b[,:]?\s*|(?:based on|according to|from|in|given|after reviewing|having read)\s+{_GIVEN}\s*,\s*"
    r"|answer:\s*)+",
    re.IGNORECASE,
)
# "The passages do not mention aspirin", "None of the passages is relevant".
_OF_THE_PASSAGES = (
    rf"{_GIVEN}\s+(?:{_NOT}|fails?\s+to|failed\s+to)\s+(?:(?:appear|seem)\s+to\s+)?{_VERBS}\b",
    rf"(?:none|neither) of {_GIVEN}\s+(?:is|are)\s+(?:relevant|about|helpful|useful)\b",
    rf"nothing\s+{_IN_THEM}\b",
    r"no (?:relevant |suitable )?passages?\s+(?:was|were)\s+(?:found|given|provided|available)\W*$",
    rf"(?:none|neither) of (?:{_GIVEN}|the \w+ {_KIND})\s+(?:\w+ly\s+)?(?:{_VERBS}|examine|report|study|assess)"
    r"(?:s|es)?\b",
    rf"no {_GIVEN}\s+(?:\w+ly\s+)?{_VERBS}(?:s|es)?\b",
    rf"{_GIVEN}\s+(?:contains?|provides?|gives?|has|have|offers?|includes?|holds?|makes?)\s+"
    rf"(?:no|insufficient|not enough|too little)\s+(?:\w+\s+){{0,3}}{_FACTS}",
    rf"the (?:abstract|article|paper)s?\s+(?:contain|provide|give|offer|hold|have|has)s?\s+no\s+(?:data|{_FACTS})\b",
    rf"{_GIVEN}\s+(?:is|are)\s+(?:silent|not (?:relevant|sufficient|about)|irrelevant|insufficient|unrelated)",
    rf"{_GIVEN}\s+lacks?\b",
)
# "I cannot answer", "I found nothing".
_OF_THE_WRITER = (
    r"I(?:\s+would|['’]d)\s+need\b",
    r"I(?:\s+am|\s+was|['’]m)\s+(?:\w+\s+)?(?:sorry|unable|not (?:able|sure|certain)|afraid)\b",
    r"I\s+(?:can|could|do|did|have|was)(?:\s*not|n?['’]t)\s*(?:know|answer|find|see|have|help|assist|provide|say|"
    r"determine|tell|give|confirm|able|been|locate|identify|offer|comment|make|enough|draw|comply)?\b",
    r"I\s+(?:have|found|find|see|lack|know)\s+(?:no|nothing|insufficient|not enough|enough)\b",
    r"I\s+(?:apologi[sz]e|regret|must decline|decline)\b",
    r"as an? (?:AI|language model|assistant)\b",
)
# "There is no information in the passages", "No answer found", "Insufficient data".
_OF_NOTHING = (
    rf"(?:insufficient|not enough|no)\s+(?:data|evidence)(?:\s+{_IN_THEM}\b.*|\W*$)",
    r"(?:there (?:is|are|was|were)|there['’]s|we have)\s+(?:no|not (?:enough|sufficient|any)|insufficient)\s+"
    rf"(?:\w+\s+){{0,3}}{_FACTS}(?:\W*$|.*\b(?:{_IN_THEM}|to (?:answer|determine|say|tell)\b))",
    rf"(?:there (?:is|are|was|were)|there['’]s)\s+(?:nothing|not anything)\s.*{_IN_THEM}",
    rf"(?:no|not enough|insufficient|not any)\s+(?:\w+\s+){{0,3}}{_FACTS}\b(?:\s+(?:about|on|of|for|regarding|"
    rf"concerning)\b.{{0,120}}?)?\s+(?:(?:is|was|are|were|can be|could be)\s+)?(?:\w+ly\s+)?{_STATED}?\s*"
    rf"(?:\W*$|.*{_IN_THEM}|to answer)",
    rf"(?:no|not enough|insufficient)\s+(?:\w+\s+){{0,2}}{_FACTS}\W*$",
)
# "The question cannot be answered", "The dose is not stated in the passages", "Unknown".
_OF_THE_QUESTION = (
    rf"(?:there\s+)?(?:is|are|was|were)(?:\s+not|n['’]t)\s+(?:any|enough|sufficient)\s+(?:\w+\s+){{0,3}}{_FACTS}"
    rf"(?:\W*$|.*\b(?:{_IN_THEM}|to (?:answer|determine|say|tell)\b))",
    rf"(?:the )?answer(?:\s+to\s+\w+\s+question)?\s+(?:is|was)\s+(?:unknown|unclear|(?:not|n['’]t)\s+"
    rf"(?:{_STATED}\W*$|{_IN_THEM}))",
    rf"[^.;:]{{0,160}}\b(?:cannot|can['’]t|can not|could not|couldn['’]t)\s+be\s+(?:\w+ly\s+)?"
    rf"(?:answered|determined|found|given|inferred|established|identified)\s+{_IN_THEM}\W*$",
    r"(?:it\s+is|it['’]s)\s+(?:not possible|impossible)\s+to\s+answer\b",
    r"(?:the|this|that|your|its?|it)?\s*(?:question|query|answer|it|this|that)?\s*"
    r"(?:can(?:\s*not|['’]t)|could(?:\s+not|n['’]t)|is not able to)\s+be\s+(?:\w+ly\s+)?"
    rf"(?:answered|determined|found|inferred)\b(?:\W*$|.*(?:{_IN_THEM}|question))",
    r"(?:it\s+is|it['’]s)\s+(?:not possible|impossible|not clear|unclear)\s.*"
    rf"(?:\b(?:answer|determine|say|tell)\b.*)?{_IN_THEM}",
    rf"[^.;:]{{0,160}}\b(?:is|are|was|were)(?:\s+not|n['’]t){_HOW}\s+{_STATED}\s+(?:\w+\s+){{0,3}}{_IN_THEM}\W*$",
    rf"(?:information\s+)?(?:not|nothing){_HOW}\s+{_STATED}(?:\s+{_IN_THEM})?\W*$",
    r"(?:unable|not able|cannot|can['’]t|could not|impossible)\s+(?:to\s+)?(?:answer|determine|say|tell)\b",
    r"(?:unknown|unanswerable|n/?a|none|no answer|not? data|nothing|not applicable|no idea|don['’]t know)\W*$",
    rf"(?:the )?(?:answer|information)\s+(?:is|are|was|were)(?:\s+not|n['’]t)\s+{_IN_THEM}",
)
# A model may reply in the language of the question, or of its maker.
_ELSEWHERE = (
    r"(?:die|den|der|in den|aus den|keine der)\s+(?:\w+en\s+)?(?:textstellen|passagen|texten?|textabschnitten?"
    r"|abschnitten?|auszügen?|quellen|dokumenten?|kontext)\s+(?:\w+en\s+)?(?:beantwort|enthalt|enthält|liefer|geb|gib"
    r"|erwähn|nenn|biet|geht|lässt|wird)\w*\b[^,]*\b(?:nicht|keine?r?|nichts)\b",
    r"(?:keine\s+(?:antwort|angaben?|informationen?)|nicht beantwortbar|unbekannt)\b(?:.{0,80}\b(?:gefunden|enthalten"
    r"|vorhanden|verfügbar|möglich)|.{0,40}(?:textstellen|passagen|texten|quellen))?\W*$",
    r"ich\s+(?:kann|weiß|konnte|habe|finde)\b.*\b(?:nicht|keine?)\b",
    r"(?:die|diese|ihre)\s+frage\s+(?:kann|lässt sich|ist)\b.*\bnicht\b",
    r"(?:les|ces|aucun des)\s+(?:\w+\s+)?(?:passages|textes|extraits|documents|sources)(?:\s+\w+)?\s+n(?:e\s+|['’])"
    r"(?:répond|contien|mentionn|fourni|donn|perme|précis|abord|traite|indiqu)\w*\b",
    r"je\s+(?:ne|n['’])\s*(?:peux|sais|trouve|dispose|suis|ai)\b",
    r"(?:il n['’]y a )?(?:aucune?|pas de|pas d['’])\s*(?:réponse|information)s?"
    r"(?:\W*$|\b.{0,80}\b(?:passages|textes|extraits|documents|question|sujet)\b)",
    r"(?:il est impossible de répondre|(?:la|cette) question ne peut)\b",
    r"(?:(?:los|las)\s+\w+(?:\s+\w+)?\s+no|ninguno de los\s+\w+)\s+(?:respond|contien|mencion|proporcion|ofrec"
    r"|permit|indic|incluy)\w*\b.*\b(?:pregunta|información|respuesta|tema)\b",
    r"(?:no (?:puedo|se puede|es posible) responder|no hay (?:suficiente )?información|sin respuesta)\b",
)
_REFUSALS = re.compile(
    "|".join((*_OF_THE_PASSAGES, *_OF_THE_WRITER, *_OF_NOTHING, *_OF_THE_QUESTION, *_ELSEWHERE)), re.IGNORECASE
)
_SUBJECT = re.compile(rf"{_GIVEN}\s", re.IGNORECASE)
_GOES_ON = re.compile(
    rf"(?:(?:they|it|these|that|which)?\s*{_NOT}|none(?: of them)?|neither)\s+{_VERBS}\b", re.IGNORECASE
)
_PARTS = re.compile(r"[,;]\s*(?:but|however|although|though|yet|while|whereas|so|and)\b[,\s]*|;\s*|:\s+", re.IGNORECASE)
_NOTHING = re.compile(r"(?:there\b|no\b|not enough|insufficient)", re.IGNORECASE)

_LONGEST = 600  # characters; nobody declines at such length


def refuses(sentence: str) -> bool:
    """Whether the sentence does nothing but decline to answer.

    >>> refuses("The passages do not answer the question."), refuses("The trial found no evidence of harm.")
    (True, False)
    >>> refuses("The passages do not name a dose, but aspirin lowered mortality.")
    False
    """
    if len(sentence) > _LONGEST:
        return False
    sentence = sentence.strip(" []()*_\"'“”")
    opening = _OPENINGS.match(sentence)
    claim = sentence[opening.end() :] if opening else sentence
    if opening and re.search(_GIVEN, opening[0], re.IGNORECASE) and _NOTHING.match(claim):
        claim = f"{claim.rstrip(' .')} in the passages."  # where the opening says that it stands
    head, *parts = [part.strip() for part in _PARTS.split(claim) if part.strip()] or [""]
    of_the_passages = _SUBJECT.match(head) is not None
    parts_decline = all(
        _REFUSALS.match(_OPENINGS.sub("", part)) or (of_the_passages and _GOES_ON.match(part)) for part in parts
    )
    return parts_decline and (_REFUSALS.match(head) is not None or (of_the_passages and bool(parts)))
