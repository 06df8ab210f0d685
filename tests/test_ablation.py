"""An ablation's values, verdicts and report, on figures that can be checked by hand; nothing is trained."""

import json

import numpy as np
import pytest
from fakes import FakeEncoder, FakeReranker
from scipy.stats import binom

from experiments.ablation.claims import CLAIMS, Claim, UpperBound, claims, judge
from experiments.ablation.data import cut_corpus
from experiments.ablation.outcomes import (
    Outcome,
    VariantValues,
    differences,
    interval,
    macro_mean,
    read_variants,
    run_variants,
    write_outcome,
)
from experiments.ablation.report import AblationReport
from experiments.ablation.search import ExactSearch, dense_run, encode_passages, maxsim_run, measured
from experiments.ablation.variants import BASE, SIZES, Size, grid, select
from osler.datasets import Dataset
from osler.errors import UsageError
from osler.records import Document, Passage, Query, Section

CPU = SIZES["cpu"]
CHANCE = np.random.default_rng(3)
DRAWS = 1000


def outcome(values, recall=None):
    """An outcome with these values of one data set's queries."""
    of_query = {f"q{number:03d}": float(value) for number, value in enumerate(values)}
    recalls = of_query if recall is None else dict.fromkeys(of_query, recall)
    return Outcome({"nDCG@10": {"tiny": of_query}, "Recall@10": {"tiny": recalls}}, {"steps": 3}, 60.0)


def variant(name, *rows, recall=None):
    return VariantValues(name, tuple(range(len(rows))), tuple(outcome(row, recall) for row in rows))


def verdict(left, right, measure="nDCG@10"):
    (judged,) = judge([Claim("Left is better.", "left", "right", measure)], {"left": left, "right": right})
    return judged.verdict


# the grid


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_claim_speaks_of_variants_of_the_grid(size):
    spoken_of = {name for claim in claims(size) for name in claim.variants}
    assert spoken_of
    assert spoken_of <= {variant.name for variant in grid(size)}


def test_the_grid_crosses_the_negatives_with_the_similarities():
    trained = [one for one in grid(CPU) if one.stage == "retriever" and not one.separate_encoders and not one.pairs]
    found = {(one.negatives, one.similarity) for one in trained}
    assert found == {(kind, by) for kind in ("in-batch", "random", "bm25") for by in ("cosine", "dot")}
    assert len(found) == len(trained)  # the base is one variant, whatever it is compared with


def test_more_pairs_are_compared_step_by_step_up_to_the_base():
    steps = [claim.variants for claim in claims(CPU)[len(CLAIMS) :]]
    assert steps == [("pairs-1000", "pairs-500"), (BASE, "pairs-1000")]


def test_a_re_ranker_brings_the_retriever_that_it_stands_behind():
    assert [one.name for one in select(grid(CPU), ["reranker-bm25"])] == [BASE, "reranker-bm25"]
    assert [one.name for one in select(grid(CPU), ["random-dot"])] == ["random-dot"]
    assert select(grid(CPU), []) == grid(CPU)


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="'bm26' is no variant of this size. Variants: zero-shot, in-batch-cosine"):
        select(grid(CPU), ["bm26"])


# seeds and queries


def test_the_mean_counts_data_sets_alike():
    assert macro_mean({"large": [[0.0] * 9], "small": [[1.0]]}) == 0.5


def test_seeds_that_disagree_widen_the_interval():
    queries = CHANCE.random(100)
    agree, disagree = [queries, queries, queries], [queries - 0.3, queries, queries + 0.3]
    narrow, wide = (high - low for low, high in (interval({"tiny": rows}) for rows in (agree, disagree)))
    assert wide > 2 * narrow


def test_the_queries_chance_is_not_averaged_away_over_seeds():
    queries = CHANCE.random(100)
    one, three = (interval({"tiny": [queries] * count}) for count in (1, 3))
    assert one == pytest.approx(three, abs=0.01)


@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.04])
def test_an_interval_misses_the_true_mean_at_most_once_in_twenty(seeds, spread):
    random = np.random.default_rng(0)
    misses = 0
    for _ in range(DRAWS):
        of_seeds = random.normal(0, spread if seeds > 1 else 0, size=(seeds, 1))
        values = of_seeds + random.normal(0, 0.2, size=100) + random.normal(0, 0.05, size=(seeds, 100))
        low, high = interval({"tiny": values})
        misses += not low < 0 < high
    assert misses <= binom.ppf(0.999, DRAWS, 0.05)


def test_variants_of_other_queries_cannot_be_compared():
    with pytest.raises(ValueError, match="Seeds and queries differ"):
        differences({"tiny": [[1.0, 0.0]]}, {"tiny": [[1.0]]})


# claims


def test_a_difference_under_every_seed_holds():
    low, high = CHANCE.random((2, 60)) / 2, CHANCE.random((2, 60)) / 2 + 0.5
    assert verdict(variant("left", *high), variant("right", *low)) == "holds"
    assert verdict(variant("left", *low), variant("right", *high)) == "does not hold"


def test_equal_variants_cannot_be_told_apart():
    rows = CHANCE.random((3, 60))
    assert verdict(variant("left", *rows), variant("right", *rows)) == "cannot be told from noise here"


def test_a_difference_of_one_lucky_seed_is_noise_however_sure_the_queries_are():
    base = CHANCE.random(200) / 2
    lucky = variant("left", base + 0.3, base - 0.05, base - 0.05)
    (judged,) = judge([Claim("", "left", "right")], {"left": lucky, "right": variant("right", base, base, base)})
    assert judged.p < 0.001
    assert judged.low < 0 < judged.high
    assert judged.verdict == "cannot be told from noise here"


def test_one_seed_or_few_queries_prove_nothing():
    assert verdict(variant("left", [1.0] * 60), variant("right", [0.0] * 60)) == "cannot be told from noise here"
    few = variant("left", [1.0] * 19, [1.0] * 19), variant("right", [0.0] * 19, [0.0] * 19)
    assert verdict(*few) == "cannot be told from noise here"


@pytest.mark.parametrize(("recall", "said"), [(0.0, "holds"), (0.5, "does not hold")])
def test_a_collapse_is_judged_against_its_bound(recall, said):
    claim = UpperBound("It collapses.", "left", 0.02)
    (judged,) = judge([claim], {"left": variant("left", [0.5] * 30, [0.5] * 30, recall=recall)})
    assert (judged.verdict, judged.p) == (said, None)
    assert judged.difference == pytest.approx(recall - 0.02)


def test_a_claim_without_its_variants_is_not_judged():
    assert judge([Claim("", "left", "right")], {"left": variant("left", [1.0])}) == []


# running


def test_what_is_done_is_not_run_again(tmp_path):
    asked = []

    def work(name, seed):
        asked.append((name, seed))
        if asked[-1] == ("b", 1) and asked.count(("b", 1)) == 1:
            raise KeyboardInterrupt
        return outcome([0.5])

    variants = {name: lambda seed, name=name: work(name, seed) for name in ("a", "b")}
    with pytest.raises(KeyboardInterrupt):
        run_variants(variants, (1, 2), tmp_path)
    told = []
    run_variants(variants, (1, 2), tmp_path, on_outcome=lambda *so_far: told.append(so_far))
    assert asked == [("a", 1), ("b", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert read_variants(tmp_path, ("a", "b", "c"), (1, 2)).keys() == {"a", "b"}
    assert read_variants(tmp_path, ("a",), (1, 2, 3)) == {}


def test_an_outcome_comes_back_as_it_was_kept(tmp_path):
    write_outcome(tmp_path, "a", 1, outcome([0.25, 0.5]))
    found = read_variants(tmp_path, ("a",), (1,))["a"]
    assert found.of("nDCG@10") == {"tiny": [[0.25, 0.5]]}
    assert (found.queries, found.seconds, found.outcomes[0].settings) == (2, 60.0, {"steps": 3})


def test_a_damaged_file_is_named_with_the_way_out(tmp_path):
    write_outcome(tmp_path, "a", 1, outcome([0.25]))
    (tmp_path / "variants" / "a" / "seed-1.json").write_text("{")
    with pytest.raises(UsageError, match="seed-1.json: damaged .*; delete that file"):
        read_variants(tmp_path, ("a",), (1,))


# measuring


def passage(doc_id, number, text):
    return Passage(f"{doc_id}#{number}", doc_id, "", text, 0, len(text))


PASSAGES = [passage("a", 0, "lung"), passage("a", 1, "heart"), passage("b", 0, "cardiac fluid"), passage("c", 0, "x")]
QUERIES = {"q1": Query("q1", "heart"), "q2": Query("q2", "fluid")}
TINY = Dataset("tiny", "dev", {}, QUERIES, {"q1": {"a": 1}, "q2": {"b": 1}}, "")


def test_a_document_scores_as_its_best_passage():
    encoder = FakeEncoder()
    told = []
    vectors = encode_passages(PASSAGES, encoder, on_passages=lambda *so_far: told.append(so_far))
    search = ExactSearch(PASSAGES, vectors)
    run = dense_run(TINY, search, encoder.encode_queries(["heart", "fluid"]))
    assert run["q1"]["a"] == pytest.approx(1.0)
    assert next(iter(run["q2"])) == "b"
    assert measured(TINY, run)["nDCG@10"] == {"q1": 1.0, "q2": 1.0}
    assert told == [(4, 4)]
    assert search.score(encoder.encode_queries(["lung"])[0], "a") == pytest.approx(1.0)


def test_a_longer_vector_counts_for_more_where_dot_products_are_compared():
    vectors = np.array([[1.0, 0.0], [3.0, 3.0]], dtype=np.float32)
    search = ExactSearch([PASSAGES[1], PASSAGES[2]], vectors)
    assert [one.doc_id for one, _ in search.best_passages(np.array([1.0, 0.0], dtype=np.float32), k=2)] == ["b", "a"]


def test_maxsim_alone_orders_the_candidates_and_encodes_each_once():
    reranker = FakeReranker()
    candidates = {"q1": PASSAGES[1:3], "q2": PASSAGES[1:3]}
    run = maxsim_run(TINY, candidates, reranker, on_passages=lambda *_: None)
    assert run["q2"]["b"] > run["q2"]["a"]
    assert sorted(reranker.encoded) == ["a#1", "b#0"]


def test_a_cut_corpus_names_its_documents_and_keeps_the_relevant_ones(tmp_path):
    documents = {f"d{n}": Document(f"d{n}", "", (Section("", "Text."),)) for n in range(30)}
    whole = Dataset("tiny", "dev", documents, {"q": Query("q", "?")}, {"q": {"d7": 1}}, "")
    cut, again = cut_corpus(whole, 5), cut_corpus(whole, 5)
    assert cut == again
    assert (len(cut.dataset.documents), cut.relevant, cut.distractors) == (6, 1, 5)
    assert "d7" in cut.dataset.documents
    cut.write(tmp_path)
    assert (tmp_path / "tiny.txt").read_text().split() == sorted(cut.dataset.documents)
    assert cut_corpus(whole, None).digest != cut.digest


# the report


@pytest.fixture
def report():
    small = Size("tiny", (1, 2), 8, (), 4, None, None, None)
    variants = [one for one in grid(small) if one.name in (BASE, "random-cosine", "reranker-mined")]
    values = {
        BASE: variant(BASE, [1.0] * 30, [1.0] * 30),
        "random-cosine": variant("random-cosine", [0.5] * 30, [0.45] * 30),
        "reranker-mined": variant("reranker-mined", [1.0] * 30, [1.0] * 30),
    }
    return AblationReport.of(small, variants, values, claims(small), ["Two seeds.", "tiny: 30 queries."])


def test_the_report_has_the_variants_by_stage_and_the_claims_with_their_verdicts(report):
    text = report.text
    assert "- tiny: 30 queries.\n" in text
    assert "| random-cosine | one random negative, cosine | 0.475 (0.157–0.793) | 0.475 (0.157–0.793) | 1.0 |" in text
    row = "| In-batch negatives do better than random ones. | **holds** | nDCG@10 +0.525 (+0.207 to +0.843) |"
    assert f"{row} ≤ 0.0001 | in-batch-cosine − random-cosine |" in text
    assert "into a better order. | **cannot be told from noise here** |" in text
    assert text.index("## Retrievers") < text.index("random-cosine | one") < text.index("## Re-rankers")
    assert "Not judged, for want of a variant: Tuning lifts" in text


@pytest.mark.slow
def test_the_report_is_written_as_markdown_json_and_a_plot(report, tmp_path):
    report.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "ablation.md",
        "ablation.json",
        "ablation.png",
    }
    kept = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert kept["variants"][1]["metrics"]["nDCG@10"] == 0.475
    assert {one["verdict"] for one in kept["claims"]} >= {"holds", "does not hold"}
    assert (tmp_path / "out" / "ablation.png").read_bytes().startswith(b"\x89PNG")
