"""What runs/measure.sh left in docs/performance, as docs/performance.md. Knows files, computes nothing.

    python runs/performance.py

Each part stands under the command that made it; a part whose file is not there is left out.
"""

from __future__ import annotations

from pathlib import Path

from results import Part, markdown, parts, write_document

SCRIPT = Path(__file__).with_name("measure.sh")
MEASURED = SCRIPT.parent.parent / "docs" / "performance"
INTRODUCTION = """# Performance

Made by `runs/measure.sh` on two cores of a virtual machine. Each table stands under the command that made it; `$WORK`
is the folder of its files. What is compared takes turns within one run, and a ratio is the median of the turns' ratios,
with the least and the most of them in brackets, or the quartiles where it says so. A table that names a processor was
made on that one, any other on the machine of the first section. The peers' versions are those of `benchmarks/peers`.
"""

ENCODING = """How much faster bfloat16 and 8 bits can be is up to the processor: compare what each contender reaches
with how fast large matrices are multiplied. One that multiplies in bfloat16 four times as fast as in float32 makes the
ratios of the table higher, one that has neither AVX-512 nor AMX makes them lower. The rows in 8 bits leave out what
calibrating takes: half a minute, once an index."""

TOKENS = """The default models' vectors have 88 components,
[cut](lab.md#two-bits-and-a-vector-for-three-tokens-as-the-default) from the 128 that were trained; 64 and 48 are
principal components of these. 2 bits and a vector for 2 tokens are what an index has unless told otherwise."""

SEARCH = """As it comes, osler also looks words up and finds the evidence of five passages; nothing in the peers' rows
stands for these, so the row below it is the one to compare with them. `qdrant_edge_search` is Qdrant Edge,
`pylate_fast_plaid` PLAID as PyLate uses it; both are given the vectors of a query and charged for them. "The first" is
osler as it comes: how many times its milliseconds the others take, and how much higher their nDCG@10 is. PLAID has a
table of its own over a small corpus, since it computes in float16: where a processor has to imitate that, it
[takes long](lab.md#plaid-on-a-processor-without-float16)."""

GROWTH = """These passages are made: MedQuAD's, repeated with their sentences in another order and one of another among
them, their vectors moved by noise that is distributed as the vectors are. So what it takes to find them is measured,
and not whether they answer. A graph of the vectors is built from 100,000 passages on, and takes most of the
time of writing then; up to some 230,000, `search.memory` holds the vectors, and a search is exact; beyond, the graph is
searched and everything is read from the table. So one power over all sizes says roughly how they grow.
The table was made before an index stored the spans of tokens: its searches took passages apart for their evidence."""

PARTS = (
    Part("The machine", "machine.md", markdown),
    Part("Encoding", "encoding*.md", markdown, ENCODING),
    Part("What fewer bits do to retrieval", "precision_*.md", markdown),
    Part("ModernBERT beside BERT", "backbones.md", markdown),
    Part("The size of token vectors", "token_vectors_*.md", markdown, TOKENS),
    Part("MaxSim", "maxsim.md", markdown),
    Part("A search with two stages", "search*.md", markdown, SEARCH),
    Part("Up to a million passages", "growth.md", markdown, GROWTH),
    Part("Starting", "startup.md", markdown),
)


if __name__ == "__main__":
    write_document(MEASURED, INTRODUCTION, parts(MEASURED, SCRIPT, PARTS))
