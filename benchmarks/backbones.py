"""What indexing costs with ModernBERT-base beside BERT-base, the shape of MedCPT's and DPR's encoders.

    python benchmarks/backbones.py scifact/corpus.jsonl --passages 32

Both are run by osler's code, ModernBERT by sentence-transformers too, all in one precision. Their weights are random
and both have MiniLM's word pieces: the speed is that of the shape, and both read the same tokens. The paper that osler
follows indexes with a bi-encoder and a ColBERT of 128 dimensions, which are two passes of ModernBERT; where both share
their weights, as in the models that osler trains, one pass gives the vectors of both. Several lengths are tried, since
ModernBERT's local attention pays where texts are long.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from machine import precisions
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from timing import Seconds, in_turns, times_faster
from transformers import AutoTokenizer, BertConfig, BertModel, ModernBertConfig, ModernBertModel, PreTrainedModel

from osler.corpus import read_documents
from osler.evaluate.report import table
from osler.models import load_models
from osler.models.bi_encoder import BiEncoder, passage_input
from osler.models.catalog import resolve
from osler.models.colbert import ColBERT
from osler.models.export import quiet
from osler.models.pair import load_encoder
from osler.records import Document, Passage

BERT, MODERNBERT = "BERT-base", "ModernBERT-base"
REFERENCE = f"{BERT}, dense vectors"
LENGTHS = (128, 256, 512)
SPECIAL_TOKENS = 2
DIMENSIONS = 128
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
BEST = "bf16" if "bfloat16" in precisions().values() else "fp32"

Encode = Callable[[Sequence[Passage]], object]


def main() -> None:
    arguments = parser().parse_args()
    texts = sampled(arguments.corpus, arguments.passages)
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["OSLER_CACHE"] = folder  # nobody needs these networks again
        backbones = saved(Path(folder))
        bert = load_encoder(str(backbones[BERT]), precision=arguments.precision)
        encode = {REFERENCE: bert.encode_passages} | contenders(backbones[MODERNBERT], arguments.precision)
        for tokens in arguments.tokens or LENGTHS:
            passages = cut(texts, bert, tokens - SPECIAL_TOKENS)
            work = {name: partial(one, passages) for name, one in encode.items()}
            seconds = in_turns(work, turns=arguments.turns)
            print(f"{len(passages)} passages of {tokens} tokens, {arguments.precision}; {arguments.turns} turns.\n")
            print(report(seconds, len(passages)) + "\n")


def saved(folder: Path) -> dict[str, Path]:
    """The folder of each shape, with random weights and the tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(str(resolve("minilm").folder))
    special = {name: getattr(tokenizer, name) for name in ("pad_token_id", "cls_token_id", "sep_token_id")}
    networks: dict[str, PreTrainedModel] = {
        BERT: BertModel(BertConfig()),
        MODERNBERT: ModernBertModel(ModernBertConfig(**special)),
    }
    for name, network in networks.items():
        network.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return {name: folder / name for name in networks}


def colbert(backbone: Path, precision: str) -> ColBERT:
    """A ColBERT of this backbone."""
    transformer = Transformer(str(backbone))
    projection = Dense(
        transformer.get_embedding_dimension(),
        DIMENSIONS,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
    )
    modules = [transformer, projection, Normalize(module_input_name="token_embeddings")]
    folder = str(backbone.with_name("colbert"))
    MultiVectorEncoder(modules=modules, device="cpu").save(folder)
    return load_models(str(backbone), folder, precision=precision).reranker


def contenders(folder: Path, precision: str) -> dict[str, Encode]:
    """What is done with the ModernBERT in this folder, by name."""
    name = str(folder)
    modernbert, reranker = load_encoder(name, precision=precision), colbert(folder, precision)
    pair = load_models(name, name, precision=precision)
    peer = SentenceTransformer(name, device="cpu", model_kwargs={"dtype": DTYPES[precision]})
    return {
        f"{MODERNBERT}, dense vectors": modernbert.encode_passages,
        f"{MODERNBERT}, token vectors": reranker.encode_passages,
        f"{MODERNBERT}, both": lambda some: (modernbert.encode_passages(some), reranker.encode_passages(some)),
        f"{MODERNBERT}, both in one pass": pair.encode_passages,
        f"sentence-transformers, {MODERNBERT}, dense vectors": lambda some: peer.encode([*map(passage_input, some)]),
    }


def sampled(corpus: Path, passages: int) -> list[Document]:
    """The longest documents of the corpus."""
    documents = [entry for entry in read_documents([corpus]) if isinstance(entry, Document)]
    return sorted(documents, key=lambda document: -len(document.text))[:passages]


def cut(documents: Sequence[Document], encoder: BiEncoder, tokens: int) -> list[Passage]:
    """The first tokens of each document as a passage without a title; SystemExit where one has fewer."""
    passages = []
    for document in documents:
        [encoding] = encoder.model.tokenize([document.text], "passage")
        if len(encoding) - SPECIAL_TOKENS < tokens:
            raise SystemExit(f"{document.doc_id}: shorter than {tokens} tokens; lower --passages or --tokens.")
        end = encoding.offsets[tokens][1]
        passages.append(Passage(f"{document.doc_id}#0", document.doc_id, "", document.text[:end], 0, end))
    return passages


def report(seconds: Seconds, passages: int) -> str:
    """A Markdown table, a row for each contender."""
    rows = [
        (name, f"{passages / median(of_turns):.1f}", times_faster(seconds, name, REFERENCE))
        for name, of_turns in seconds.items()
    ]
    return "\n".join(table(("", "passages a second", f"times {REFERENCE}"), rows))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", type=Path, help="a corpus that osler index reads")
    made.add_argument("--passages", type=int, default=32, help="passages that are encoded in each turn")
    made.add_argument("--tokens", type=int, action="append", help="of each passage; 128, 256 and 512 unless given")
    made.add_argument("--precision", choices=DTYPES, default=BEST, help="of all; %(default)s here")
    made.add_argument("--turns", type=int, default=3)
    return made


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
