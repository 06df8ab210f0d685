"""A data set's queries through both stages: against fakes, and against what ir_measures says of the written run."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import ir_measures
import pytest
from fakes import FakeEncoder, FakeReranker, fake_index

from osler.cli import main
from osler.config import SearchSettings, Settings
from osler.datasets import Dataset
from osler.errors import UsageError
from osler.evaluate.measures import MEASURES, read_run, write_run
from osler.evaluate.report import RunReport
from osler.evaluate.retrieval import TOTAL, coverage, search_dataset
from osler.records import Document, Query, Section
from osler.search.searcher import STAGES, Searcher

TEXTS = {"a": "The lung and its fluid.", "b": "Here the cardiac effusion.", "c": "The heart has fluid.", "d": "A gene."}
QUERIES = {"q1": Query("q1", "heart fluid"), "q2": Query("q2", "gene")}
QRELS = {"q1": {"b": 1, "c": 2}, "q2": {"d": 1}}


def dataset(qrels=QRELS):
    documents = {doc_id: Document(doc_id, "", (Section("", text),)) for doc_id, text in TEXTS.items()}
    return Dataset("tiny", "test", documents, QUERIES, qrels, digest="")


def searcher(texts=TEXTS, **settings):
    return Searcher(fake_index(texts), FakeEncoder(), FakeReranker(), SearchSettings(**settings))


def test_both_stages_come_from_one_search_of_each_query():
    runs = search_dataset(dataset(), searcher())
    ranking = searcher().search("heart fluid", k=4)
    assert runs.ranked["q1"] == {one.passage.doc_id: one.score for one in ranking.ranked}
    assert runs.candidates["q1"] == {one.passage.doc_id: one.candidate_score for one in ranking.ranked}
    assert list(runs.ranked) == ["q1", "q2"]


@pytest.mark.parametrize("num_candidates", [1, 3])
def test_stage_1_hands_on_as_many_passages_as_it_is_told_and_both_runs_hold_them(num_candidates):
    found = searcher(candidates="dense", num_candidates=num_candidates)
    runs = search_dataset(dataset(), found)
    searches = [asked for asked in found.index.asked if asked[0] in ("nearest", "lexical")]
    assert searches == [("nearest", num_candidates)] * 2  # one a query
    assert len(runs.candidates["q1"]) == len(runs.ranked["q1"]) == num_candidates


def test_the_candidates_are_stage_1s_own_best_whatever_stage_2_makes_of_them():
    runs = search_dataset(dataset(), searcher(candidates="lexical", num_candidates=2))
    assert runs.candidates["q1"] == {"c": 2.0, "a": 1.0}  # words shared with "heart fluid"; b shares none


def test_more_candidates_than_a_hundred_are_all_in_the_run():
    many = {f"d{number:03d}": "The heart has fluid." for number in range(150)} | TEXTS
    runs = search_dataset(dataset(), searcher(many, num_candidates=150))
    assert len(runs.candidates["q1"]) == len(runs.ranked["q1"]) == 150


def test_the_seconds_of_each_part_and_in_all_are_kept_for_each_query():
    runs = search_dataset(dataset(), searcher())
    assert {part: len(seconds) for part, seconds in runs.seconds.items()} == dict.fromkeys((*STAGES, TOTAL), 2)


def test_progress_is_told_after_each_query():
    told = []
    search_dataset(dataset(), searcher(), on_query=lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]


def test_an_index_of_something_else_is_refused():
    with pytest.raises(UsageError, match="none of the documents that the qrels of tiny speak of"):
        coverage(dataset(), fake_index({"x": "Something else."}))


def test_documents_that_the_index_lacks_are_named_relevant_or_not():
    assert coverage(dataset(), fake_index({"b": TEXTS["b"], "c": TEXTS["c"]})).missing == ("a", "d")


def test_a_corpus_of_thousands_is_looked_up_to_its_last_document():
    texts = TEXTS | {f"e{number}": "A gene." for number in range(2500)}
    documents = {doc_id: Document(doc_id, "", (Section("", text),)) for doc_id, text in texts.items()}
    index = fake_index({doc_id: text for doc_id, text in texts.items() if doc_id not in ("e0", "e2499")})
    assert coverage(replace(dataset(), documents=documents), index).missing == ("e0", "e2499")


def test_documents_of_another_content_are_named():
    assert coverage(dataset(), fake_index({**TEXTS, "c": "Another text."})).changed == ("c",)
    assert coverage(dataset(), fake_index(TEXTS)).changed == ()


def test_a_blank_document_is_none_that_an_index_lacks():
    blank = Document("blank", " ", (Section("", ""),))
    with_blank = replace(dataset(), documents={**dataset().documents, "blank": blank})
    assert coverage(with_blank, fake_index(TEXTS)).missing == ()


def test_the_figures_are_those_of_ir_measures_on_the_written_run(tmp_path):
    runs = search_dataset(dataset(), searcher())
    write_run(tmp_path / "ours.run", runs.ranked)
    report = RunReport.of("ranked", QRELS, runs.ranked)
    judged = [ir_measures.Qrel(query_id, doc, n) for query_id, docs in QRELS.items() for doc, n in docs.items()]
    read = list(ir_measures.read_trec_run(str(tmp_path / "ours.run")))
    theirs = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in MEASURES], judged, read)
    ours = [report.metrics[re.sub(r"^R@", "Recall@", str(name))] for name in theirs]  # it shortens Recall@k to R@k
    assert ours == pytest.approx([*theirs.values()])


@pytest.mark.data
def test_scifact_by_words_equals_ir_measures_on_the_written_run(tmp_path, data_folder):
    from osler.datasets import load_dataset
    from osler.evaluate.baselines import bm25_run

    scifact = load_dataset(data_folder / "scifact", "train")
    run = bm25_run(scifact)
    write_run(tmp_path / "bm25.run", run)
    judged = [ir_measures.Qrel(query_id, doc, n) for query_id, docs in scifact.qrels.items() for doc, n in docs.items()]
    read = list(ir_measures.read_trec_run(str(tmp_path / "bm25.run")))
    measures = {name: ir_measures.parse_measure(name) for name in MEASURES}
    reference = ir_measures.calc_aggregate(measures.values(), judged, read)
    report = RunReport.of("bm25", scifact.qrels, run)
    assert report.metrics == pytest.approx({name: reference[measure] for name, measure in measures.items()}, abs=1e-9)


@pytest.fixture
def folder(tmp_path):
    """A data set in BEIR's layout."""
    lines = {
        "corpus.jsonl": [{"_id": doc_id, "title": "", "text": text} for doc_id, text in TEXTS.items()],
        "queries.jsonl": [{"_id": query.query_id, "text": query.text} for query in QUERIES.values()],
    }
    for name, rows in lines.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [f"{query_id}\t{doc}\t{n}" for query_id, docs in QRELS.items() for doc, n in docs.items()]
    (tmp_path / "qrels_test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(rows) + "\n")
    return tmp_path


def run_command(*words):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "retrieval", *map(str, words)])
    return ended.value.code


def evaluated(capsys, *words):
    assert run_command("--json", *words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_the_command_builds_the_index_once_and_reports_both_stages(folder, capsys):
    words = ["--data", folder, "--index", folder / "index", "--run-out", folder / "ours.run", "--baseline", "bm25"]
    candidates, ranked, bm25 = evaluated(capsys, *words)
    assert [candidates["stage"], ranked["stage"], bm25["baseline"]] == ["candidates", "ranked", "bm25"]
    assert ranked["queries"] == 2
    assert set(ranked["metrics"]) == set(ranked["intervals"]) == set(MEASURES)
    assert [one["run"] for one in ranked["compared"]] == ["candidates", "bm25"]
    again = evaluated(capsys, *words[:4], "--compare", folder / "ours.run")[1]
    assert again["metrics"] == ranked["metrics"]
    assert again["compared"][1]["difference"] == 0
    assert again["compared"][1]["verdict"] == "too few queries to tell"


def test_a_run_file_is_measured_without_an_index(folder, capsys):
    write_run(folder / "mine.run", {"q1": {"c": 2.0, "b": 1.0}})
    (report,) = evaluated(capsys, "--data", folder, "--run", folder / "mine.run")
    assert report["run"] == str(folder / "mine.run")
    assert report["metrics"]["nDCG@10"] == fmean([1.0, 0.0])
    assert report["metrics"]["Recall@10"] == 0.5


def test_the_table_says_what_may_be_said(folder, capsys):
    write_run(folder / "mine.run", {"q1": {"c": 2.0}})
    assert run_command("--data", folder, "--run", folder / "mine.run", "--baseline", "bm25") == 0
    shown = capsys.readouterr().out
    assert "2 queries" in shown
    assert "mine.run against bm25: nDCG@10 " in shown


def test_names_with_square_brackets_are_shown_as_they_are(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("mine.run", "a[red]b.run", "[bold]b.run"):
        write_run(Path(name), {"q1": {"c": 2.0}})
    compared = ["--compare", "a[red]b.run", "--compare", "[bold]b.run"]
    assert run_command("--data", folder, "--run", "mine.run", *compared) == 0
    shown = capsys.readouterr().out
    assert "against a[red]b.run: " in shown
    assert "against [bold]b.run: " in shown


def test_flags_of_a_search_beside_a_run_are_refused(folder, capsys):
    write_run(folder / "x.run", {"q1": {"c": 1.0}})
    words = ["--data", folder, "--run", folder / "x.run", "--num-candidates", "5", "--candidates", "dense"]
    assert run_command(*words) == 2
    assert "leave --num-candidates and --candidates out, or --run." in capsys.readouterr().err


def test_ids_that_a_run_cannot_hold_are_said_before_the_search(folder, capsys, no_search):
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "d 2", "text": "A text."}\n')
    assert run_command("--data", folder, "--index", folder / "index", "--run-out", folder / "ours.run") == 1
    assert "The id 'd 2' cannot stand in a TREC run" in capsys.readouterr().err


def test_an_unknown_split_and_an_unknown_baseline_are_one_line(folder, capsys):
    write_run(folder / "x.run", {"q1": {"c": 1.0}})
    for words, said in ((["--split", "dev"], "dev"), (["--baseline", "./nowhere"], "nowhere")):
        assert run_command("--data", folder, "--run", folder / "x.run", *words) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_a_run_says_so_and_a_baseline_says_so_even_under_one_name(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    write_run(folder / "bm25", {"q1": {"d": 1.0}, "q2": {"a": 1.0}})
    write_run(folder / "x.run", {"q1": {"c": 1.0}, "q2": {"d": 1.0}})
    words = ["--data", ".", "--run", "x.run", "--compare", "bm25", "--baseline", "bm25"]
    _, compared, baseline = evaluated(capsys, *words)
    assert (compared["run"], baseline["baseline"]) == ("bm25", "bm25")
    assert compared["metrics"]["nDCG@10"] == 0 < baseline["metrics"]["nDCG@10"]


@pytest.mark.parametrize("flag", ["--run", "--compare"])
def test_a_run_of_other_queries_is_one_line(folder, capsys, flag):
    write_run(folder / "x.run", {"other": {"c": 1.0}})
    assert run_command("--data", folder, flag, folder / "x.run") == 2
    assert "none of its 1 query ids is judged ('other' … there, 'q1' … in the qrels)" in capsys.readouterr().err


def test_a_run_that_lacks_queries_is_measured_and_said(folder, capsys):
    write_run(folder / "x.run", {"q1": {"c": 1.0}})
    assert run_command("--data", folder, "--run", folder / "x.run") == 0
    assert "lacks 1 of the 2 judged queries: they count as zero" in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def no_search(monkeypatch):
    """A search would fail the test."""

    def search(*words, **options):
        raise AssertionError("searched before all was checked")

    monkeypatch.setattr("osler.load.load_searcher", search)
    monkeypatch.setattr("osler.load.add_documents", search)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run-out", "nodir/x"], "--run-out nodir/x: there is no folder nodir"),
        (["--run-out", "."], "--run-out .: is a folder"),
        (["--baseline", "./nowhere"], "./nowhere"),
        (["--compare", "nowhere"], "nowhere: cannot be read as a run"),
    ],
)
def test_what_cannot_be_is_said_before_any_search(folder, capsys, monkeypatch, no_search, words, said):
    monkeypatch.chdir(folder)
    assert run_command("--data", folder, *words) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_run_is_written_before_a_baseline_can_fail(folder, capsys, monkeypatch):
    def fail(*words, **options):
        raise UsageError("no memory for this; name another.")

    monkeypatch.setattr("osler.evaluate.baselines.bm25_run", fail)
    words = ["--data", folder, "--index", folder / "index", "--run-out", folder / "ours.run", "--baseline", "bm25"]
    assert run_command(*words) == 2
    assert read_run(folder / "ours.run")["q2"]


def test_the_device_reaches_the_baselines(folder, monkeypatch):
    devices = []

    class Watched:
        def __init__(self, dataset, *, device, on_documents):
            devices.append(device)

        def run(self, name):
            return {}

    monkeypatch.setattr("osler.evaluate.baselines.Baselines", Watched)
    write_run(folder / "x.run", {"q1": {"c": 1.0}})
    assert run_command("--data", folder, "--run", folder / "x.run", "--baseline", "bm25", "--device", "cuda") == 0
    assert devices == ["cuda"]


def part_of_an_index(folder):
    """An index of b and c, its search indexes up to date."""
    from osler.load import add_documents

    documents = dataset().documents
    add_documents([documents["b"], documents["c"]], folder / "index", Settings())


def test_an_index_of_a_part_of_the_corpus_is_measured_and_said(folder, capsys):
    part_of_an_index(folder)
    assert run_command("--data", folder, "--index", folder / "index") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "lacks 2 of the 4 documents of" in said
    assert "(a …), 1 of them relevant: they count as not found; index the whole corpus" in said


def test_an_index_whose_build_was_interrupted_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setattr("osler.index.LanceIndex.optimise", lambda index, **options: None)  # the last step of a build
    part_of_an_index(folder)
    assert run_command("--data", folder, "--index", folder / "index") == 1
    assert "its build was interrupted and 2 of the 4 documents" in capsys.readouterr().err
