"""What the commands of the study printed, as Markdown. Knows their JSON; computes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from osler.evaluate.report import p_text, p_value, table, with_interval

MEASURES = ("nDCG@10", "RR@10", "Recall@1", "Recall@10", "Recall@100")
PARTS = {
    "queries": "queries",
    "passages": "positives",
    "titles": "titles of positives",
    "records": "PubMed records of positives",
}
"""By its name in the report on contamination: the heading of a column."""


def render(files: Sequence[Path]) -> str:
    """The Markdown of the output of one command, or of several commands whose outputs share a table."""
    maker = next(maker for pattern, maker in MAKERS.items() if fnmatch(files[0].name, pattern))
    return maker(*files)


def verbatim(*files: Path) -> str:
    """The files as they are."""
    return "\n\n".join(file.read_text(encoding="utf-8").strip() for file in files)


def ablation(file: Path) -> str:
    """The report in the folder of the same name, its headings one level lower."""
    folder = file.with_suffix("")
    text = (folder / f"{folder.name}.md").read_text(encoding="utf-8")
    body = text.partition("\n")[2].strip().replace("](", f"]({file.parent.name}/{folder.name}/")
    return re.sub(r"^#", "##", body, flags=re.MULTILINE)


def sweep(file: Path) -> str:
    """The report of a sweep up to the table of every setting, which stays in the folder."""
    page = f"{file.parent.name}/{file.stem}/{file.stem}.md"
    return f"{ablation(file).partition('### All settings')[0]}Every setting: [{page}]({page})."


def retrieval(file: Path) -> str:
    """A row a run with its interval, then what the paired tests say of the final ranking."""
    lines = _read(file)
    rows = [
        (
            next(line[kind] for kind in ("stage", "baseline", "run") if kind in line),
            _interval(line, "nDCG@10"),
            *(f"{line['metrics'][measure]:.3f}" for measure in MEASURES[1:]),
        )
        for line in lines
    ]
    compared = next(line["compared"] for line in lines if "compared" in line)
    tests = [f"- ranked against {test['run']}: {_difference(test)}, **{test['verdict']}**" for test in compared]
    return "\n".join([f"{lines[0]['queries']:,} queries.", "", *table(("run", *MEASURES), rows), "", *tests])


def negation(file: Path) -> str:
    """A row a source of pairs, then one a template."""
    sources = _read(file)[0]
    rows = [
        (
            name,
            f"{len(source['clusters']):,}",
            f"{source['pairs']:,}",
            *(with_interval(source[model], source[f"{model}_interval"]) for model in ("bi_encoder", "maxsim")),
            p_value(source["p"]),
        )
        for name, source in sources.items()
    ]
    templates = [
        (name, f"{shares['pairs']:,}", f"{shares['bi_encoder']:.3f}", f"{shares['maxsim']:.3f}")
        for name, shares in sources["templates"]["clusters"].items()
    ]
    columns = ("pairs", "bi-encoder", "MaxSim")
    return "\n".join(
        [*table(("source", "clusters", *columns, "p"), rows), "", *table(("template", *columns), templates)]
    )


def full_text(file: Path) -> str:
    """What both indexes cost, then what they find."""
    lines = _read(file)
    costs = [
        (line["index"], f"{line['documents']:,}", f"{line['passages']:,}", f"{line['seconds']:.0f}",
         f"{line['bytes'] / 1e6:.1f}", f"{line['p50']:.1f} / {line['p95']:.1f}")
        for line in lines if "index" in line
    ]  # fmt: skip
    parts = [line for line in lines if "part" in line]
    rows = [
        (part["part"], name, f"{run['queries']:,}", f"{run['metrics']['Recall@1']:.3f}", _interval(run, "RR@10"))
        for part in parts
        for name, run in part["indexes"].items()
    ]
    tests = [
        f"- sentences of the {part['part']}, full text against abstract: {_difference(part['compared'])}, "
        f"**{part['compared']['verdict']}**"
        for part in parts
    ]
    cost_columns = ("index", "documents", "passages", "seconds to build", "MB", "p50 / p95 ms a query")
    columns = ("sentences of", "index", "queries", "Recall@1", "RR@10")
    return "\n".join([*table(cost_columns, costs), "", *table(columns, rows), "", *tests])


def contamination(*files: Path) -> str:
    """A row a pair of sets."""
    rows = [
        (
            pair["test"],
            pair["train"],
            *("not compared" if pair[part] is None else f"{pair[part]:,}" for part in PARTS),
            f"{pair['touched']:,} of {pair['touched'] + pair['left']:,}",
        )
        for pair in (_read(file)[-1] for file in files)
    ]
    columns = ("evaluation set", "training set", *PARTS.values(), "training queries touched")
    return "\n".join(table(columns, rows))


def mirage(file: Path) -> str:
    """A row for the model's accuracy and one for each way to guess, by task."""
    report = _read(file)[-1]
    tasks = report["tasks"]
    accuracies = [f"{task['accuracy']:.3f} ± {task['se']:.3f}" for task in tasks.values()]
    guesses = report["baselines"].items()
    rows = [
        ("accuracy ± standard error", *accuracies, f"{report['macro']:.3f} ± {report['macro_se']:.3f}"),
        ("most frequent reply", *map(_most_frequent, tasks.values()), ""),
        *((name, *(f"{accuracy[task]:.3f}" for task in (*tasks, "macro"))) for name, accuracy in guesses),
    ]
    text = f"Replies that did not parse: {report['parse_failure_rate']:.1%}."
    if other := report.get("compared"):
        text += f" Right here {other['right']}, there {other['right_there']} of {other['questions']} (McNemar "
        text += f"{p_text(other['p'])}): {other['verdict']}."
    return "\n".join([*table(("", *tasks, "macro"), rows), "", text])


def answers(file: Path) -> str:
    """A row a measure."""
    rows = [
        (name.replace("_", " "), with_interval(measure["mean"], measure["interval"]), f"{measure['questions']:,}")
        for name, measure in _read(file)[0]["measures"].items()
    ]
    return "\n".join(table(("measure", "mean", "questions"), rows))


MAKERS: dict[str, Callable[..., str]] = {
    "*.md": verbatim,
    "retrieval_*.jsonl": retrieval,
    "ablation.jsonl": ablation,
    "sweep.jsonl": sweep,
    "negation.json": negation,
    "full_text.jsonl": full_text,
    "contamination_*.jsonl": contamination,
    "mirage_*.jsonl": mirage,
    "answers.json": answers,
}
"""By pattern of file names: what makes Markdown of such a file."""


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _interval(line: Mapping[str, Any], measure: str) -> str:
    return with_interval(line["metrics"][measure], line["intervals"][measure])


def _difference(test: Mapping[str, Any]) -> str:
    interval = f"{test['low']:+.3f} to {test['high']:+.3f}"
    return f"{test['measure']} {test['difference']:+.3f} ({interval}, {p_text(test['p'])})"


def _most_frequent(task: Mapping[str, Any]) -> str:
    """The letter that was replied most often, and to which share of the questions."""
    letter, count = max(task["choices"].items(), key=lambda choice: choice[1], default=("none", 0))
    return f"{letter} {count / task['questions']:.0%}"
