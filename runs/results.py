"""What runs/reproduce.sh left in docs/results, as docs/results.md. Knows files, computes nothing.

    python runs/results.py

Each part stands under the command that made it, as reproduce.sh has it; a part whose file is not there is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from osler.evaluate.report import p_text, p_value, table, with_interval
from osler.evaluate.sweep_report import ALL

SCRIPT = Path(__file__).with_name("reproduce.sh")
RESULTS = SCRIPT.parent.parent / "docs" / "results"
MEASURES = ("nDCG@10", "RR@10", "Recall@1", "Recall@10", "Recall@100")
INTRODUCTION = """# Results

Made by `runs/reproduce.sh` on two cores without a GPU. Each table stands under the commands that made it; `$WORK` is
the folder of its files. Intervals are 95% bootstrap intervals over queries, unless a table says otherwise. Nothing is
called better or worse unless paired tests support it.
"""

DEV = """nDCG@10. BM25, `zero-shot` (the backbone as it is) and their fusion rank passages, a document as its best one.
The untrained two-stage compares the backbone's own token vectors; the untrained hybrid has lexical candidates and a
share of stage 1 in its score as well, as the trained systems have; the trained stage 1 is what the re-ranker is given.
hpo-lay stands apart from the average and its test.

Training chose nothing by these dev parts, but three settings of the recipe were chosen by looking at some of them: 88
dimensions (all), two bits and a vector for two tokens (MedQuAD, BioASQ), and how much of what is learned is kept
(MedQuAD, in training that went without it). So these figures are somewhat better than new questions of the same kind
would give. What the training data share with the dev parts is [below](#contamination)."""

BASELINES = """Built-in baselines read a document whole, up to what their model reads, and osler its passages, of which
the best counts: so `zero-shot` differs from the table above, which searches passages."""

NEGATION = """Which of two contradicting statements does a model put nearer to a text: the share of right choices.
`templates` differ by a negation and are asked both ways, so half is chance; intervals draw templates, then their terms,
and p is of a paired test over templates, which are wordings that we chose. `scifact` has contradicting claims, few of
which differ by a negation word. They are asked one way, so half need not be chance, and `recipes/mini.toml` trains on
most of them, each with its abstract, whether that supports or contradicts it: its figures say nothing of unseen claims.
Intervals and p are over groups of pairs that share a claim or an abstract."""

CONTAMINATION = """How much of a training set occurs in an evaluation set, equal or nearly so as [the
guide](guides/evaluation.md#has-the-test-been-trained-on) defines it. What one of both has nothing of is not
compared: BioASQ
and PubMedQA have no titles, MIRAGE has no passages, and only these three name PubMed records (of MIRAGE, 112 of its
300 questions). SciFact and PubMedQA stand here whole; their dev parts are shares of them. Most of hpo-lay's near
queries are phrases a word apart that name different terms ("small end part of the little toe bone", "… of the
innermost bone of the little toe"), and some of MedQuAD's ask of a disease and of its subtype.

The recipe leaves out training queries that share a document, title, text or PubMed record with the dev part of their
own set, and nothing else of this. So figures of dev parts say how questions like those of the training are served,
and MIRAGE's BioASQ task has questions of BioASQ's training set. Where the recipe goes without a data set, the rows of
the other training sets say what it has seen of it."""

FULL_TEXT = """A query is a sentence of an article, and its answer that article, among SciFact's abstracts."""

MIRAGE = """By the embedded model, SmolLM2 with 135 million parameters. Where its most frequent reply takes most of a
task's questions, it says the same whatever they ask: this shows that the run works, and a larger model (`--generator`)
would show what passages are worth."""

Lines = list[dict[str, Any]]


class Part(NamedTuple):
    """A heading, the pattern of its files, what becomes of each or of all together, and what a reader has to know."""

    heading: str
    pattern: str
    text_of: Callable[..., str]
    note: str = ""
    together: bool = False


def document() -> str:
    """What docs/results.md holds."""
    return joined([INTRODUCTION, *parts(RESULTS, SCRIPT, PARTS)])


def joined(parts: Iterable[str]) -> str:
    """The parts as one document."""
    return "\n\n".join(part.strip() for part in parts) + "\n"


def parts(folder: Path, script: Path, described: Iterable[Part]) -> Iterator[str]:
    """The parts of a document whose files are there, in order, under their commands of the script."""
    for part in described:
        files = sorted(folder.glob(part.pattern))
        if files:
            yield "\n\n".join(filter(None, (f"## {part.heading}", part.note)))
        for group in [files] if files and part.together else [[file] for file in files]:
            commands = "\n".join(command_of(file, script) for file in group)
            yield f"```console\n{commands}\n```"
            yield part.text_of(*group)


def command_of(file: Path, script: Path) -> str:
    """The command of this script whose output is the file."""
    found = re.search(
        rf"^(?:last_line_)?into {re.escape(file.name)} (.*)$", script.read_text(encoding="utf-8"), re.MULTILINE
    )
    if not found:
        raise SystemExit(f"{file}: {script.name} has no command that makes it; delete it.")
    return found[1].replace('"', "")


def markdown(file: Path) -> str:
    """The file as it is."""
    return file.read_text(encoding="utf-8").strip()


def report(file: Path) -> str:
    """The Markdown report in the folder of the same name, a part of this document."""
    folder = file.with_suffix("")
    text = (folder / f"{folder.name}.md").read_text(encoding="utf-8")
    body = text.partition("\n")[2].strip().replace("](", f"]({file.parent.name}/{folder.name}/")
    return re.sub(r"^#", "##", body, flags=re.MULTILINE)


def front(file: Path) -> str:
    """A sweep's report up to the table of every point, which the folder has."""
    folder = f"{file.parent.name}/{file.stem}"
    link = f"Every setting: [{folder}/{file.stem}.md]({folder}/{file.stem}.md)."
    return f"{report(file).partition(f'### {ALL}')[0]}{link}"


def retrieval(file: Path) -> str:
    """A row a run with its interval, then what the paired tests say of the final ranking."""
    lines = _read(file)
    rows = [
        (_name_of(one), _interval(one, "nDCG@10"), *(f"{one['metrics'][m]:.3f}" for m in MEASURES[1:])) for one in lines
    ]
    compared = next(one["compared"] for one in lines if "compared" in one)
    said = [f"- ranked against {one['run']}: {_difference(one)}, **{one['verdict']}**" for one in compared]
    heading = f"{lines[0]['queries']:,} queries."
    return "\n".join([heading, "", *table(("run", *MEASURES), rows), "", *said])


def negation(file: Path) -> str:
    """A row a source of pairs, then one a template."""
    found = _read(file)[0]
    rows = [
        (
            name,
            f"{len(one['clusters']):,}",
            f"{one['pairs']:,}",
            *(with_interval(one[model], one[f"{model}_interval"]) for model in ("bi_encoder", "maxsim")),
            p_value(one["p"]),
        )
        for name, one in found.items()
    ]
    templates = [
        (name, f"{of['pairs']:,}", f"{of['bi_encoder']:.3f}", f"{of['maxsim']:.3f}")
        for name, of in found["templates"]["clusters"].items()
    ]
    sources = table(("source", "clusters", "pairs", "bi-encoder", "MaxSim", "p"), rows)
    return "\n".join([*sources, "", *table(("template", "pairs", "bi-encoder", "MaxSim"), templates)])


def full_text(file: Path) -> str:
    """What both indexes cost, then what they find."""
    lines = _read(file)
    costs = [
        (one["index"], f"{one['documents']:,}", f"{one['passages']:,}", f"{one['seconds']:.0f}",
         f"{one['bytes'] / 1e6:.1f}", f"{one['p50']:.1f} / {one['p95']:.1f}")
        for one in lines if "index" in one
    ]  # fmt: skip
    parts = [one for one in lines if "part" in one]
    rows = [
        (part["part"], name, f"{one['queries']:,}", f"{one['metrics']['Recall@1']:.3f}", _interval(one, "RR@10"))
        for part in parts
        for name, one in part["indexes"].items()
    ]
    said = [
        f"- sentences of the {one['part']}, full text against abstract: {_difference(one['compared'])}, "
        f"**{one['compared']['verdict']}**"
        for one in parts
    ]
    columns = ("index", "documents", "passages", "seconds to build", "MB", "p50 / p95 ms a query")
    found = table(("sentences of", "index", "queries", "Recall@1", "RR@10"), rows)
    return "\n".join([*table(columns, costs), "", *found, "", *said])


def contamination(*files: Path) -> str:
    """A row a pair of sets."""
    rows = [
        (one["test"], one["train"], *(_count(one[name]) for name in ("queries", "passages", "titles", "records")),
         f"{one['touched']:,} of {one['touched'] + one['left']:,}")
        for one in (_read(file)[-1] for file in files)
    ]  # fmt: skip
    columns = ("queries", "positives", "titles of positives", "PubMed records of positives", "training queries touched")
    return "\n".join(table(("evaluation set", "training set", *columns), rows))


def mirage(file: Path) -> str:
    """A row for the model's accuracy and one for each way to guess, by task."""
    last = _read(file)[-1]
    tasks = last["tasks"]
    ours = [f"{one['accuracy']:.3f} ± {one['se']:.3f}" for one in tasks.values()]
    rows = [("accuracy ± standard error", *ours, f"{last['macro']:.3f} ± {last['macro_se']:.3f}")]
    rows.append(("most frequent reply", *map(_most_frequent, tasks.values()), ""))
    rows += [(name, *(f"{of[task]:.3f}" for task in (*tasks, "macro"))) for name, of in last["baselines"].items()]
    said = f"Replies that did not parse: {last['parse_failure_rate']:.1%}."
    if other := last.get("compared"):
        said += f" Right here {other['right']}, there {other['right_there']} of {other['questions']} (McNemar "
        said += f"{p_text(other['p'])}): {other['verdict']}."
    return "\n".join([*table(("", *tasks, "macro"), rows), "", said])


def answers(file: Path) -> str:
    """A row a measure."""
    found = _read(file)[0]
    rows = [
        (name.replace("_", " "), with_interval(one["mean"], one["interval"]), f"{one['questions']:,}")
        for name, one in found["measures"].items()
    ]
    return "\n".join(table(("measure", "mean", "questions"), rows))


PARTS = (
    Part("What the recipe of the shipped models reaches on its dev parts", "trained_models.md", markdown, DEV),
    Part("The recipe without one of its data sets, on that set", "left_out_*.md", markdown),
    Part("Retrieval against the built-in baselines", "retrieval_*.jsonl", retrieval, BASELINES),
    Part("Ablation", "ablation.jsonl", report),
    Part("Quality against time", "sweep.jsonl", front),
    Part("Negation", "negation.json", negation, NEGATION),
    Part("Full text or abstract", "full_text.jsonl", full_text, FULL_TEXT),
    Part("Contamination", "contamination_*.jsonl", contamination, CONTAMINATION, together=True),
    Part("MIRAGE", "mirage_*.jsonl", mirage, MIRAGE),
    Part("Answers", "answers.json", answers),
)


def _read(file: Path) -> Lines:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _count(value: int | None) -> str:
    return "not compared" if value is None else f"{value:,}"


def _name_of(line: Mapping[str, Any]) -> str:
    return str(next(line[kind] for kind in ("stage", "baseline", "run") if kind in line))


def _most_frequent(task: Mapping[str, Any]) -> str:
    """The letter that was replied most often, and to which share of the questions."""
    letter, count = max(task["choices"].items(), key=lambda one: one[1], default=("none", 0))
    return f"{letter} {count / task['questions']:.0%}"


def _interval(line: Mapping[str, Any], measure: str) -> str:
    return with_interval(line["metrics"][measure], line["intervals"][measure])


def _difference(line: Mapping[str, Any]) -> str:
    return (
        f"{line['measure']} {line['difference']:+.3f} ({line['low']:+.3f} to {line['high']:+.3f}, {p_text(line['p'])})"
    )


if __name__ == "__main__":
    RESULTS.with_suffix(".md").write_text(document(), encoding="utf-8")
