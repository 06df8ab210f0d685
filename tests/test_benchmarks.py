"""The benchmarks run: each script says what it takes, and those of an index measure a small one."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from osler.config import Settings
from osler.load import build_index

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text())
TEXTS = {
    "heart": "We followed 91 adults. Fluid around the heart was seen in 12 of them. No patient died within a year.",
    "lung": "Pulmonary oedema is fluid in the air sacs of the lung. It makes breathing hard.",
    "dog": "Epilepsy is common in dogs. Phenobarbital controls most seizures. Some dogs need a second drug.",
}


def run(script, *words):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_what_it_takes(script, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    assert capsys.readouterr().out.startswith(f"usage: {script}")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three documents and a question, in BEIR's layout."""
    folder = tmp_path_factory.mktemp("data")
    lines = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "fluid around the heart"}))
    (folder / "qrels_dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\theart\t1\n")
    return folder


@pytest.fixture(scope="module")
def index(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "index"
    build_index([data / "corpus.jsonl"], folder, Settings())
    return folder


def rows_of(printed):
    """The cells of each row of the table, by the first of them."""
    lines = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("| ")]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines[1:]}


def test_maxsim_is_compared_with_torch(index):
    rows = rows_of(run("maxsim.py", "--index", index, "--passages", "3", "--turns", "2"))
    assert [name.partition(",")[0] for name in rows] == ["osler", "osler", "osler", "torch"]
    assert all(re.fullmatch(r"\d+\.\d", milliseconds) for milliseconds, _ in rows.values())


def test_every_form_of_token_vectors_is_ranked_and_weighed(data, index):
    rows = rows_of(run("token_vectors.py", "--data", data, "--index", index))
    sizes = [float(rows[name][2].replace(",", "")) for name in ("float", "8 bits", "4 bits", "2 bits", "1 bit")]
    assert sizes == sorted(sizes, reverse=True)
    assert rows["float"][0] == rows["2 bits"][0] == "1.0000"


def test_a_start_takes_time(index):
    rows = rows_of(run("startup.py", "--index", index, "--turns", "1"))
    assert list(rows) == ["import osler", "osler --help", "osler search"]
    assert 0 < float(rows["import osler"][0]) < float(rows["osler search"][0])


def test_a_search_is_compared_with_sentence_transformers(data, tmp_path):
    rows = rows_of(run("search.py", "--data", data, "--work", tmp_path / "work", "--rounds", "2"))
    assert list(rows)[:3] == ["osler, like for like", "osler, default settings", "sentence-transformers"]
    assert {cells[4] for cells in rows.values()} == {"1.0000"}


def test_encoding_is_compared_with_sentence_transformers_and_with_products_of_matrices(data):
    rows = rows_of(run("encoding.py", data / "corpus.jsonl", "--passages", "3", "--turns", "1"))
    assert next(iter(rows)) == "sentence-transformers"
    assert {"osler, fp32", "osler, int8", "osler index", "large matrices alone, float32"} <= set(rows)
    assert float(rows["osler, fp32"][3]) == 1
    assert 0.9 < float(rows["osler, int8"][3]) < 1


def test_backbones_are_compared_in_one_pass_and_in_two(data):
    rows = rows_of(run("backbones.py", data / "corpus.jsonl", "--passages", "3", "--tokens", "8", "--turns", "1"))
    assert list(rows) == [
        "BERT-base, dense vectors",
        "ModernBERT-base, dense vectors",
        "ModernBERT-base, token vectors",
        "ModernBERT-base, both",
        "ModernBERT-base, both in one pass",
        "sentence-transformers, ModernBERT-base, dense vectors",
    ]


def test_every_precision_is_ranked_against_float32(data):
    rows = rows_of(run("precision.py", "--data", data))
    assert {"fp32", "int8"} <= set(rows)
    assert {cells[0] for cells in rows.values()} == {"1.0000"}
    assert rows["fp32"][1] == ""
    assert rows["int8"][1] == "+0.0000 (+0.0000 to +0.0000)"


def test_a_peer_answers_from_an_environment_of_its_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peer

    (tmp_path / "fake.txt").write_text("")
    (tmp_path / "fake.py").write_text(
        "import sys\nfrom answering import answer\n"
        "def prefix():\n    print('not a reply')\n    return sys.prefix\n"
        "answer({'prefix': prefix, 'end': lambda status: sys.exit(status)})\n"
    )
    shutil.copy(BENCHMARKS / "peers" / "answering.py", tmp_path)
    monkeypatch.setattr(peer, "SCRIPTS", tmp_path)
    with peer.Peer("fake", tmp_path) as running:
        result, seconds = running.call("prefix")
        assert result == str(tmp_path / "environments" / "fake")
        assert 0 < seconds < 1
        with pytest.raises(RuntimeError, match="ended during 'end'"):
            running.call("end", status=3)


def test_growth_measures_tables_of_each_size(data, index, tmp_path):
    sizes = [word for size in (12, 24) for word in ("--size", size)]
    printed = run("growth.py", "--data", data, "--index", index, "--work", tmp_path / "work", *sizes)
    rows = re.findall(r"^\| (\d+) \|(.*)\| (\d\.\d{3}) \|$", printed, re.MULTILINE)
    assert [(size, recall) for size, _, recall in rows] == [("12", "1.000"), ("24", "1.000")]
    assert "Growth, as a power of the number of passages:" in printed
    assert "earlier run" not in printed
    again = run("growth.py", "--data", data, "--index", index, "--work", tmp_path / "work", "--size", "12")
    assert "Written by an earlier run: 12." in again
