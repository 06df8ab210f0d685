"""Strangers' text on its way to a terminal, a pipe and a program: nothing in it is ever obeyed."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.panel import Panel
from rich.progress import Progress, TextColumn
from rich.table import Table

from experiments.negation import ClusterShares, ProbeResult, print_negation
from osler.cli import main, printing
from osler.cli.progress import counting
from osler.cli.terminal import SafeConsole, Text, json_line, printable
from osler.records import Answer, Citation, Document, EvidenceSpan, Passage, RankedPassage, Ranking, Section

SEQUENCES = (
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]52;c;Y2xpcA==\x1b\\", "\x1b]8;;http://x\x1b\\", "\x1bP1$r\x1b\\", "\x1b[31m",
    "\x00", "\b\b", "\x0b", "\x0c", "\r", "\x0e", "\x0f", "\x7f", "\x9b2J", "\x9d0;t\x9c", "\x85", "\u061c", "\u200e",
    "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\u2028", "\u2029", "\ud800", "\udcff", "\U000e0041",
)  # fmt: skip
WORDS = ("aspirin ", "fièvre ", "发烧 ", "حمى ", "e\u0301", "\u200d", "[red]", ":smile:", "\n", "\t", "a\r\nb")
TEXTS = st.lists(st.sampled_from(SEQUENCES + WORDS), min_size=1, max_size=12).map("".join)
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def ranked(text: str) -> RankedPassage:
    metadata = {"journal": text, "year": text, "retracted": True}
    evidence = EvidenceSpan(0, len(text), text, 0.9, ((0, 3, 0.9), (3, 6, 0.5)))
    passage = Passage(f"{text}#0", text, text, text, 0, len(text), text, metadata)
    return RankedPassage(passage, 1, 0.9, 1, 0.8, evidence)


def answer(text: str) -> Answer:
    evidence = EvidenceSpan(0, len(text), text, 0.9)
    citation = Citation("[1]", f"{text}#0", text, evidence, False, text)
    return Answer(text, text, False, (citation,), (text,), Ranking(text, (ranked(text),)))


@contextmanager
def consoles(*, terminal: bool):
    """What is printed meanwhile, to standard output and error together."""
    written = io.StringIO()
    colours = "truecolor" if terminal else None
    console = SafeConsole(file=written, width=60, force_terminal=terminal, color_system=colours)
    with mock.patch.multiple(printing, OUT=console, ERR=console):
        yield written


def print_everything(text: str) -> None:
    printing.print_ranking(Ranking(text, (ranked(text),), {"encode": 0.1}))
    printing.print_answer(answer(text))
    printing.print_document(Document(text, text, (Section(text, text),), {text: text}, {text: [text, {text: text}]}))
    printing.print_notice(f"skipped {text}")
    printing.OUT.rule(text)
    table = Table(text, title=text)
    table.add_row(text)
    printing.OUT.print(table)
    with Progress(TextColumn("{task.description}"), console=printing.ERR, transient=False) as bar:
        bar.add_task(text.replace("[", "("))


@given(TEXTS)
def test_no_control_character_but_tab_and_line_end_reaches_a_pipe(text):
    with consoles(terminal=False) as written:
        print_everything(text)
    assert not OBEYED.search(written.getvalue())


@given(TEXTS)
def test_a_terminal_gets_no_control_sequence_but_richs_own(text):
    with consoles(terminal=True) as written:
        print_everything(text)
    rich_alone = re.sub(r"\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1?A|\r", "", STYLE.sub("", written.getvalue()))
    assert not OBEYED.search(rich_alone)
    assert STYLE.search(written.getvalue())


@given(TEXTS.filter(lambda text: "\u200d" not in text))  # Rich joins a frame to it
def test_a_panel_stays_aligned_around_any_text(text):
    with consoles(terminal=False) as written:
        printing.OUT.print(Panel(Text(text), title=Text(text), title_align="left"))
    assert {cell_len(line) for line in written.getvalue().splitlines()} == {60}


@given(TEXTS)
def test_json_gives_back_the_text_and_holds_no_control_character(text):
    line = json_line({text: text})
    assert line.endswith("}\n")
    assert not OBEYED.search(line[:-1])
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # halves side by side are a pair
    assert json.loads(line) == {joined: joined}
    assert json_line({text: text}, encoding="ascii").isascii()


@pytest.mark.parametrize("sequence", [one for one in SEQUENCES if one != "\n"])
def test_a_control_sequence_is_shown_in_as_many_characters(sequence):
    assert len(printable(sequence)) == len(sequence)
    assert "\ufffd" in printable(sequence)


def test_what_scripts_need_is_left_alone():
    for text in ("می\u200cخواهم", "क्\u200dष", "soft\u00adhyphen", "👩\u200d⚕️", "10⁶", "a\tb\nc", "e\u0301"):
        assert printable(text) == text


def test_a_windows_line_end_is_a_line_end():
    assert printable("one\r\ntwo") == "one \ntwo"


def test_other_letters_than_ascii_stay_readable_in_json():
    assert json_line({"title": "Ménière, 发烧\x9b2J\x7f"}) == '{"title": "Ménière, 发烧\\u009b2J\\u007f"}\n'


def test_the_highlighted_words_are_those_of_the_evidence_after_a_control_character():
    text = printing.highlighted(EvidenceSpan(0, 9, "\x07\x1b heart", 0.9, ((3, 8, 0.9),)))
    assert [text.plain[span.start : span.end] for span in text.spans] == ["heart"]


def test_an_id_and_a_title_are_shown_whole_at_any_width():
    for text in ("https://doi.org/10.1016/" + "a" * 90, "阿司匹林治疗脑卒中的疗效与安全性" * 5, "long title " * 30):
        with consoles(terminal=False) as written:
            printing.print_ranking(Ranking("q", (ranked(text),)))
            printing.print_answer(answer(text))
        shown = re.sub(r"\s", "", written.getvalue())
        assert shown.count(re.sub(r"\s", "", text)) >= 4
        assert "…" not in written.getvalue()


def test_a_record_without_a_text_takes_no_line_for_it():
    passage = Passage("PMID:8#0", "PMID:8", "Retraction: Mice.", "", 0, 0)
    with consoles(terminal=False) as written:
        printing.print_ranking(Ranking("mice", (RankedPassage(passage, 1, 0.9, 1, 0.8, None),)))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert lines[:3] == ["1. Retraction: Mice.", "   PMID:8#0  (score 0.900, candidate 1)", ""]


def test_metadata_is_shown_in_words():
    metadata = {
        "authors": ["Osler, William", "Smith, J"],
        "mesh": ["Humans", "Stroke"],
        "notices": {"retraction": ["PMID:7"]},
    }
    with consoles(terminal=False) as written:
        printing.print_document(Document("1", "", (Section("", "Text."),), {}, metadata))
    assert (
        "authors: Osler, William; Smith, J\nmesh: Humans, Stroke\nnotices: retraction: PMID:7\n" in written.getvalue()
    )


def test_a_stage_of_training_is_shown_as_it_is_named(capsys):
    console = SafeConsole(stderr=True, force_terminal=True, width=80)
    with mock.patch("osler.cli.progress.ERR", console), counting("mining [/red] of \x1b[2J") as shown:
        shown(1, 2)
    assert "mining [/red] of \ufffd[2J · 1 of 2" in capsys.readouterr().err


def test_a_long_name_in_a_table_is_shown_whole():
    name, half = "runs/" + "a" * 90, (0.5, 0.5)
    result = ProbeResult(2, 4, 0.5, half, 0.5, half, 1.0, {name: ClusterShares(2, 0.5, 0.5)})
    with consoles(terminal=False) as written, mock.patch("experiments.negation.OUT", printing.OUT):
        print_negation({"templates": result})
    first_column = [line[1:].partition("│")[0].strip() for line in written.getvalue().splitlines()]
    assert name in "".join(first_column)


def test_a_name_cannot_forge_a_second_line(capsys):
    printing.print_notice("skipped a\nosler: done")
    assert capsys.readouterr().err == "skipped a osler: done\n"


def test_an_error_shows_the_id_that_was_asked_for_without_obeying_it(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["search", "x", "--index", str(tmp_path / "\x1b[2J\x9b\u202e")])
    error = capsys.readouterr().err
    assert not OBEYED.search(error)
    assert error.count("\n") == 1


@pytest.fixture(scope="module")
def strange_index(tmp_path_factory):
    """An index of one document that holds every sequence, and what making it printed."""
    folder = tmp_path_factory.mktemp("strange")
    text = "Aspirin lowered " + " ".join(SEQUENCES[:-3]) + " the fever of patients."
    line = {"_id": "id\x1b[2J\u202e", "title": text, "text": text, "metadata": {"year": 2012, "journal": text}}
    file = folder / "a\x1b]0;name\x07\x9b2J.jsonl"
    file.write_text(json.dumps(line) + '\n{"_id": "d\\u001b[2J\n')
    done = osler("index", str(file), "--index", str(folder / "index"))
    assert done.returncode == 0
    return str(folder / "index"), done.stdout + done.stderr


def osler(*arguments: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, **options.pop("environment", {})}
    command = [sys.executable, "-m", "osler", *arguments]
    return subprocess.run(command, capture_output="stdout" not in options, env=environment, check=False, **options)


@pytest.mark.slow
def test_the_command_line_obeys_no_document(strange_index):
    index, indexing = strange_index
    search = osler("search", "aspirin for fever", "--index", index)
    show = osler("show", "id\x1b[2J\u202e", "--index", index)
    as_json = osler("search", "aspirin", "--index", index, "--json")
    for done in (search, show, as_json):
        assert done.returncode == 0
        assert not OBEYED.search((done.stdout + done.stderr).decode("utf-8"))
    assert not OBEYED.search(indexing.decode("utf-8"))
    assert "skipped" in indexing.decode("utf-8")
    assert json.loads(as_json.stdout)["doc_id"] == "id\x1b[2J\u202e"


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_narrow_encoding_is_written_legibly(tmp_path, environment):
    file = tmp_path / "corpus.jsonl"
    file.write_text(
        json.dumps({"_id": "1", "title": "Ménière – “naïve”", "text": "10⁶ cells … ≥ 5 μM of H₂O, 10⁻² 发烧."})
    )
    assert osler("index", str(file), "--index", str(tmp_path / "index"), environment=environment).returncode == 0
    found = osler("search", "cells", "--index", str(tmp_path / "index"), environment=environment)
    as_json = osler("search", "cells", "--index", str(tmp_path / "index"), "--json", environment=environment)
    shown = found.stdout.decode("latin-1")
    assert found.returncode == 0
    assert '- "na' in shown
    assert "Meniere" in shown or "Ménière" in shown
    assert "10^6 cells ... >= 5" in shown
    assert "of H2O, 10^-2 ??" in shown
    assert as_json.stdout.isascii()
    assert json.loads(as_json.stdout)["title"] == "Ménière – “naïve”"


@pytest.mark.slow
def test_the_help_has_a_frame_in_ascii_too():
    shown = osler("--help", environment={"PYTHONIOENCODING": "ascii"}).stdout
    assert b"+- Commands ---" in shown
    assert b"?" not in shown


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_program_as_it_ends_others():
    reading, writing = os.pipe()
    os.close(reading)
    done = osler("--help", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train"]])
def test_a_full_disk_behind_standard_output_is_one_sentence(arguments):
    with Path("/dev/full").open("w") as full:
        done = osler(*arguments, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"osler: standard output cannot be written (No space left on device): send it elsewhere.\n"


@pytest.mark.slow
def test_a_closed_standard_output_is_one_sentence():
    command = f"{sys.executable} -m osler --version >&-"
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"osler: standard output cannot be written")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_without_standard_error_the_work_is_done(tmp_path):
    command = f"{sys.executable} -m osler search x --index {tmp_path / 'none'} 2>&-"
    assert subprocess.run(["bash", "-c", command], check=False, capture_output=True).returncode == 1
    assert subprocess.run(["bash", "-c", f"{sys.executable} -m osler --version 2>&-"], check=False).returncode == 0


@pytest.mark.slow
def test_an_argument_that_is_no_utf_8_is_one_sentence():
    for arguments in (
        ["search", "fi\udce8vre"],
        ["show", "\udcff"],
        ["answer", "\udcff?"],
        ["search", "a", "--index=\udcff"],
    ):
        done = osler(*arguments)
        assert done.returncode == 2
        assert b"is not UTF-8" in done.stderr
        assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_an_argument_is_read_as_utf_8_whatever_the_locale(tmp_path):
    environment = {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = osler("show", "Ménière", "--index", str(tmp_path), environment=environment)
    assert b"is not UTF-8" not in done.stderr


def test_what_nobody_expected_is_one_sentence_and_the_traceback_is_there_for_who_asks(capsys, monkeypatch):
    monkeypatch.setattr("osler.cli.options.settings_from", mock.Mock(side_effect=KeyError("x\x1b[2J")))
    with pytest.raises(SystemExit) as stop:
        main(["search", "heart"])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("osler: unexpected KeyError: ")
    assert "OSLER_DEBUG=1" in error
    assert error.count("\n") == 1
    monkeypatch.setenv("OSLER_DEBUG", "1")
    with pytest.raises(SystemExit):
        main(["search", "heart"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("_lancedb.abi3.so: failed to map segment from shared object")]
)
def test_too_little_memory_is_told_as_such(capsys, monkeypatch, error):
    monkeypatch.setattr("osler.cli.options.settings_from", mock.Mock(side_effect=error))
    with pytest.raises(SystemExit):
        main(["search", "heart"])
    assert capsys.readouterr().err.startswith("osler: out of memory: free some, or raise the limit")


@pytest.mark.slow
def test_the_logs_of_lance_are_silent_as_the_warnings_of_libraries_are(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"_id": "1", "text": "Four mice ran."}\n')
    assert osler("index", "a.jsonl", "--index", "i", cwd=tmp_path).returncode == 0
    done = osler("check", "--index", "i", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_may_have_any_name_and_an_index_one_in_utf_8(tmp_path, capsys):
    file = tmp_path / "corpus\udcff.jsonl"
    file.write_text('{"_id": "1", "text": "Four mice."}\n')
    (tmp_path / "index\udcff").mkdir()
    with pytest.raises(SystemExit) as stop:
        main(["index", str(file), "--index", str(tmp_path / "index\udcff")])
    assert stop.value.code == 1
    assert "is not UTF-8: take a name in UTF-8." in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["index", str(file), "--index", str(tmp_path / "index")])
    assert stop.value.code == 0


def test_a_name_that_the_file_system_refuses_is_one_sentence(capsys):
    with pytest.raises(SystemExit):
        main(["show", "x", "--index", "a" * 300])
    shown = f"{'a' * 40}…{'a' * 20}"
    assert capsys.readouterr().err == f"osler: {shown} cannot be a folder (File name too long): name another one.\n"


def test_wrong_usage_is_one_line_that_names_the_help(capsys):
    for arguments in (
        ["serach"],
        ["search", "--what"],
        ["search", "a", "-k", "\x1b[2J"],
        ["show"],
        ["show", "a", "\x9b"],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        error = capsys.readouterr().err
        assert stop.value.code == 2
        assert error.startswith("osler: ")
        assert error.count("\n") == 1
        assert "--help`." in error
        assert not OBEYED.search(error)
