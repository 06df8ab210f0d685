"""What we train and test on: queries, qrels and the corpus they speak of. Knows records, no file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from osler.records import Document, Query


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of a data set, with the whole corpus that its queries search.

    documents by doc_id, queries by query_id (those of the split only), qrels: query_id -> doc_id -> relevance, above 0
    only. Every query has a relevant document and every relevant document is there. digest: equal for equal files.
    """

    name: str
    split: str
    documents: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Mapping[str, Mapping[str, int]]
    digest: str

    @property
    def relevant_ids(self) -> list[str]:
        """The doc_ids that the qrels name, each once, in their order."""
        return list(dict.fromkeys(doc_id for docs in self.qrels.values() for doc_id in docs))
