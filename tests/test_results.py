"""The study: its commands are ones that osler has, and the pages hold what they printed."""

import importlib.util
import json
import re
import shlex
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.ablation.__main__ import app as ablation
from experiments.full_text import ABSTRACT, FULL_TEXT, FullTextReport, IndexCost, PartReport
from experiments.full_text import app as full_text
from experiments.negation import ClusterShares, ProbeResult
from experiments.negation import app as negation
from osler.cli import app
from osler.evaluate.answers import AnswerReport
from osler.evaluate.report import RunReport
from osler.evaluate.sweep import ALL

RUNS = Path(__file__).parent.parent / "runs"


def commands_of(script: str) -> list[tuple[str, str]]:
    return re.findall(r"^(?:last_line_)?into (\S+) (.*)$", (RUNS / script).read_text(), re.MULTILINE)


COMMANDS, MEASUREMENTS = commands_of("reproduce.sh"), commands_of("measure.sh")


def load(name):
    spec = importlib.util.spec_from_file_location(name, RUNS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RUNS))
        spec.loader.exec_module(module)
    return module


tables, figures, study = load("tables"), load("figures"), load("study")
PAGES = {
    path.name: path.read_text() for path in (RUNS.parent / "docs").rglob("*.md") if "<!-- begin:" in path.read_text()
}
PLACES = {source for page in PAGES.values() for _, source, _, _ in tables.PLACE.findall(page)}


EXPERIMENTS = {"experiments.ablation": ablation, "experiments.negation": negation, "experiments.full_text": full_text}


@pytest.mark.parametrize("command", [command for _, command in COMMANDS if "benchmarks/" not in command])
def test_every_flag_of_the_study_is_one_of_its_command(command):
    words = shlex.split(command)
    program, group = (app, words[1:3] if words[1] == "evaluate" else words[1:2])
    if words[:2] == ["python", "-m"]:
        program, group = EXPERIMENTS[words[2]], []
        words = words[2:]
    shown = CliRunner().invoke(program, [*group, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    for flag in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", shown.output), f"{flag}: not in {shown.output}"


@pytest.mark.parametrize("command", [command for _, command in COMMANDS + MEASUREMENTS if "benchmarks/" in command])
def test_every_flag_of_a_benchmark_is_one_of_its_script(command):
    words = shlex.split(command)
    script = (RUNS.parent / words[1]).read_text()
    for flag in (word for word in words if word.startswith("--")):
        assert f'"{flag}"' in script, f"{words[1]} has no {flag}"


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_those_of_the_files_and_of_the_code(name):
    page = PAGES[name]
    assert page.count("<!-- begin:") == page.count("<!-- end -->") == len(tables.PLACE.findall(page))
    assert tables.filled(page) == page, "run `python runs/tables.py`"


def test_every_file_of_the_scripts_has_a_place_on_a_page():
    without = {"training.jsonl", "corpora.json", "sweep_index.json"}  # how models and indexes came about
    files = [f"results/{name}" for name, _ in COMMANDS if name not in without]
    files += [f"performance/{name}" for name, _ in MEASUREMENTS]
    assert [name for name in files if not any(fnmatch(name, source) for source in PLACES)] == []


def test_a_table_stands_under_its_command_and_prose_stays():
    page = "Before.\n\n<!-- begin: performance/startup.md -->\nold\n<!-- end -->\n\nAfter.\n"
    filled = tables.filled(page)
    assert filled.startswith(
        "Before.\n\n<!-- begin: performance/startup.md -->\n\n```console\npython benchmarks/startup.py"
    )
    assert filled.endswith("\n\n<!-- end -->\n\nAfter.\n")
    assert "| import osler | " in filled
    assert "old" not in filled
    assert tables.filled(filled) == filled


def test_what_was_not_measured_yet_says_so_under_its_command(tmp_path):
    assert tables.measured("results/answers.json", tmp_path) == (
        "```console\nosler evaluate answers --data bioasq --split dev --index $WORK/bioasq --queries 50 --json\n```\n\n"
        "Not measured yet."
    )


def test_commands_stand_together_above_what_each_of_them_printed(tmp_path):
    (tmp_path / "results").mkdir()
    for name in ("bioasq", "medquad"):
        (tmp_path / "results" / f"left_out_{name}.md").write_text(f"| {name} |\n|---|\n")
    text = tables.measured("results/left_out_*.md", tmp_path)
    assert text.count("python benchmarks/leave_one_out.py") == 4
    assert text.endswith("```\n\n| bioasq |\n|---|\n\n| medquad |\n|---|")


@pytest.mark.parametrize("source", ["results/mirage_other.jsonl", "elsewhere/answers.json", "answers.json"])
def test_a_file_that_no_command_makes_is_refused(source):
    with pytest.raises(SystemExit, match="no command of measure.sh or reproduce.sh makes it"):
        tables.measured(source)


def test_a_figure_is_what_its_table_says(tmp_path):
    (tmp_path / "startup.md").write_text(
        "|  | seconds, median | slowest |\n|---|---|---|\n| import osler | 0.3 | 0.4 |\n"
    )
    with pytest.raises(KeyError):
        figures.figures("aims", tmp_path)
    [aim] = [figure for figure in figures.AIMS if figure.row == "import osler"]
    reached = figures.value((tmp_path / "startup.md").read_text(), aim)
    assert (reached, figures.met(aim.aim, reached), figures.met("≤ 0.3", reached)) == ("0.3", "no", "yes")
    pattern = figures.Figure("", "search.md", r"([\d,]+) together")
    assert figures.value("Queries a second: 1,095 together, 87 one by one.", pattern) == "1,095"


def test_what_was_measured_elsewhere_stands_beside_it(tmp_path):
    rows = {"import osler": 0.1, "osler --help": 0.2, "osler search": 2.0}
    for folder, factor in ((tmp_path, 1), (tmp_path / "amx", 2)):
        folder.mkdir(exist_ok=True)
        cells = "".join(f"| {name} | {value * factor} |\n" for name, value in rows.items())
        (folder / "startup.md").write_text(f"|  | seconds, median |\n|---|---|\n{cells}")
    heading, _, *lines = figures.figures("aims", tmp_path).splitlines()
    assert heading == "|  | aim | reached | in a slow hour | with AMX |"
    assert lines[0] == "| `import osler`, seconds | ≤ 0.2 | 0.1, yes |  | 0.2, yes |"
    assert lines[1] == "| `osler --help`, seconds | ≤ 0.3 | 0.2, yes |  | 0.4, no |"
    assert figures.figures("expected", tmp_path).splitlines()[2].endswith("| 2.0 |  | 4.0 |")


def lines(*objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_a_run_has_a_row_and_each_paired_test_a_line(tmp_path):
    metrics = dict.fromkeys(study.MEASURES, 0.5)
    found = {"queries": 7, "metrics": metrics, "intervals": {"nDCG@10": [0.4, 0.6]}}
    compared = {"run": "bm25", "measure": "nDCG@10", "difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.01}
    final = {"stage": "ranked", **found, "compared": [{**compared, "verdict": "better"}]}
    file = tmp_path / "retrieval_medquad.jsonl"
    file.write_text(lines({"stage": "candidates", **found}, final))
    text = study.render([file])
    assert "| ranked | 0.500 (0.400–0.600) | 0.500 |" in text
    assert "- ranked against bm25: nDCG@10 +0.100 (+0.050 to +0.150, p = 0.0100), **better**" in text


@pytest.mark.parametrize("name", ["ablation", "sweep"])
def test_a_report_becomes_a_part(tmp_path, name):
    folder = tmp_path / "results"
    (folder / name).mkdir(parents=True)
    (folder / f"{name}.jsonl").write_text("{}\n")
    text = f"# Title\n\n![plot]({name}.png)\n\n## Part\n\nText.\n\n## {ALL}\n\nRows.\n"
    (folder / name / f"{name}.md").write_text(text)
    text = study.render([folder / f"{name}.jsonl"])
    assert f"![plot](results/{name}/{name}.png)" in text
    assert "\n### Part" in text
    assert "# Title" not in text
    assert ("Rows." in text) == (name == "ablation")
    assert ("[results/sweep/sweep.md](results/sweep/sweep.md)" in text) == (name == "sweep")


def test_accuracy_stands_beside_what_guessing_reaches(tmp_path):
    task = {"questions": 9, "accuracy": 0.5, "se": 0.1, "parse_failures": 0, "choices": {"A": 2, "B": 6}}
    last = {"tasks": {"mmlu": task}, "macro": 0.5, "macro_se": 0.1, "parse_failure_rate": 0.0}
    last["baselines"] = {"always A": {"mmlu": 0.25, "macro": 0.25}}
    last["compared"] = {
        "run": "alone",
        "questions": 9,
        "right": 5,
        "right_there": 4,
        "p": 0.9,
        "verdict": "no difference",
    }
    (tmp_path / "mirage_passages.jsonl").write_text(lines(last))
    text = study.render([tmp_path / "mirage_passages.jsonl"])
    assert "| accuracy ± standard error | 0.500 ± 0.100 | 0.500 ± 0.100 |" in text
    assert "| most frequent reply | B 67% |  |" in text
    assert "| always A | 0.250 | 0.250 |" in text
    assert "(McNemar p = 0.9000): no difference." in text


def report(found):
    """Of three known items, by an index that finds them or not."""
    qrels = {f"q{number}": {"d": 1} for number in range(3)}
    run = {query_id: {"d": 1.0} for query_id in qrels} if found else {}
    return RunReport.of("", qrels, run)


def test_what_other_commands_print_becomes_tables(tmp_path):
    part = PartReport("body", {ABSTRACT: report(found=False), FULL_TEXT: report(found=True)})
    costs = {ABSTRACT: IndexCost(2, 3, 1.0, 2_000_000, 4.0, 5.0), FULL_TEXT: IndexCost(2, 9, 3.0, 6_000_000, 6.0, 7.0)}
    (tmp_path / "full_text.jsonl").write_text(lines(*FullTextReport(costs, [part]).json()))
    clusters = {"… was ruled out": ClusterShares(3, 0.5, 0.75)}
    probed = ProbeResult(4, 8, 0.5, (0.4, 0.6), 0.75, (0.6, 0.9), 0.04, clusters)
    (tmp_path / "negation.json").write_text(lines({"templates": asdict(probed)}))
    answered = AnswerReport({"answer_rate": [1.0, 0.0], "citation_precision": [0.5]})
    (tmp_path / "answers.json").write_text(lines(answered.json()))
    text = "\n".join(study.render([tmp_path / name]) for name in ("full_text.jsonl", "negation.json", "answers.json"))
    assert "| full text | 2 | 9 | 3 | 6.0 | 6.0 / 7.0 |" in text
    assert "| body | full text | 3 | 1.000 | 1.000 (1.000–1.000) |" in text
    assert "too few queries to tell" in text
    assert "| templates | 1 | 4 | 0.500 (0.400–0.600) | 0.750 (0.600–0.900) | 0.0400 |" in text
    assert "| … was ruled out | 3 | 0.500 | 0.750 |" in text
    assert "| citation precision | 0.500 (0.500–0.500) | 1 |" in text


def test_pairs_of_sets_share_a_table_that_says_what_was_not_compared(tmp_path):
    found = {"train": "bioasq", "queries": 1, "passages": 2, "titles": None, "records": 1234, "touched": 2, "left": 7}
    for name, test in {"bioasq_bioasq": "bioasq:dev", "mirage_bioasq": "b.json"}.items():
        (tmp_path / f"contamination_{name}.jsonl").write_text(lines({"kind": "query"}, {**found, "test": test}))
    text = study.render(sorted(tmp_path.iterdir()))
    assert "| b.json | bioasq | 1 | 2 | not compared | 1,234 | 2 of 9 |" in text
    assert text.count("| evaluation set |") == 1


def test_the_commands_of_files_that_share_a_table_stand_above_it():
    text = tables.measured("results/contamination_*.jsonl")
    assert "--test bioasq:dev --json\nosler evaluate contamination" in text
    assert text.count("```console") == text.count("| evaluation set |") == 1
