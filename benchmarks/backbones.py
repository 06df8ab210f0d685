"""What indexing costs with ModernBERT-base beside BERT-base, the shape of MedCPT's and DPR's encoders.

    python benchmarks/backbones.py scifact/corpus.jsonl --passages 32

Both are run by osler's code. Their weights are random and both have MiniLM's word pieces: the speed is that of the
shape, and both read the same tokens. The paper that osler follows indexes with a bi-encoder and a ColBERT, which are
two passes of ModernBERT; one pass can have both heads. Several lengths are tried, since ModernBERT's local attention
pays where texts are long.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from timing import Work, in_turns, times_faster
from transformers import AutoTokenizer, BertConfig, BertModel, ModernBertConfig, ModernBertModel, PreTrainedModel

from osler.corpus import read_documents
from osler.evaluate.markdown import table
from osler.models import ModelPair, load_models
from osler.models.catalog import resolve
from osler.models.tower import quiet
from osler.records import Document, Passage

BERT, MODERNBERT = "BERT-base", "ModernBERT-base"
REFERENCE = f"{BERT}, dense vectors"
LENGTHS = (128, 256, 512)
SPECIAL_TOKENS = 2


def main() -> None:
    arguments = parser().parse_args()
    texts = sampled(arguments.corpus, arguments.passages)
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["OSLER_CACHE"] = folder  # nobody needs these networks again
        models = {
            name: load_models(path, path, precision=arguments.precision, batch_tokens=arguments.batch_tokens)
            for name, path in saved(Path(folder)).items()
        }
        for tokens in arguments.tokens or LENGTHS:
            passages = cut(texts, models[BERT], tokens - SPECIAL_TOKENS)
            seconds = in_turns(work(models, passages), turns=arguments.turns)
            rows = [
                (name, f"{len(passages) / median(of_turns):.1f}", times_faster(seconds, name, REFERENCE))
                for name, of_turns in seconds.items()
            ]
            print(f"{len(passages)} passages of {tokens} tokens, {arguments.precision}; {arguments.turns} turns.\n")
            print("\n".join(table(("", "passages a second", f"times {REFERENCE}"), rows)) + "\n")


def saved(folder: Path) -> dict[str, str]:
    """The folder of each network with random weights and its tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(str(resolve("minilm").folder))
    special = {"pad_token_id": tokenizer.pad_token_id, "cls_token_id": tokenizer.cls_token_id}
    special |= {"sep_token_id": tokenizer.sep_token_id}
    networks: dict[str, PreTrainedModel] = {
        BERT: BertModel(BertConfig()),
        MODERNBERT: ModernBertModel(ModernBertConfig(**special)),
    }
    for name, network in networks.items():
        network.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return {name: str(folder / name) for name in networks}


def sampled(corpus: Path, passages: int) -> list[Document]:
    """The longest of the first documents of the corpus."""
    documents = [entry for entry in read_documents([corpus]) if isinstance(entry, Document)]
    return sorted(documents, key=lambda document: -len(document.text))[:passages]


def cut(documents: Sequence[Document], models: ModelPair, tokens: int) -> list[Passage]:
    """The first tokens of each document as a passage without a title."""
    passages = []
    for document in documents:
        [encoding] = models.encoder.model.tokenize([document.text * 2], "passage")
        end = encoding.offsets[1 : tokens + 1][-1][1]
        passages.append(Passage(f"{document.doc_id}#0", document.doc_id, "", (document.text * 2)[:end], 0, end))
    return passages


def work(models: Mapping[str, ModelPair], passages: Sequence[Passage]) -> dict[str, Work]:
    bert, modernbert = models[BERT], models[MODERNBERT]

    def two_passes() -> None:
        modernbert.encoder.encode_passages(passages)
        modernbert.reranker.encode_passages(passages)

    return {
        REFERENCE: partial(bert.encoder.encode_passages, passages),
        f"{MODERNBERT}, dense vectors": partial(modernbert.encoder.encode_passages, passages),
        f"{MODERNBERT}, dense and token vectors, two passes": two_passes,
        f"{MODERNBERT}, dense and token vectors, one pass": partial(modernbert.encode_passages, passages),
    }


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", type=Path, help="a corpus that osler index reads")
    made.add_argument("--passages", type=int, default=32, help="passages that are encoded in each turn")
    made.add_argument("--tokens", type=int, action="append", help="of each passage; 128, 256 and 512 unless given")
    made.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    made.add_argument("--batch-tokens", type=int, default=1024)
    made.add_argument("--turns", type=int, default=3)
    return made


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
