"""What runs/measure.sh left in docs/performance, as docs/performance.md. Knows files, computes nothing.

    python runs/performance.py

Each part stands under the command that made it; a part whose file is not there is left out.
"""

from __future__ import annotations

from pathlib import Path

from results import Part, joined, markdown, parts
from targets import targets

SCRIPT = Path(__file__).with_name("measure.sh")
MEASURED = SCRIPT.parent.parent / "docs" / "performance"
INTRODUCTION = """# Performance

Made by `runs/measure.sh` on two cores of a virtual machine. Each table stands under the command that made it; `$WORK`
is the folder of its files. What is compared takes turns within one run, and a ratio is the median of the turns' ratios,
with the least and the most of them in brackets, or the quartiles where it says so. The line above or below a table says
on which processor it was made; one without was made on that of the section "The machine". The peers' versions are those
of `benchmarks/peers`.
"""

AIMS = """## What it aims at

The figures of the tables below beside what osler aims at. How many times sentence-transformers' speed a network can
reach is up to the processor: the aims were set on one that multiplies in bfloat16 at 800 billion operations a second,
and what this one could do at most is said [with the table](#encoding).
"""

ENCODING = """How much faster bfloat16 and 8 bits can be is up to the processor: the line below the table says what it
could do at most. `osler index` takes longer than encoding, for compressing and writing. In 8 bits, calibrating is left
out: half a minute, once an index."""

TOKENS = """The default models' vectors have 88 components,
[cut](lab.md#two-bits-and-a-vector-for-three-tokens-as-the-default) from the 128 that were trained; 64 and 48 are
principal components of these. 2 bits and a vector for 2 tokens are what an index has unless told otherwise."""

SEARCH = """The peers know no words, no evidence and no share of stage 1 in the score, so they are compared with "the
first", osler searching as they do: how many times its milliseconds they take, and how much higher their nDCG@10 is.
`qdrant_edge_search` is Qdrant Edge, `pylate_fast_plaid` the engine of PyLate's PLAID; both are given the vectors of
a query and charged for them. sentence-transformers reads a query with two models, most of its time, and has no index to
write. Qdrant's and its vectors are floats, osler's 2 bits a component. PLAID has a table of its own over a small
corpus, since it computes in float16: where a processor has to imitate that, it
[takes long](lab.md#plaid-on-a-processor-without-float16), which says nothing of others."""

GROWTH = """These passages are made: MedQuAD's, repeated with their sentences in another order and one of another among
them, their vectors moved by noise that is distributed as the vectors are. So what it takes to find them is measured,
and not whether they answer. A graph of the vectors is built from 100,000 passages on, and takes most of the
time of writing then; up to some 230,000, `search.memory` holds the vectors, and a search is exact; beyond, the graph is
searched and everything is read from the table. So one power over all sizes says roughly how they grow."""

BACKBONES = """Random weights in the shapes of the two networks, and the same tokens. "Both" is what the paper's system
does: bi-encoder and ColBERT, two passes of ModernBERT. It has 22 layers against 12, and is the slower at equal
precision; what speeds indexing up is one pass for both, as the default models have it."""

PARTS = (
    Part("The machine", "machine.md", markdown),
    Part("Encoding", "encoding*.md", markdown, ENCODING),
    Part("What fewer bits do to retrieval", "precision_*.md", markdown),
    Part("ModernBERT beside BERT", "backbones.md", markdown, BACKBONES),
    Part("The size of token vectors", "token_vectors_*.md", markdown, TOKENS),
    Part("MaxSim", "maxsim.md", markdown),
    Part("A search with two stages", "search*.md", markdown, SEARCH),
    Part("Up to a million passages", "growth.md", markdown, GROWTH),
    Part("Starting", "startup.md", markdown),
)


def document() -> str:
    """What docs/performance.md holds."""
    return joined([INTRODUCTION, AIMS, targets(MEASURED), *parts(MEASURED, SCRIPT, PARTS)])


if __name__ == "__main__":
    MEASURED.with_suffix(".md").write_text(document(), encoding="utf-8")
