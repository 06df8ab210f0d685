"""The command line as a person and a program meet it: what is printed where, and with which exit code."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import lancedb
import pytest

from osler.cli import demo, main
from osler.cli.index import report_sentence
from osler.cli.progress import IndexingProgress
from osler.index import index_exists, open_index
from osler.indexing import IndexingReport
from osler.records import Document, Section

LINES = [
    {"_id": "PMID:1", "title": "Aspirin after stroke", "text": "Patients took aspirin. Aspirin lowered the risk.",
     "metadata": {"year": 2012, "mesh": ["Humans"], "journal": "Lancet"}},
    {"_id": "PMID:2", "title": "Metformin and ageing", "text": "Mice on metformin lived longer.",
     "metadata": {"year": 2019, "mesh": ["Mice"]}},
    {"_id": "PMID:3", "title": "Aspirin, withdrawn", "text": "Aspirin cures all strokes.",
     "metadata": {"year": 2020, "retracted": True}},
]  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    main_exits(["index", str(folder / "corpus.jsonl"), "--index", str(folder / "index")])
    return str(folder / "index")


def main_exits(arguments: list[str], code: int = 0) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == code


def objects(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_index_prints_its_counts_as_the_last_line_of_json(tmp_path, capsys):
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "Four."}\nnot json\n')
    main_exits(["index", str(tmp_path / "corpus.jsonl"), "--index", str(tmp_path / "index"), "--json"])
    counts = objects(capsys)[-1]
    assert {"documents", "passages", "skipped", "seconds", "passages_per_second"} <= set(counts)
    assert (counts["documents"], counts["passages"], counts["skipped"]) == (1, 1, 1)


def test_check_says_that_an_index_is_whole(index, capsys):
    main_exits(["check", "--index", index])
    assert capsys.readouterr().out == f"{index}: 3 passages, all as they were written\n"


def test_check_names_what_is_damaged_and_the_remedy_and_ends_with_1(index, tmp_path, capsys):
    shutil.copytree(index, tmp_path / "index")
    folder = str(tmp_path / "index")
    lancedb.connect(folder).open_table("passages").update(where="doc_id = 'PMID:2'", values={"text": "other"})
    main_exits(["check", "--index", folder], 1)
    first, remedy = capsys.readouterr().out.splitlines()
    assert first == "document PMID:2: a row of it is not as it was written"
    assert f"osler check --index {folder} --repair" in remedy
    main_exits(["check", "--index", folder, "--repair", "--json"], 1)
    (report,) = objects(capsys)
    assert (list(report["documents"]), report["search_indexes"], report["repaired"]) == (["PMID:2"], [], True)
    main_exits(["check", "--index", folder])


def test_indexing_the_same_file_again_changes_nothing(index, capsys, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(json.dumps(LINES[0]))
    main_exits(["index", str(tmp_path / "corpus.jsonl"), "--index", index, "--json"])
    counts = objects(capsys)[-1]
    assert (counts["documents"], counts["passages"], counts["unchanged"]) == (0, 0, 1)


def test_search_prints_a_line_of_json_a_passage_with_both_stages(index, capsys):
    main_exits(["search", "does aspirin prevent strokes?", "--index", index, "-k", "2", "--json"])
    first, second = objects(capsys)
    assert list(first) == [
        "rank", "passage_id", "doc_id", "title", "text", "start", "end", "score", "candidate_rank", "candidate_score",
        "evidence", "metadata",
    ]  # fmt: skip
    assert (first["rank"], first["doc_id"], second["rank"]) == (1, "PMID:1", 2)
    assert first["score"] > second["score"]
    assert set(first["evidence"]) == {"start", "end", "text", "score", "words"}


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("q.txt", "does aspirin prevent strokes?\n\nmetformin in mice\n", ["1", "3"]),
        ("q.jsonl", '{"_id": "a", "text": "aspirin"}\n{"_id": "b", "text": "metformin"}\n', ["a", "b"]),
    ],
)
def test_the_queries_of_a_file_are_searched_in_its_order(index, capsys, tmp_path, name, content, ids):
    (tmp_path / name).write_text(content)
    main_exits(["search", "--queries", str(tmp_path / name), "--index", index, "-k", "1", "--json"])
    found = objects(capsys)
    assert [(one["query_id"], one["doc_id"], one["rank"]) for one in found] == [
        (ids[0], "PMID:1", 1),
        (ids[1], "PMID:2", 1),
    ]
    main_exits(["search", "--queries", str(tmp_path / name), "--index", index, "-k", "1"])
    shown = capsys.readouterr().out
    assert shown.index(f"{ids[0]}: ") < shown.index("Aspirin after stroke") < shown.index(f"{ids[1]}: ")


@pytest.mark.parametrize("arguments", [[], ["aspirin", "--queries", "q.txt"]])
def test_one_query_or_a_file_of_them_is_asked_for(index, capsys, arguments):
    main_exits(["search", *arguments, "--index", index], code=2)
    assert "osler search QUERY, or osler search --queries FILE" in " ".join(capsys.readouterr().err.split())


def test_a_file_without_a_query_is_one_sentence(index, capsys, tmp_path):
    (tmp_path / "q.txt").write_text("\n \n")
    main_exits(["search", "--queries", str(tmp_path / "q.txt"), "--index", index], code=1)
    assert "holds no query; write one a line" in " ".join(capsys.readouterr().err.split())
    main_exits(["search", "--queries", str(tmp_path / "none.txt"), "--index", index], code=1)
    assert "cannot be read" in " ".join(capsys.readouterr().err.split())


def test_the_evidence_is_a_slice_of_the_document_that_show_prints(index, capsys):
    main_exits(["search", "aspirin lowers risk", "--index", index, "-k", "1", "--json"])
    found = objects(capsys)[0]
    main_exits(["show", found["doc_id"], "--index", index, "--json"])
    text = objects(capsys)[0]["text"]
    evidence = found["evidence"]
    assert text[evidence["start"] : evidence["end"]] == evidence["text"] == "Aspirin lowered the risk."


@pytest.mark.parametrize(
    ("condition", "doc_ids"),
    [
        ("year>=2015", {"PMID:2"}),
        ("year<=2015", {"PMID:1"}),
        ("mesh=humans", {"PMID:1"}),
        ("journal=Lancet", {"PMID:1"}),
        ("retracted=any", {"PMID:1", "PMID:2", "PMID:3"}),
    ],
)
def test_a_condition_leaves_out_what_does_not_meet_it(index, capsys, condition, doc_ids):
    main_exits(["search", "aspirin or metformin", "--index", index, "--where", condition, "--json"])
    assert {found["doc_id"] for found in objects(capsys)} == doc_ids


def test_without_json_the_passages_are_readable_and_the_times_on_standard_error(index, capsys):
    main_exits(["search", "metformin", "--index", index, "-k", "1"])
    printed = capsys.readouterr()
    assert "Metformin and ageing" in printed.out
    assert "maxsim" in printed.err


def test_show_of_an_unknown_document_is_one_line_and_exit_code_1(index, capsys):
    main_exits(["show", "PMID:99", "--index", index], code=1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("osler: 'PMID:99' is not in ")
    assert printed.err.count("\n") == 1


def test_a_missing_index_names_the_command_that_makes_one(tmp_path, capsys):
    main_exits(["search", "heart", "--index", str(tmp_path / "none")], code=1)
    assert "osler index SOURCE" in capsys.readouterr().err


def test_the_version_is_that_of_the_installed_package(capsys):
    main_exits(["--version"])
    assert capsys.readouterr().out == f"osler {metadata.version('osler')}\n"


def test_wrong_usage_is_exit_code_2(index, capsys):
    main_exits(["search"], code=2)
    assert "QUERY" in capsys.readouterr().err
    main_exits(["search", "heart", "--index", index, "--where", "foo=bar"], code=2)
    assert capsys.readouterr().err.count("\n") == 1
    main_exits(["search", " ", "--index", index], code=2)


def test_a_valid_and_empty_update_is_indexed_as_no_documents(tmp_path, capsys):
    (tmp_path / "update.xml").write_text("<PubmedArticleSet></PubmedArticleSet>")
    index = str(tmp_path / "index")
    main_exits(["index", str(tmp_path / "update.xml"), "--index", index, "--strict", "--json"])
    (counts,) = objects(capsys)
    assert (counts["documents"], counts["skipped"]) == (0, 0)
    main_exits(["search", "heart", "--index", index])
    assert "No passage matches" in capsys.readouterr().err


def test_a_folder_without_files_is_an_error_and_leaves_no_index(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    main_exits(["index", str(tmp_path / "empty"), "--index", str(tmp_path / "index")], code=1)
    assert "holds no file that osler reads" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()


def test_info_gives_manifest_counts_and_sizes(index, capsys):
    main_exits(["info", "--index", index, "--json"])
    values = objects(capsys)[0]
    assert (values["documents"], values["passages"]) == (3, 3)
    assert values["manifest"]["encoder"]["name"] == "osler-mini"
    main_exits(["info", "--index", index])
    assert "osler-mini, 384 dimensions" in capsys.readouterr().out


@pytest.mark.slow
def test_an_answer_cites_passages_that_were_found(index, capsys):
    main_exits(["answer", "Does aspirin lower the risk of stroke?", "--index", index, "--json"])
    answer = objects(capsys)[0]
    assert list(answer) == ["question", "text", "abstained", "citations", "warnings", "ranked"]
    assert not answer["abstained"]
    found = {ranked["passage_id"] for ranked in answer["ranked"]}
    assert {citation["passage_id"] for citation in answer["citations"]} <= found
    assert answer["citations"][0]["marker"] in answer["text"]


def test_the_passages_are_shown_even_if_the_language_model_cannot_be_reached(index, capsys):
    main_exits(["answer", "aspirin and stroke", "--index", index, "--generator", "http://127.0.0.1:9/v1"], code=1)
    printed = capsys.readouterr()
    assert "Aspirin after stroke" in printed.out
    assert "OSLER_LLM_URL" in printed.err


def test_other_models_than_those_of_the_index_are_refused(index, capsys, backbones):
    main_exits(["search", "aspirin", "--index", index, "--encoder", str(backbones["bert"])], code=1)
    assert "--encoder osler-mini" in capsys.readouterr().err


OBO = """format-version: 1.2
data-version: hp/releases/2025-01-16
ontology: hp.obo

[Term]
id: HP:0001698
name: Pericardial effusion
def: "Accumulation of fluid within the pericardium." []
synonym: "Fluid around heart" EXACT layperson []
"""
HPOA = (
    "#version: 2025-01-16\n"
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tcuration\n"
    "OMIM:1\tWet heart\t\tHP:0001698\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\n"
)


@pytest.mark.slow
def test_the_demo_answers_with_citations_and_abstains_where_nothing_fits(tmp_path, capsys, monkeypatch):
    (tmp_path / "hp.obo").write_text(OBO)
    (tmp_path / "phenotype.hpoa").write_text(HPOA)
    files = (tmp_path / "hp.obo", tmp_path / "phenotype.hpoa")
    monkeypatch.setattr("osler.corpus.hpo.ontology_files", lambda: files)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "osler").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "osler"), "demo"])
    main_exits(["demo", "--index", "demo-index"])
    printed = capsys.readouterr()
    assert "Indexing 2 of the 2 documents" in printed.err
    assert "[1] HP:0001698" in printed.out
    assert "No passage is near enough" in printed.out
    assert "Go on with" in printed.out
    assert f"  {Path('bin', 'osler')} search" in printed.out  # as it was called
    assert "--index demo-index" in printed.out


@pytest.mark.slow
def test_the_full_demo_says_how_long_the_rest_takes_and_indexes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("osler.cli.demo.SAMPLE_SIZE", 1)
    monkeypatch.setattr("osler.cli.demo.QUESTIONS", ("What is fluid around the heart called?",))
    (tmp_path / "hp.obo").write_text(OBO + "\n[Term]\nid: HP:2\nname: Fever\n\n[Term]\nid: HP:3\nname: Cough\n")
    (tmp_path / "phenotype.hpoa").write_text(HPOA)
    monkeypatch.setattr("osler.corpus.hpo.ontology_files", lambda: (tmp_path / "hp.obo", tmp_path / "phenotype.hpoa"))
    main_exits(["demo", "--index", str(tmp_path / "index")])
    printed = capsys.readouterr()
    assert "Indexing 1 of the 4 documents" in printed.err
    assert f"demo --full --index {tmp_path / 'index'}" in printed.out
    main_exits(["demo", "--full", "--index", str(tmp_path / "index")])
    printed = capsys.readouterr()
    assert "3 documents are left: about 1 minute on this machine" in printed.err
    assert "demo --full" not in printed.out
    assert open_index(tmp_path / "index").statistics().documents == 4


def test_the_sample_of_the_demo_is_even_and_has_what_the_questions_ask_for():
    documents = [Document(str(number), f"Term {number % 9}", ()) for number in range(3300)]
    documents[7] = Document("7", "Pericardial effusion", (Section("", "Fluid around the heart."),))
    documents[9] = Document("9", "Lymphedema", (Section("", "Fluid in a limb."),))
    sampled = [document.doc_id for document in demo.sample(documents, ["What is fluid around the heart called?"])]
    assert sampled == sorted([*(str(number) for number in range(0, 3300, 2)), "7"], key=int)


@pytest.mark.data
def test_real_pubmed_and_jats_files_are_found_by_content_year_and_mesh(data_folder, tmp_path, capsys):
    index = str(tmp_path / "index")
    pubmed = ("biopython_pubmed1.xml", "biopython_pubmed4.xml", "medsamp2010.xml", "pubmed-29768149.xml")
    for sources in ([*(f"pubmed_xml/{name}" for name in pubmed)], ["jats"]):
        files = [str(data_folder / "formats" / source) for source in sources]
        main_exits(["index", *files, "--index", index, "--json"])
    counts = objects(capsys)
    assert [(count["documents"], count["skipped"]) for count in counts] == [(150, 0), (4, 0)]
    found = search_json(capsys, ["nitrite reductase regulation in Paracoccus", "--index", index])
    assert found[0]["doc_id"] == "PMID:10540283"
    later = search_json(capsys, ["bacteria", "--index", index, "--where", "year>=2008"])
    assert later
    assert all(one["metadata"]["year"] >= 2008 for one in later)
    animals = search_json(capsys, ["growth", "--index", index, "--where", "mesh=Animals"])
    assert animals
    assert all("Animals" in one["metadata"]["mesh"] for one in animals)


def search_json(capsys, arguments: list[str]) -> list[dict]:
    main_exits(["search", *arguments, "--json"])
    return objects(capsys)


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_same_command(tmp_path, capsys):
    lines = [{"_id": str(number), "text": f"Sentence {number} is about the heart. " * 12} for number in range(400)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-m", "osler", "index", str(tmp_path / "corpus.jsonl"), "--index"]
    environment = {**os.environ, "OSLER_INDEX_COMMIT_PASSAGES": "40"}
    killed = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment, stderr=subprocess.DEVNULL)
    wait_for_rows(tmp_path / "killed")
    killed.kill()
    killed.wait()
    assert 0 < open_index(tmp_path / "killed").statistics().documents < 400
    for folder in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / folder)], env=environment, check=True, capture_output=True)
    ranked = [
        search_json(capsys, ["heart 7", "--index", str(tmp_path / name), "-k", "50"]) for name in ("killed", "whole")
    ]
    assert [(one["passage_id"], one["text"]) for one in ranked[0]] == [
        (one["passage_id"], one["text"]) for one in ranked[1]
    ]
    assert [one["score"] for one in ranked[0]] == pytest.approx([one["score"] for one in ranked[1]], abs=1e-3)
    assert open_index(tmp_path / "killed").statistics().documents == 400


def wait_for_rows(folder) -> None:
    """Until the first commit is there; a minute at most."""
    for _ in range(600):
        time.sleep(0.1)
        if index_exists(folder) and open_index(folder).statistics().documents:
            return
    raise AssertionError("no commit within a minute")


def test_a_run_is_summed_up_in_one_line():
    report = IndexingReport(documents=1, passages=1, skipped=1, seconds=0.5)
    assert report_sentence(report, "library") == (
        "library: 1 document in 1 passage, 1 skipped, in 0.5 s (2 passages a second)"
    )
    assert report_sentence(replace(report, documents=0, passages=2000, skipped=0), "library") == (
        "library: 0 documents in 2,000 passages, in 0.5 s (4,000 passages a second)"
    )


def test_the_time_left_goes_by_the_share_of_bytes_whose_passages_are_encoded():
    progress = IndexingProgress(1000)
    progress.read(500)
    progress.report(IndexingReport(passages=30, waiting=10))
    assert progress.share == pytest.approx(0.5 * 30 / 40)


def test_nobody_knows_the_time_left_of_standard_input():
    progress = IndexingProgress(None)
    progress.read(500)
    progress.report(IndexingReport(passages=30))
    assert progress.phrase == "30 passages"


@pytest.mark.slow
def test_a_search_does_not_wait_for_pandas(index):
    """Where pandas is installed, LanceDB's own libraries import it on sight; it can be imported afterwards."""
    script = (
        "import sys; from osler.cli import main\n"
        f"try: main(['search', 'aspirin', '--index', {index!r}, '-k', '1', '--json'])\n"
        "except SystemExit: pass\n"
        "assert 'lancedb' in sys.modules and 'pandas' not in sys.modules\n"
        "import pyarrow, importlib.util\n"
        "if importlib.util.find_spec('pandas'): assert len(pyarrow.table({'a': [1]}).to_pandas()) == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.slow
def test_a_search_does_not_wait_for_checks_of_functions_that_it_never_calls(index):
    """LanceDB's client of remote catalogues has pydantic build them; whoever asks for checks afterwards gets them."""
    script = (
        "import sys; from osler.cli import main\n"
        f"try: main(['search', 'aspirin', '--index', {index!r}, '-k', '1', '--json'])\n"
        "except SystemExit: pass\n"
        "from lance_namespace_urllib3_client.api.table_api import TableApi\n"
        "assert not hasattr(TableApi.list_tables, 'raw_function')\n"
        "import pydantic\n"
        "checked = pydantic.validate_call(TableApi.list_tables)\n"
        "assert checked.raw_function is TableApi.list_tables\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
