"""Whether an index holds the corpus of a data set: said before anything is measured on it. Knows ids, no texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osler.datasets import Dataset


def check_corpus(dataset: Dataset, folder: str) -> None:
    """Say how many documents of the data set this index lacks, or holds with other content, if any.

    StoreError where its build was interrupted, UsageError where it is the index of something else.
    """
    from osler.cli.printing import print_notice
    from osler.errors import StoreError
    from osler.evaluate.retrieval import coverage
    from osler.index import open_index

    index = open_index(folder)
    found = coverage(dataset, index)
    missing, changed = found.missing, found.changed
    if changed:
        print_notice(
            f"{folder} holds {len(changed):,} of the {len(dataset.documents):,} documents of {dataset.name} with other "
            f"content ({changed[0]} …), so these are no figures of that data set: index its own corpus."
        )
    if not missing:
        return
    lacks = f"{len(missing):,} of the {len(dataset.documents):,} documents of {dataset.name}"
    if index.statistics().unindexed:  # the last step of a build covers every passage
        raise StoreError(
            f"{folder}: its build was interrupted and {lacks} are not in it: finish it with the command that built it, "
            "or delete the folder, and `osler evaluate retrieval` builds it anew."
        )
    relevant = len(set(dataset.relevant_ids).intersection(missing))
    print_notice(
        f"{folder} lacks {lacks} ({missing[0]} …), {relevant:,} of them relevant: they count as not found; index the "
        "whole corpus, or name a folder that is not there yet, and `osler evaluate retrieval` builds it."
    )
