import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from osler.cli import app, main
from osler.cli.progress import training_phrase
from osler.cli.tables import print_training
from osler.train.pipeline import Progress

STAGES = {"candidates": {"nDCG@10": 0.5, "RR@10": 0.5, "Recall@1": 0.25, "Recall@10": 1.0}}
STAGES["ranked"] = {**STAGES["candidates"], "nDCG@10": 0.75}
DEV = {
    "stage1_weight": 0.4,
    "queries": {"scifact": 1234},
    "measures": {"scifact": STAGES},
    "macro": STAGES,
    "ranked_against_candidates": {"difference": 0.25, "low": 0.1, "high": 0.4, "p": 0.001},
}
MINING = {
    "examples": 1000,
    "without_negatives": 3,
    "negatives_per_example": 6.5,
    "looked_at": 900,
    "kept": 650,
    "dropped": {"known_positive": {"count": 250, "share": 0.28}},
    "scores": {"negatives": {"50%": 0.5}},
}


def test_the_summary_shows_each_data_set_with_both_stages(capsys):
    print_training({"mining": MINING, "dev": DEV})
    shown = capsys.readouterr().out
    assert "1,000 examples with 6.5 negatives each" in shown
    assert "known positive" in shown
    assert "chosen on valid: 0.4" in shown
    assert "scifact" in shown
    assert "0.750" in shown
    assert "+0.250" in shown


def test_a_run_that_stopped_before_the_end_shows_what_there_is(capsys):
    print_training({"retriever": {"model": "retriever/model", "examples": 5}})
    assert capsys.readouterr().out == ""


def test_progress_says_the_step_the_loss_the_speed_and_the_time_left():
    phrase = training_phrase(Progress("retriever", 12, 1200, 0.5, 7.25, 90.0))
    assert phrase == "retriever · 12 of 1,200 · loss 0.500 · 7.2 a second · 0:01:30 left"
    assert training_phrase(Progress("mine scifact", 1, 2, None, 0.0, None)) == "mine scifact · 1 of 2"


@pytest.mark.parametrize("words", [["train"], ["train", "retriever"], ["train", "reranker"], ["mine"]])
def test_every_step_explains_itself_with_an_invocation(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert "osler " + " ".join(words) in result.output
    assert "--data" in result.output


def test_mistakes_are_one_line_and_exit_code_2(capsys, tmp_path):
    for words, said in (
        (["train", "--out", str(tmp_path)], "names no data"),
        (["train", "--data", "a", "--set", "sed=1"], "unknown setting 'sed'"),
        (["mine", "--data", "a:"], "names no data set"),
        (["mine", "--data", "builtin:hpo-lay", "--out", ""], "--out is empty"),
        (["train", "--data", "builtin:nothing"], "no such data set"),
        (["train", "--out", str(tmp_path), "retriever", "--data", "a"], "Options come behind the step"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_bad_data_stop_a_run_before_any_training(capsys, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "title": "", "text": "Text."}))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "Query?"}))
    (folder / "qrels_train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tgone\t1\n")
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--data", str(folder), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert "gone" in error
    assert [line for line in error.splitlines() if line.startswith("osler:")]
    assert not (tmp_path / "out").exists()


def test_a_data_set_that_is_not_there_is_told_before_torch_is_loaded(tmp_path):
    code = (
        "import sys\nfrom osler.cli import main\n"
        f"try:\n    main(['train', '--data', {str(tmp_path / 'nowhere')!r}])\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no such data set" in done.stderr
    assert done.stdout == "False\n"
