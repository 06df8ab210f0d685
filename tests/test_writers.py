"""Writers of one index at once: none of them may spoil what another one writes, and none may block a reader."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, lock, open_index, watch
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


def test_two_processes_that_write_the_same_documents_leave_each_once(folder):
    run_at_once((write, folder, "apple"), (write, folder, "pear"))
    assert check_whole(folder).statistics().documents == len(NAMES)


def test_two_processes_without_a_lock_leave_no_passage_twice(folder):
    barrier = PROCESSES.Barrier(2)
    run_at_once((merge_without_lock, folder, "apple", barrier), (merge_without_lock, folder, "pear", barrier))
    names = [f"{name}-{number}" for number in range(8) for name in NAMES]
    assert check_whole(folder, []).statistics().documents == len(names)
    assert {open_index(folder).snapshot().document(name).text.split()[0] for name in names[:9]} <= {"apple", "pear"}


def test_writers_deletions_and_upkeep_at_once_leave_a_whole_index(folder):
    write(folder, "plum", rounds=1)
    run_at_once((write, folder, "apple"), (delete, folder), (optimise, folder))
    check_whole(folder, NAMES[10:])


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


def test_a_writer_waits_for_another_one_to_finish_its_commit(folder):
    holder = PROCESSES.Process(target=hold, args=(folder, 0.3))
    holder.start()
    wait_for(folder / "passages.writer")
    open_index(folder).upsert([encoded(document("a", "text"))])
    holder.join()
    assert open_index(folder).snapshot().document("a").text == "text"


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
