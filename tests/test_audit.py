from __future__ import annotations

import json
from dataclasses import replace

import pytest

from osler.errors import CorpusError
from osler.train.data import Example, TrainingPassage, write_records
from osler.train.mining.audit import (
    REASONS,
    Mined,
    MiningCounts,
    SuspiciousNegative,
    audit_report,
    read_exclusions,
    report_text,
    suspicious_negatives,
    write_audit,
)

POSITIVE = TrainingPassage("p#0", "one two three four five six", 0.8, 1)


def negative(name: str, score: float, text: str = "something else") -> TrainingPassage:
    return TrainingPassage(name, text, score, 2)


def example(*negatives: TrainingPassage, query_id: str = "q", positive: TrainingPassage = POSITIVE) -> Example:
    return Example("set", query_id, "What?", positive, negatives)


COUNTS = MiningCounts(looked_at=8, kept=2, dropped={**dict.fromkeys(REASONS, 0), "margin": 4, "same_pmid": 2})
MINED = Mined((example(negative("a#0", 0.4), negative("b#0", 0.2)),), 3, COUNTS, (0.79, 0.78, 0.77, 0.76))


def names(lines: list[SuspiciousNegative]) -> list[str]:
    return [line.negative_id for line in lines]


def test_the_report_counts_what_each_filter_dropped():
    report = audit_report(MINED)
    assert (report["examples"], report["without_negatives"], report["looked_at"], report["kept"]) == (1, 3, 8, 2)
    assert report["negatives_per_example"] == 2
    assert report["dropped"]["margin"] == {"count": 4, "share": 0.5}
    assert list(report["dropped"]) == list(REASONS)
    assert report["scores"]["negatives"]["50%"] == pytest.approx(0.3)


def test_the_report_as_text_names_every_filter_and_its_share():
    text = report_text(audit_report(MINED))
    assert "1 examples with 2.0 negatives each; 3 without any are left out." in text
    assert "8 candidates looked at, 2 kept; dropped:" in text
    assert "margin                       4   50.0%" in text
    assert all(reason.replace("_", " ") in text for reason in REASONS)


def test_the_most_suspicious_negative_scores_nearest_to_the_positive():
    found = suspicious_negatives([example(negative("a#0", 0.4), negative("b#0", 0.7), negative("c#0", 0.1))], 2)
    assert names(found) == ["b#0", "a#0"]


def test_the_gap_is_relative_to_the_positive_s_score():
    # 0.1 below 0.8 is an eighth, 0.02 below 0.1 a fifth
    near = example(negative("a#0", 0.7))
    far = example(negative("b#0", 0.08), query_id="q2", positive=replace(POSITIVE, score=0.1))
    assert names(suspicious_negatives([far, near], 2)) == ["a#0", "b#0"]


def test_words_shared_with_the_positive_are_suspicious_too():
    # one of the three shingles of both is shared (+1/3), and the gap is larger by a quarter
    like = negative("a#0", 0.4, "one two three four five 6")
    assert names(suspicious_negatives([example(negative("b#0", 0.6), like)], 2)) == ["a#0", "b#0"]


def test_without_scores_the_words_alone_decide():
    unscored = replace(POSITIVE, score=0.0)
    like = negative("b#0", 0.0, "one two three four five 6")
    assert names(suspicious_negatives([example(negative("a#0", 0.0), like, positive=unscored)], 1)) == ["b#0"]


def test_a_negative_of_several_examples_of_a_query_is_shown_once_beside_its_nearest_positive():
    weaker = replace(POSITIVE, passage_id="r#0", score=0.5)
    [line] = suspicious_negatives([example(negative("a#0", 0.4)), example(negative("a#0", 0.4), positive=weaker)], 9)
    assert (line.positive_id, line.positive_score) == ("r#0", 0.5)


def test_the_files_hold_the_report_and_one_open_line_a_negative(tmp_path):
    report = write_audit(MINED, tmp_path / "mining", suspicious=1)
    assert json.loads((tmp_path / "mining" / "audit.json").read_text()) == report
    assert json.loads((tmp_path / "mining" / "suspicious.jsonl").read_text()) == {
        "dataset": "set",
        "query_id": "q",
        "query": "What?",
        "positive_id": "p#0",
        "positive": "one two three four five six",
        "negative_id": "a#0",
        "negative": "something else",
        "score": 0.4,
        "positive_score": 0.8,
        "rank": 2,
        "verdict": "",
    }


def reviewed(path, *verdicts: str):
    found = suspicious_negatives([example(*(negative(f"{number}#0", 0.4) for number in range(len(verdicts))))], 9)
    write_records(path, found, SuspiciousNegative)
    lines = path.read_text().splitlines()
    marked = [
        line.replace('"verdict":""', f'"verdict":"{verdict}"') for line, verdict in zip(lines, verdicts, strict=True)
    ]
    path.write_text("\n".join(marked) + "\n\n")
    return path


def test_only_what_was_found_positive_or_excluded_comes_back(tmp_path):
    path = reviewed(tmp_path / "suspicious.jsonl", "positive", "", "negative", "exclude")
    assert read_exclusions(path) == {("set", "q", "0#0"), ("set", "q", "3#0")}


def test_a_file_saved_with_a_byte_order_mark_and_other_line_ends_is_read(tmp_path):
    path = reviewed(tmp_path / "suspicious.jsonl", "positive")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_exclusions(path) == {("set", "q", "0#0")}


def test_an_unknown_verdict_names_the_line_and_the_known_ones(tmp_path):
    path = reviewed(tmp_path / "suspicious.jsonl", "exclude", "maybe")
    with pytest.raises(CorpusError, match="line 2: verdict \\('maybe'\\).*'positive', 'exclude' or 'negative'"):
        read_exclusions(path)
