"""The answering stage: search, perhaps abstain, ask the language model, check what it says. Knows the seams only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from osler.answer.abstain import abstention, confidence
from osler.answer.compose import compose, quote_best
from osler.answer.markers import passage_names
from osler.answer.prompt import build_prompt, estimate_tokens
from osler.answer.reply import parse_reply
from osler.answer.support import SupportCheck
from osler.config import AnswerSettings
from osler.protocols import CountTokens, Generator, Reranker
from osler.records import NOT_RETRACTED, Answer, Filter, RankedPassage, Ranking, is_retracted, is_true


class Search(Protocol):
    """What finds the passages: `Searcher.search`."""

    def __call__(self, query: str, *, k: int | None = None, where: Filter = NOT_RETRACTED) -> Ranking:
        """The k passages that fit the query best."""
        ...


class Answerer:
    """Answers questions from the passages that a search finds. It keeps nothing between questions.

    `reranked` says whether the scores of the search are MaxSim; where they are not, the confidence is computed here.
    """

    def __init__(
        self,
        search: Search,
        generator: Generator,
        reranker: Reranker,
        settings: AnswerSettings | None = None,
        *,
        count_tokens: CountTokens = estimate_tokens,
        reranked: bool = True,
    ) -> None:
        self.search = search
        self.generator = generator
        self.reranker = reranker
        self.settings = settings or AnswerSettings()
        self.count_tokens = count_tokens
        self.reranked = reranked

    def answer(self, question: str, *, k: int | None = None, where: Filter = NOT_RETRACTED) -> Answer:
        """The answer to the question, each sentence checked against the passages that it cites.

        It abstains where no passage is found or none is good enough. GeneratorError when the language model cannot be
        reached; to show the passages all the same, call `search` and `answer_from` yourself.
        """
        return self.answer_from(self.search(question, k=k, where=where))

    def answer_from(self, ranking: Ranking) -> Answer:
        """The answer to the query of this ranking from its passages; errors as in `answer`."""
        warnings = [*ranking.warnings, *_notices(ranking.ranked)]
        if not ranking.ranked:
            return _abstained(ranking, abstention([]), warnings)
        check = SupportCheck(ranking.query, ranking.ranked, self.reranker)
        score = confidence(ranking) if self.reranked else check.confidence()
        threshold = self.settings.abstain_below or 0.0
        if score < threshold:
            return _abstained(ranking, abstention(ranking.ranked, score=score, threshold=threshold), warnings)
        prompt = build_prompt(ranking.query, ranking.ranked, self.settings, count_tokens=self.count_tokens)
        text = self.generator.complete(prompt.messages, schema=prompt.schema)
        reply = parse_reply(text, passages=len(prompt.passages), names=passage_names(prompt.passages))
        if reply.declined:
            return _abstained(ranking, abstention(ranking.ranked), [*warnings, *reply.warnings], prompt.passages)
        missing, total = len(ranking.ranked) - len(prompt.passages), len(ranking.ranked)
        if missing:
            warnings.append(
                f"The prompt had no room for {missing} of {total} passages: raise OSLER_ANSWER_PASSAGE_TOKENS."
            )
        composed = compose(reply.sentences, check) if reply.sentences else quote_best(check)
        return Answer(
            question=ranking.query,
            text=composed.text,
            abstained=False,
            citations=composed.citations,
            warnings=(*warnings, *reply.warnings, *composed.warnings),
            ranking=ranking,
            given=prompt.passages,
        )


def _notices(ranked: Sequence[RankedPassage]) -> list[str]:
    """A warning for each document that is retracted, which is there because the filter asked for it, or of concern."""
    warnings = {}
    for passage in (candidate.passage for candidate in ranked):
        if is_retracted(passage.metadata):
            warnings[passage.doc_id] = f"{passage.doc_id} is retracted: do not rest a claim on it."
        elif is_true(passage.metadata.get("concern")):
            warnings[passage.doc_id] = f"An expression of concern was published about {passage.doc_id}: read it first."
    return list(warnings.values())


def _abstained(
    ranking: Ranking, text: str, warnings: Iterable[str], in_prompt: tuple[RankedPassage, ...] = ()
) -> Answer:
    return Answer(
        question=ranking.query,
        text=text,
        abstained=True,
        citations=(),
        warnings=tuple(warnings),
        ranking=ranking,
        given=in_prompt,
    )
