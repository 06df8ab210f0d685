"""A sweep over settings: the grid, what each point says, the front, and the report as files."""

import json
import sys

import pytest
from fakes import FakeEncoder, FakeReranker, fake_index

from osler.cli.evaluate import index_names
from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.evaluate.report import HIT, MAIN, RunReport
from osler.evaluate.retrieval import TOTAL
from osler.evaluate.sweep import (
    ALL,
    GENERATE,
    Grid,
    SweepPoint,
    TimedGenerator,
    pareto_front,
    sweep,
    time_replies,
    with_replies,
    write_sweep,
)
from osler.records import Document, Query, Section
from osler.search.searcher import Searcher

TEXTS = {"a": "The lung and its fluid.", "b": "Here the cardiac effusion.", "c": "The heart has fluid.", "d": "A gene."}


def dataset():
    documents = {doc_id: Document(doc_id, "", (Section("", text),)) for doc_id, text in TEXTS.items()}
    queries = {"q1": Query("q1", "heart fluid"), "q2": Query("q2", "gene")}
    return Dataset("tiny", "test", documents, queries, {"q1": {"c": 1}, "q2": {"d": 1}}, digest="")


def searcher():
    return Searcher(fake_index(TEXTS), FakeEncoder(), FakeReranker(), SearchSettings())


def point(label, quality, milliseconds):
    times = {TOTAL: milliseconds, "encode": milliseconds / 2}
    slow = {part: 3 * one for part, one in times.items()}
    return SweepPoint(label, 10, False, 5, report(quality), times, slow)


def report(quality):
    """The report of forty queries of this mean, half of which are off by 0.1 to each side."""
    of_query = {f"q{number}": quality + (0.1 if number % 2 else -0.1) for number in range(40)}
    return RunReport("", {MAIN: of_query, HIT: of_query})


def test_every_combination_is_a_point_unless_fewer_candidates_than_k_are_asked_for():
    grid = Grid(("dense", "hybrid"), (1, 2, 4), rerank=(True, False), k=(2,))
    points = sweep(dataset(), {"tiny": searcher()}, grid)
    assert len(points) == 2 * 2 * 2
    assert {one.num_candidates for one in points} == {2, 4}


def test_a_point_holds_quality_with_its_interval_and_the_times_of_each_part():
    told = []
    (found,) = sweep(
        dataset(), {"tiny": searcher()}, Grid(("hybrid",), (4,), (True,), (4,)), on_query=lambda *one: told.append(one)
    )
    assert (found.quality, found.interval) == (1.0, (1.0, 1.0))
    assert set(found.p50) == {"encode", "candidates", "read", "maxsim", "evidence", TOTAL}
    assert sum(one for part, one in found.p50.items() if part != TOTAL) < found.p50[TOTAL] <= found.p95[TOTAL]
    assert told == [(1, 2), (2, 2)]


def test_a_query_is_read_in_one_pass_where_both_models_share_it():
    asked = []

    def encode_queries(queries):
        asked.extend(queries)
        return FakeEncoder().encode_queries(queries), FakeReranker().encode_queries(queries)

    one = Searcher(fake_index(TEXTS), FakeEncoder(), FakeReranker(), SearchSettings(), encode_queries=encode_queries)
    sweep(dataset(), {"tiny": one}, Grid(("hybrid",), (4,), (True,), (4,)))
    assert asked[-2:] == ["heart fluid", "gene"]


def test_without_re_ranking_no_maxsim_is_computed():
    (found,) = sweep(dataset(), {"tiny": searcher()}, Grid(("dense",), (4,), (False,), (4,)))
    assert found.p50["maxsim"] == 0


def test_several_indexes_are_told_apart_by_name():
    grid = Grid(("dense",), (4,), (True,), (4,))
    points = sweep(dataset(), {"one": searcher(), "two": searcher()}, grid)
    assert [point.label for point in points] == ["one: dense 4 + MaxSim, k = 4", "two: dense 4 + MaxSim, k = 4"]
    (alone,) = sweep(dataset(), {"one": searcher()}, grid)
    assert alone.label == "dense 4 + MaxSim, k = 4"


class Echo:
    """A language model that says what it was asked."""

    def complete(self, messages, *, schema=None):
        return messages[-1]["content"]


def test_replies_are_timed_for_each_k_but_for_the_first_one_that_loads_the_model():
    asked, model = [], TimedGenerator(Echo())

    def answer(question, k):
        asked.append((question, k))
        if question != "abstains":
            model.complete([{"role": "user", "content": question}])

    seconds = time_replies(["abstains", "why?", "how?"], answer, model, [3, 5])
    assert {k: len(of) for k, of in seconds.items()} == {3: 2, 5: 2}
    assert asked.count(("why?", 3)) == 2
    assert asked.count(("why?", 5)) == 1


def test_a_point_has_the_replies_to_its_own_k_and_they_are_no_part_of_its_total():
    (found,) = with_replies([point("dense", 0.5, 1)], {5: [1.0, 3.0], 10: [9.0]})
    assert (found.p50[GENERATE], found.p50[TOTAL]) == (2000.0, 1)
    (without,) = with_replies([point("dense", 0.5, 1)], {5: []})
    assert GENERATE not in without.p50


def test_the_front_holds_what_nothing_beats_in_both():
    fast, slow, bad, best = point("fast", 0.5, 1), point("slow", 0.5, 3), point("bad", 0.4, 2), point("best", 0.9, 4)
    assert pareto_front([best, bad, slow, fast]) == [fast, best]


@pytest.mark.slow
def test_the_report_is_a_page_a_table_and_a_plot(tmp_path):
    points = [point("dense", 0.5, 1), point("<b>", 0.9, 4), point("slow", 0.4, 5)]
    write_sweep(points, tmp_path / "report", title="tiny & small", about="2 queries")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert files == {"sweep.md", "sweep.html", "sweep.png", "sweep.svg"}
    front, _, every = (tmp_path / "report" / "sweep.md").read_text().partition(f"## {ALL}")
    assert "| settings | nDCG@10 | 95% | total p50 / p95 ms | encode p50 / p95 ms | candidates p50 / p95 ms |" in every
    assert "| dense 10, k = 5 | 0.500 | 0.470–0.530 | 1.0 / 3.0 | 0.5 / 1.5 | 0.0 / 0.0 |" in every
    assert "| slow 10, k = 5 | 0.400 |" in every
    assert "slow" not in front
    assert "| dense 10, k = 5 | 0.500 |" in front
    assert "| better, +0.400 (p ≤ 0.0001) |" in front
    page = (tmp_path / "report" / "sweep.html").read_text()
    assert "tiny &amp; small" in page
    assert "&lt;b&gt; 10" in page
    assert (tmp_path / "report" / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([2.0, 3.0, 7.0], "A reply to 5 passages takes 3.0 s, the median of 3 (2.0 to 7.0 s)."),
        ([2.0] * 20, "A reply to 5 passages takes 2.0 s, the median of 20 (95th percentile 2.0 s)."),
    ],
)
def test_replies_have_a_sentence_where_some_were_timed(tmp_path, seconds, said):
    points = [point("dense", 0.5, 1), point("lexical", 0.4, 2)]
    write_sweep(points, tmp_path, title="tiny", about="2 queries.")
    assert "reply" not in (tmp_path / "sweep.md").read_text()
    write_sweep(with_replies(points, {5: seconds}), tmp_path, title="tiny", about="2 queries.")
    for file in ("sweep.md", "sweep.html"):
        assert (tmp_path / file).read_text().count(said) == 1


def test_a_query_is_asked_under_every_combination_before_the_next_one():
    asked = []

    class Encoder(FakeEncoder):
        def encode_queries(self, queries):
            asked.extend(queries)
            return super().encode_queries(queries)

    one = Searcher(fake_index(TEXTS), Encoder(), FakeReranker(), SearchSettings())
    sweep(dataset(), {"tiny": one}, Grid(("dense",), (2, 4), (True, False), (2,)))
    assert asked[-8:] == ["heart fluid"] * 4 + ["gene"] * 4


def test_two_indexes_are_named_by_their_folders_or_by_their_paths_where_those_are_the_same():
    assert index_names(["work/a", "work/b"]) == ["a", "b"]
    assert index_names(["one/a", "two/a"]) == ["one/a", "two/a"]
    assert index_names(["s3://bucket/a"]) == ["a"]


def test_flags_that_cannot_be_meant_are_one_line(capsys):
    from osler.cli import main

    for flags, said in (
        (["--num-candidates", "ten"], "--num-candidates 'ten'"),
        (["--candidates", "dense, x"], "'x' is none"),
        (["--generator", "local"], "add --questions 5"),
        (["--num-candidates", "5,9", "-k", "10,20"], "9 candidates are fewer than the 10 passages that come back"),
        (["--out", __file__], f"--out {__file__}: {__file__} is a file"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["evaluate", "sweep", "--data", "nowhere", "--out", "nowhere", *flags])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_variable_of_the_index_is_heeded(capsys, monkeypatch):
    from osler.cli import main

    monkeypatch.setenv("OSLER_INDEX", "nowhere/at-all")
    with pytest.raises(SystemExit):
        main(["evaluate", "sweep", "--data", "builtin:hpo-lay", "--out", "nowhere"])
    assert "nowhere/at-all" in capsys.readouterr().err


def test_a_plot_that_cannot_be_drawn_is_said_before_the_sweep(capsys, monkeypatch):
    from osler.cli import main

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "sweep", "--data", "nowhere", "--out", "nowhere"])
    assert stopped.value.code == 1
    assert "'matplotlib' is not installed: run `pip install 'osler[evaluate]'`" in capsys.readouterr().err


def test_the_json_of_a_point_is_json():
    assert json.loads(json.dumps(point("dense", 0.5, 1).json()))["p50"][TOTAL] == 1
