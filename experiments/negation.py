"""A probe for negation: which of two contradicting statements does a model put nearer to a text? Knows texts.

Late interaction is said to see "was ruled out" where one vector does not. A pair from a template is asked both ways: a
query that one of its statements agrees with, and the negated query, which the other one agrees with. Whoever prefers
one of the statements for its length or its words is right one way and wrong the other, so chance is a half. Pairs of
one template are right or wrong together: what is sampled are templates, and terms within them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final

import typer

from osler.cli import main, options
from osler.cli.printing import print_json
from osler.cli.tables import figures_table, interval_text
from osler.cli.terminal import OUT
from osler.datasets import Dataset, find_source, load_dataset
from osler.datasets.splits import sample_ids
from osler.errors import CorpusError
from osler.evaluate.report import p_value
from osler.evaluate.significance import clustered_interval, compare
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import divide
from osler.models import load_models
from osler.protocols import Encoder, Reranker
from osler.records import Document, Passage

app = typer.Typer(add_completion=False)

TEMPLATES: Final = (
    ("patients with {}", "patients without {}", "{} was confirmed.", "{} was ruled out."),
    ("a case of {}", "not a case of {}", "The examination showed {}.", "The examination showed no {}."),
    ("{} is present", "{} is absent", "There were signs of {}.", "There were no signs of {}."),
    (
        "the patient has {}",
        "the patient is free of {}",
        "The patient had {} on admission.",
        "The patient never had {}.",
    ),
    ("complains of {}", "no complaints of {}", "The patient reports {}.", "The patient denies {}."),
    ("evidence for {}", "evidence against {}", "Imaging revealed {}.", "Imaging failed to reveal {}."),
    ("{} was found", "{} was not found", "The work-up is positive for {}.", "The work-up is negative for {}."),
    ("what suggests {}", "what speaks against {}", "This is consistent with {}.", "This is not consistent with {}."),
    ("probable {}", "improbable {}", "{} is likely.", "{} is unlikely."),
    ("{} as the diagnosis", "a diagnosis other than {}", "{} was established.", "{} was excluded."),
    ("prior {}", "without prior {}", "The records mention a history of {}.", "The records mention no history of {}."),
    ("affected by {}", "unaffected by {}", "He suffers from {}.", "He does not suffer from {}."),
    ("{} on examination", "unremarkable for {} on examination", "Findings include {}.", "Findings do not include {}."),
    ("{} has developed", "{} has not developed", "She showed signs of {} later.", "She remained free of {} later."),
    ("{} was seen", "{} was not seen", "The scan shows the presence of {}.", "The scan shows the absence of {}."),
    ("children who have {}", "children who do not have {}", "The child exhibits {}.", "The child lacks {}."),
    ("{} was detected", "{} was not detected", "There is clear evidence of {}.", "There is no evidence of {}."),
    ("{} was observed", "{} was not observed", "The patient presented with {}.", "The patient presented without {}."),
    ("criteria of {} are met", "criteria of {} are not met", "{} can be diagnosed.", "{} cannot be diagnosed."),
    ("{} occurs", "{} does not occur", "{} was noted in this case.", "No {} was noted in this case."),
    ("a positive screen for {}", "a negative screen for {}", "Testing detected {}.", "Testing did not detect {}."),
    ("caused by {}", "with a cause other than {}", "The symptoms are due to {}.", "The symptoms are not due to {}."),
    (
        "{} in the family",
        "no {} in the family",
        "Relatives are known to have {}.",
        "Relatives are not known to have {}.",
    ),
    ("a suspicion of {}", "no suspicion of {}", "The results support {}.", "The results argue against {}."),
)
"""A query, its negation, and a statement that agrees with each. But for the term a query shares no word with one of the
statements alone, nor a form of it: a negation is not given away by its words."""

ALIKE: Final = 0.5
"""Share of common words from which two claims differ by little else than what they claim."""

# Scores as near as this are equal: a batch is padded, and its sums come in another order.
_ROUNDING: Final = 1e-6

Score = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""The score of each query with the statement in its place."""

Claims = dict[str, dict[str, dict[str, set[int]]]]
"""doc_id -> label -> query_id -> numbers of the evidence sentences."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A query, the statement that agrees with it, and one that contradicts that."""

    query: str
    agreeing: str
    contradicting: str


@dataclass(frozen=True, slots=True)
class StatementPair:
    """Two contradicting statements, asked both ways, or one way where there is no other.

    cluster: pairs of one are right or wrong together; the template that they were made of, or an abstract.
    """

    source: str
    cluster: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ClusterShares:
    """The share of right choices of each model in a cluster."""

    pairs: int
    bi_encoder: float
    maxsim: float


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The share of right choices of each model, where every cluster counts the same, and the p of their difference.

    Intervals draw clusters, then pairs within them; p is of the paired randomisation test over clusters. statements:
    how many different ones there are.
    """

    pairs: int
    statements: int
    bi_encoder: float
    bi_encoder_interval: tuple[float, float]
    maxsim: float
    maxsim_interval: tuple[float, float]
    p: float
    clusters: Mapping[str, ClusterShares]


def template_pairs(terms: Iterable[str]) -> Iterator[StatementPair]:
    """A pair for each term, the templates in turn.

    >>> for choice in next(template_pairs(["Myocardial infarction"])).choices:
    ...     print(choice.query, "->", choice.agreeing)
    patients with Myocardial infarction -> Myocardial infarction was confirmed.
    patients without Myocardial infarction -> Myocardial infarction was ruled out.
    """
    for term, template in zip(terms, cycle(TEMPLATES), strict=False):
        query, negated, affirming, negating = (text.format(term) for text in template)
        choices = Choice(query, affirming, negating), Choice(negated, negating, affirming)
        yield StatementPair("templates", template[-1].format("…").rstrip("."), choices)


def scifact_pairs(folder: Path, dataset: Dataset) -> Iterator[StatementPair]:
    """The evidence sentences of an abstract, with a claim that they support and a similar one that they contradict.

    They are asked one way: there is one evidence for both claims, so a half is chance only where claims of both kinds
    are alike in length and words. folder: SciFact with its `answers.jsonl`, of which `evidence` names labels and
    sentences by number. The cluster of a pair is the least doc_id of its supported claim: in SciFact, pairs that share
    a claim or an abstract have the same one.
    """
    for doc_id, claims in _claims(folder / "answers.jsonl").items():
        for supported, sentences in claims["SUPPORT"].items():
            for contradicted in claims["CONTRADICT"]:
                if not {supported, contradicted} <= dataset.queries.keys():
                    continue
                texts = [dataset.queries[query_id].text for query_id in (supported, contradicted)]
                evidence = _sentences(dataset.documents[doc_id], sentences)
                if evidence and _common_words(*texts) >= ALIKE:
                    yield StatementPair("scifact", min(dataset.qrels[supported]), (Choice(evidence, *texts),))


def probe(pairs: Sequence[StatementPair], encoder: Encoder, reranker: Reranker) -> dict[str, ProbeResult]:
    """The result for the pairs of each source; a pair is worth the mean of its choices, equal scores are half right."""
    models = partial(_vector_scores, encoder), partial(_token_scores, reranker)
    sources = dict.fromkeys(pair.source for pair in pairs)
    return {source: _result([pair for pair in pairs if pair.source == source], models) for source in sources}


def _result(pairs: Sequence[StatementPair], models: Iterable[Score]) -> ProbeResult:
    choices = [choice for pair in pairs for choice in pair.choices]
    ours, theirs = (_by_cluster(pairs, score) for score in models)
    clusters = {name: ClusterShares(len(of), fmean(of), fmean(theirs[name])) for name, of in ours.items()}
    bi_encoder = [shares.bi_encoder for shares in clusters.values()]
    late = [shares.maxsim for shares in clusters.values()]
    return ProbeResult(
        pairs=len(pairs),
        statements=len({text for choice in choices for text in (choice.agreeing, choice.contradicting)}),
        bi_encoder=fmean(bi_encoder),
        bi_encoder_interval=clustered_interval(ours),
        maxsim=fmean(late),
        maxsim_interval=clustered_interval(theirs),
        p=compare({"": late}, {"": bi_encoder}).p,
        clusters=clusters,
    )


def _by_cluster(pairs: Sequence[StatementPair], score: Score) -> dict[str, list[float]]:
    """What each pair is worth, by cluster."""
    right = iter(_right([choice for pair in pairs for choice in pair.choices], score))
    values: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        values[pair.cluster].append(fmean(next(right) for _ in pair.choices))
    return values


def _right(choices: Sequence[Choice], score: Score) -> list[float]:
    """1 for each choice whose agreeing statement scores higher, a half where both score the same, else 0."""
    queries = [choice.query for choice in choices]
    agreeing = score(queries, [choice.agreeing for choice in choices])
    contradicting = score(queries, [choice.contradicting for choice in choices])
    return [
        0.5 if abs(ours - theirs) <= _ROUNDING else float(ours > theirs)
        for ours, theirs in zip(agreeing, contradicting, strict=True)
    ]


def _vector_scores(encoder: Encoder, queries: Sequence[str], statements: Sequence[str]) -> list[float]:
    products = encoder.encode_queries(queries) * encoder.encode_passages(_passages(statements))
    return [float(row.sum()) for row in products]


def _token_scores(reranker: Reranker, queries: Sequence[str], statements: Sequence[str]) -> list[float]:
    token_vectors = divide(reranker.encode_passages(_passages(statements)))
    pairs = zip(reranker.encode_queries(queries), token_vectors, strict=True)
    return [float(maxsim(query, statement)[0]) for query, statement in pairs]


def _passages(texts: Sequence[str]) -> list[Passage]:
    return [Passage(f"{n}#0", str(n), "", text, 0, len(text)) for n, text in enumerate(texts)]


def _claims(file: Path) -> Claims:
    claims: Claims = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            for evidence in row["evidence"]:
                claims[evidence["doc_id"]][evidence["label"]][row["_id"]].update(evidence["sentences"])
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{file}: holds no evidence as SciFact's does ({error}); name a folder that does.") from error
    return claims


def _sentences(document: Document, numbers: Iterable[int]) -> str:
    spans: Any = document.metadata.get("sentences") or ()
    return " ".join(document.text[slice(*spans[number])] for number in sorted(numbers) if number < len(spans))


def _common_words(left: str, right: str) -> float:
    left_words, right_words = (set(text.casefold().split()) for text in (left, right))
    return len(left_words & right_words) / len(left_words | right_words)


@app.command()
def negation(
    scifact: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="SciFact with its answers.jsonl: claims of its split train, on most of which osler-mini was trained; "
            "without it, templates only.",
        ),
    ] = None,
    terms: Annotated[
        int, typer.Option(metavar="N", min=1, help="Terms of the ontology put into the templates in turn.")
    ] = 240,
    encoder: Annotated[str, typer.Option(metavar="NAME", help=options.ENCODER)] = options.DEFAULT_MODEL,
    reranker: Annotated[str, typer.Option(metavar="NAME", help=options.RERANKER)] = options.DEFAULT_MODEL,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Ask both models which of two contradicting statements agrees with a text.

    python -m experiments.negation --scifact scifact --encoder minilm --reranker minilm
    """
    documents = load_dataset("builtin:hpo-lay", "test").documents
    pairs = list(template_pairs(documents[doc_id].title for doc_id in sample_ids(documents, terms, 0)))
    if scifact:
        folder = find_source(scifact)
        pairs += scifact_pairs(folder, load_dataset(folder, "train"))
    models = load_models(encoder, reranker, device=device or "cpu")
    results = probe(pairs, models.encoder, models.reranker)
    if json:
        print_json({name: asdict(result) for name, result in results.items()})
    else:
        print_negation(results)


def print_negation(results: Mapping[str, ProbeResult]) -> None:
    """The share of right choices of both models: a row a template, then a row a source, with 95% intervals."""
    templates = figures_table(["template"], ["pairs", "vectors", "MaxSim"])
    for name, shares in results["templates"].clusters.items():
        templates.add_row(name, f"{shares.pairs:,}", f"{shares.bi_encoder:.3f}", f"{shares.maxsim:.3f}")
    OUT.print(templates)
    sources = figures_table(["source"], ["pairs", "vectors", "95%", "MaxSim", "95%", "p"])
    for name, result in results.items():
        ours, theirs = interval_text(result.bi_encoder_interval), interval_text(result.maxsim_interval)
        figures = (f"{result.bi_encoder:.3f}", ours, f"{result.maxsim:.3f}", theirs)
        sources.add_row(name, f"{result.pairs:,}", *figures, p_value(result.p))
    OUT.print(sources)
    OUT.print("Templates are asked both ways, so chance is 0.5; intervals and p are over templates.", soft_wrap=True)
    if claims := results.get("scifact"):
        counts = f"{claims.statements:,} claims in {len(claims.clusters):,} groups by abstract"
        text = f"SciFact: {counts}, all of its split train, on most of which osler-mini was trained."
        OUT.print(text, soft_wrap=True)


if __name__ == "__main__":
    main(program=app, name="python -m experiments.negation")
