"""The benchmarks run: each script says what it takes, and the one of growth measures small tables."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from osler.config import Settings
from osler.load import build_index

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
def test_a_script_says_what_it_takes(script):
    assert run(script, "--help").startswith(f"usage: {script}")


@pytest.fixture
def data(tmp_path):
    """Three documents and a question, in BEIR's layout."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "fluid around the heart"}))
    (folder / "qrels_dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\theart\t1\n")
    return folder


def test_growth_measures_tables_of_each_size(data, tmp_path):
    build_index([data / "corpus.jsonl"], tmp_path / "index", Settings())
    sizes = [word for size in (12, 24) for word in ("--size", size)]
    printed = run("growth.py", "--data", data, "--index", tmp_path / "index", "--work", tmp_path / "work", *sizes)
    rows = re.findall(r"^\| (\d+) \|(.*)\| (\d\.\d{3}) \|$", printed, re.MULTILINE)
    assert [(size, recall) for size, _, recall in rows] == [("12", "1.000"), ("24", "1.000")]
    assert "Growth, as a power of the number of passages:" in printed
