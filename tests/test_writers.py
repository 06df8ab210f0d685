"""Writers of one index at once: none of them may spoil what another one writes, and none may block a reader."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed, split

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, lock, open_index, watch
from osler.index.check import check_index
from osler.records import NOT_RETRACTED

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
NAMES = [f"d{number}" for number in range(40)]
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture
def folder(tmp_path) -> Path:
    create_index(tmp_path / "index", MANIFEST)
    return tmp_path / "index"


def write(folder: Path, words: str, rounds: int = 6) -> None:
    """Write all documents, in commits of a few, with another text in every round."""
    index = open_index(folder)
    for number in range(rounds):
        for first in range(0, len(NAMES), 8):
            text = f"{words} {number} " * (number % 3 + 1)  # of one to two passages
            index.upsert([encoded(document(name, f"{text} {name}")) for name in NAMES[first : first + 8]])


def delete(folder: Path) -> None:
    index = open_index(folder)
    for name in NAMES[:10] * 2:
        index.delete([name])


def optimise(folder: Path) -> None:
    index = open_index(folder)
    for _ in range(6):
        index.optimise()


def merge_without_lock(folder: Path, words: str, barrier) -> None:
    """Write new documents at the same moment as another process, as on object storage, where a file locks nothing."""
    watch.lock_path = lambda uri: None
    index = open_index(folder)
    for number in range(8):
        documents = [encoded(document(f"{name}-{number}", f"{words} {number} {words}")) for name in NAMES]
        barrier.wait()
        index.upsert(documents)


def hold(folder: Path, seconds: float) -> None:
    with lock.only_writer(lock.lock_path(str(folder / "passages.lance"))):
        time.sleep(seconds)


def run_at_once(*jobs) -> None:
    processes = [PROCESSES.Process(target=job, args=arguments) for job, *arguments in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(jobs)


def check_whole(folder: Path, names=NAMES) -> LanceIndex:
    """No passage twice, and every document is the one that one writer wrote."""
    index = open_index(folder)
    ids = [row["passage_id"] for row in index._table.search().select(["passage_id"]).to_list()]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    for name in names:
        text = index.snapshot().document(name).text
        assert len({*text.split()} - {name}) == 2  # the writer's word and the number of one round
    assert index.statistics().documents == len({name.partition("#")[0] for name in ids})
    return index


@pytest.mark.slow
def test_two_processes_that_write_the_same_documents_leave_each_once(folder):
    run_at_once((write, folder, "apple"), (write, folder, "pear"))
    assert check_whole(folder).statistics().documents == len(NAMES)


@pytest.mark.slow
def test_two_processes_without_a_lock_leave_no_passage_twice(folder):
    barrier = PROCESSES.Barrier(2)
    run_at_once((merge_without_lock, folder, "apple", barrier), (merge_without_lock, folder, "pear", barrier))
    names = [f"{name}-{number}" for number in range(8) for name in NAMES]
    assert check_whole(folder, []).statistics().documents == len(names)
    assert {open_index(folder).snapshot().document(name).text.split()[0] for name in names[:9]} <= {"apple", "pear"}


@pytest.mark.slow
def test_writers_deletions_and_upkeep_at_once_leave_a_whole_index(folder):
    write(folder, "plum", rounds=1)
    run_at_once((write, folder, "apple"), (delete, folder), (optimise, folder))
    check_whole(folder, NAMES[10:])


@pytest.mark.slow
def test_two_threads_that_share_an_index_leave_each_document_once(folder):
    threads = [threading.Thread(target=write, args=(folder, words, 3)) for words in ("apple", "pear")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_whole(folder)


def test_a_second_writer_is_told_who_writes_and_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(lock, "WAIT", 0.1)
    index = open_index(folder)
    with (
        lock.only_writer(lock.lock_path(str(folder / "passages.lance"))),
        pytest.raises(StoreError, match=rf"process {os.getpid()} on .* is writing this index: wait .* run the same"),
    ):
        index.upsert([encoded(document("a", "text"))])
    index.upsert([encoded(document("a", "text"))])
    assert not (folder / "passages.writer").exists()


@pytest.mark.slow
def test_a_writer_waits_for_another_one_to_finish_its_commit(folder):
    holder = PROCESSES.Process(target=hold, args=(folder, 0.3))
    holder.start()
    wait_for(folder / "passages.writer")
    open_index(folder).upsert([encoded(document("a", "text"))])
    holder.join()
    assert open_index(folder).snapshot().document("a").text == "text"


@pytest.mark.slow
def test_the_lock_of_a_killed_writer_is_free_at_once(folder):
    holder = PROCESSES.Process(target=hold, args=(folder, 60))
    holder.start()
    wait_for(folder / "passages.writer")
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert json.loads((folder / "passages.writer").read_text())["process"] == holder.pid
    began = time.monotonic()
    open_index(folder).upsert([encoded(document("a", "text"))])
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_a_writer_killed_in_the_middle_leaves_a_whole_index_for_the_next(folder):
    write(folder, "plum", rounds=1)
    for _ in range(3):
        victim = PROCESSES.Process(target=write, args=(folder, "apple", 50))
        victim.start()
        wait_for(folder / "passages.writer")
        time.sleep(0.05)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
    check_whole(folder)
    write(folder, "pear", rounds=1)
    check_whole(folder)


def test_a_reader_is_never_blocked_by_the_lock(folder):
    write(folder, "plum", rounds=1)
    index = open_index(folder)
    with lock.only_writer(lock.lock_path(str(folder / "passages.lance"))):
        assert index.snapshot().document("d1").text.split()[0] == "plum"
        assert len(index.snapshot().nearest(hashed("x", DIM), k=3, where=NOT_RETRACTED)) == 3


def test_of_two_processes_that_make_the_same_index_one_makes_it(tmp_path):
    folder = tmp_path / "new"
    create_index(folder, MANIFEST)
    with pytest.raises(StoreError, match="holds an index already"):
        create_index(folder, MANIFEST)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


GROUPS = {group: [f"{group}-{number}" for number in range(3)] for group in ("apple", "pear", "plum", "fig")}
"""Documents that are always written and deleted together, so that a reader can tell a commit that it sees in part."""

ROUNDS = 25
"""Of each of four writers."""


class Write(NamedTuple):
    """That a process put this tag on groups, or "" to delete them, between two moments of the machine's clock."""

    begun: float
    groups: list[str]
    tag: str
    ended: float
    outcome: str


def take_turns(folder: Path, name: str) -> None:
    """Write and delete groups in as many rounds as a file of this name tells, and log each before and after."""
    index, chance = open_index(folder), random.Random(name)
    with (folder.parent / f"{name}.log").open("a", buffering=1) as log:
        wait_for(folder.parent / name)
        for number in range(int((folder.parent / name).read_text())):
            groups, tag = chance.sample(sorted(GROUPS), 2), chance.choice(["", *[f"{name}-{number}"] * 3])
            names = [doc_id for group in groups for doc_id in GROUPS[group]]
            documents = [encoded(document(doc_id, f"{tag} heart " * (number % 3 + 1) + doc_id)) for doc_id in names]
            log.write(json.dumps([time.monotonic(), groups, tag]) + "\n")
            try:
                index.upsert(documents) if tag else index.delete(names)
                outcome = "returned"
            except StoreError as error:
                outcome = str(error)
            log.write(json.dumps([time.monotonic(), outcome]) + "\n")


def give_turns(folder: Path, name: str, rounds: int) -> None:
    (folder.parent / "turns").write_text(str(rounds))
    (folder.parent / "turns").rename(folder.parent / name)


def logged(folder: Path, name: str) -> list[str]:
    return (folder.parent / f"{name}.log").read_text().splitlines()


def run_and_kill(folder: Path, names: list[str], chance: random.Random) -> list[Write]:
    """What was written by processes of these names that were killed at some moment, and by others that followed."""
    following = {name: f"after-{name}" for name in names}
    processes = {
        name: PROCESSES.Process(target=take_turns, args=(folder, name)) for name in [*following, *following.values()]
    }
    for process in processes.values():
        process.start()
    for name in processes:
        wait_for(folder.parent / f"{name}.log")
    for name in names:
        give_turns(folder, name, ROUNDS)
    for number, name in enumerate(names):
        rounds = 5 * number + chance.randrange(1, 5)
        while len(logged(folder, name)) < 2 * rounds:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))
        processes[name].kill()
        processes[name].join()
        lines = logged(folder, name)
        if len(lines) % 2:
            with (folder.parent / f"{name}.log").open("a") as log:
                log.write(json.dumps([time.monotonic(), "killed"]) + "\n")
        give_turns(folder, following[name], ROUNDS - (len(lines) + 1) // 2)
    for name in following.values():
        processes[name].join()
    assert [process.exitcode for process in processes.values()] == [-signal.SIGKILL] * 4 + [0] * 4
    logs = [[json.loads(line) for line in logged(folder, name)] for name in processes]
    return [Write(*begun, *ended) for log in logs for begun, ended in zip(log[::2], log[1::2], strict=True)]


def tags_of(index: LanceIndex) -> dict[str, str]:
    """The tag of each group in one snapshot, where every document is whole and all ways to find it agree."""
    snapshot = index.snapshot()
    by_vector = {one.passage_id for one in snapshot.nearest(hashed("x", DIM), k=999, where=NOT_RETRACTED)}
    texts = defaultdict(set)
    for passage in snapshot.read(sorted(by_vector)).passages:
        texts[passage.doc_id].add(passage.text)
    by_words = {one.passage_id for one in snapshot.lexical("heart", k=999, where=NOT_RETRACTED)}
    assert {passage_id.partition("#")[0] for passage_id in by_words} == texts.keys()
    tags = {}
    for group, names in GROUPS.items():
        documents = {name: snapshot.document(name) for name in names}
        assert [texts.get(name) for name in names] == [
            {passage.text for passage in split(stored)} if stored else None for stored in documents.values()
        ]
        (tags[group],) = {stored.text.split()[0] if stored else "" for stored in documents.values()}
    return tags


def read_until(done: threading.Event, folder: Path) -> list[dict[str, str]]:
    index, seen = open_index(folder), []
    while not done.is_set():
        seen.append(tags_of(index))
    return seen


def possible_tags(group: str, writes: list[Write]) -> set[str]:
    """Of this group in the end: a write is gone where one that returned began after it ended."""
    of_group = [Write(0, [group], "", 0, "returned"), *(write for write in writes if group in write.groups)]
    last = max(write.begun for write in of_group if write.outcome == "returned")
    return {write.tag for write in of_group if write.ended >= last}


@pytest.mark.slow
def test_of_a_hundred_writes_by_processes_that_are_killed_none_is_lost_doubled_or_seen_in_part(folder):
    done = threading.Event()
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read_until, done, folder)
        try:
            writes = run_and_kill(folder, ["w0", "w1", "w2", "w3"], random.Random(7))
        finally:
            done.set()
    assert len(writes) == 4 * ROUNDS
    refusals = {write.outcome for write in writes} - {"returned", "killed"}
    assert all(refusal.endswith(".") and "\n" not in refusal for refusal in refusals)
    index = open_index(folder)
    ids = [row["passage_id"] for row in index._table.search().select(["passage_id"]).to_list()]
    assert len(ids) == len(set(ids))
    assert all(tag in possible_tags(group, writes) for group, tag in tags_of(index).items())
    assert len({tuple(tags.values()) for tags in reading.result()}) > 5
    assert check_index(index).whole
