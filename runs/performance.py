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

Made by `runs/measure.sh` on two cores of a virtual machine. Each table stands under the command that makes it; `$WORK`
is the folder of its files. What is compared takes turns within one run, and a ratio is the median of the turns' ratios,
with the least and the most of them in brackets, or the quartiles where it says so. How fast a virtual machine is
changes by half from one hour to another: ratios within a table hold better than milliseconds do. The line below a table
says how fast its machine was just then; tables without that were made earlier, by scripts that may have had other
columns. The peers' versions are those of `benchmarks/peers`. No figure is of a GPU.
"""

AIMS = """## What it aims at

The figures of the tables below beside what osler aims at; ≯ is "not significantly more". Most tables are of a quiet
hour on an AMD EPYC, growth and PLAID of an Intel Xeon with AMX. What takes milliseconds was measured on the EPYC in a
slow hour too, when neighbours had more of the machine, and the main tables on that Xeon, whose hours were mixed
([slow hour](performance/slow_hour), [AMX](performance/amx); made by the same commands): some aims are reached only
when it is quiet, some by one processor alone.

Not reached are

- the speed of bfloat16 on the EPYC, whose [large matrices alone](#encoding) are below the aim; four fifths of that are
  reached. With AMX the aim is reached;
- the speed of 8 bits: two fifths of the time are attention, which is no faster in 8 bits, and what lies between the
  layers. The linear layers [run at 94%](lab/notes.md#what-a-batch-of-passages-takes-layer-by-layer) of what the EPYC
can;
  [with AMX](lab/notes.md#the-same-on-a-processor-with-amx) they are so short in bfloat16 that 8 bits save nothing;
- `osler index` unless it is asked for 8 bits on the EPYC; with AMX an eighth of it is
  [splitting, writing and tidying](lab/notes.md#the-same-on-a-processor-with-amx), the rest the network and what it
gives;
- a search of a million passages in 30 ms, in a slower hour: with AMX it takes
  [25 to 34 ms](lab/notes.md#rows-of-a-million-passages-read-from-a-copy), by the hour. The network, the words and
the graph
  are [15 to 20](lab/notes.md#a-search-of-a-million-passages-step-by-step) of that, and gain little from a second core;
- a search by default settings in less time than Qdrant Edge, which looks for no words and finds no evidence: osler
  takes 0.9 ms more on the EPYC, and the evidence alone 1.3;
- with AMX a search of MedQuAD in 12 ms (like for like 13.0 in one run, [10.7](#a-search-beside-plaid) in another), in
  the first of these runs ahead of Qdrant Edge, and MaxSim of 1,000 passages in 10 ms:
  [every step is slower there](lab/notes.md#a-search-on-a-processor-with-amx) than on the EPYC, and numpy multiplies
floats
  without AMX. On the EPYC MaxSim is above 10 ms only of passages that come one by one;
- 8 bits on BioASQ within 0.003: they rank better, by a difference within its interval.

What was tried for encoding stands in the lab notes: [larger batches](lab/notes.md#larger-batches-on-the-cpu),
[tokenising beside the network](lab/notes.md#tokenising-beside-the-network),
[more layers in 8 bits](lab/notes.md#attention-in-8-bits); for a million passages
[how its rows are read](lab/notes.md#rows-of-a-million-passages-read-from-the-table) and
[what did not help](lab/notes.md#what-did-not-shorten-a-search-of-a-million-passages).

By its default settings osler also looks for words, finds evidence and gives stage 1 a share of the score, which the
peers do not. Like for like it is ahead of all of them on the EPYC; with AMX Qdrant Edge takes 1.0 times as long in one
run, where osler's own median is 1.6 ms behind, and 1.2 times in another, where it is 2.2 ms ahead."""

ENCODING = """How much faster bfloat16 and 8 bits can be is up to the processor. The last rows say how fast torch
multiplies large matrices on it: so fast would be a network that did nothing else. In bfloat16 three quarters of the
time are linear layers, which run at [that speed](lab/notes.md#what-a-batch-of-passages-takes-layer-by-layer), in 8
bits three
fifths. `osler index` splits and writes too, which for so few passages is a tenth of its time. In 8 bits, calibrating is
left out: half a minute, once an index. When this was measured, OpenVINO took for bfloat16 what it had compiled for
float32 before; since then each is compiled for itself, which with AMX
[changed no ratio beyond its spread](lab/notes.md#the-same-on-a-processor-with-amx)."""

PRECISION = """On the EPYC bfloat16 was measured as above, by a network that was compiled for float32 first."""

PYLATE = """PyLate needs an older torch, so it has a run of its own, made earlier on a processor without bfloat16."""

TOKENS = """The default models' vectors have 88 components,
[cut](lab/notes.md#two-bits-and-a-vector-for-three-tokens-as-the-default) from the 128 that were trained; 64 and 48 are
principal components of these; 96 and 128 stand
[there](lab/notes.md#two-bits-and-a-vector-for-three-tokens-as-the-default)
too. 2 bits and a vector for 2 tokens are what an index has unless told otherwise."""

SEARCH = """The peers know no words, no evidence and no share of stage 1 in the score, so they are compared with "the
first", osler searching as they do: how many times its milliseconds they take, and how much higher their nDCG@10 is.
`qdrant_edge_search` is Qdrant Edge; it is given the vectors of a query and charged for them. sentence-transformers
reads a query with two models, most of its time, and has no index to write. The peers' vectors are floats, those of
tokens in osler's index 2 bits a component. The seconds to build are those of compressing, writing and indexing what the
models gave, without the models' own."""

PLAID = """The same with PyLate's PLAID (its engine, fast-plaid), on the Xeon with AMX. It computes in float16; where a
processor has to imitate that, it [takes long](lab/notes.md#plaid-on-a-processor-without-float16). It finds by the
centroids
of all tokens, without candidates by one vector, and is given the vectors of a query too. In this run osler, like for
like, is ahead of every peer; in the [other one](performance/amx/search.md) on that Xeon Qdrant Edge takes 1.0 times as
long, its median 1.6 ms less."""

GROWTH = """These passages are made: MedQuAD's, repeated with their sentences in another order and one of another among
them, their vectors moved by noise that is distributed as the vectors are. So what it takes to find them is measured,
and not whether they answer. This table is of the index as it was before it had
[snapshots](guides/indexing.md#snapshots): it
built a graph of the vectors from 100,000 passages on, held vectors up to some 230,000 passages in memory, and read the
rest from a copy of the rows, half of the bytes of the two larger sizes. A first round takes longer where the system
does not hold those files yet. So one power over all sizes says roughly how they grow. How a search of a million
passages divided [stands in the lab notes](lab/notes.md#a-search-of-a-million-passages-step-by-step)."""

BACKBONES = """Random weights in the shapes of the two networks, and the same tokens. "Both" is what the paper's system
does: bi-encoder and ColBERT, two passes of ModernBERT. It has 22 layers against 12, and is the slower at equal
precision; what speeds indexing up is one pass for both, as the default models have it. There the token vectors are the
backbone's own, of 768 components."""

PARTS = (
    Part("The machine", "machine.md", markdown),
    Part("Encoding", "encoding.md", markdown, ENCODING),
    Part("Encoding beside PyLate", "encoding_pylate.md", markdown, PYLATE),
    Part("What fewer bits do to retrieval", "precision_*.md", markdown, PRECISION),
    Part("ModernBERT beside BERT", "backbones.md", markdown, BACKBONES),
    Part("The size of token vectors", "token_vectors_*.md", markdown, TOKENS),
    Part("MaxSim", "maxsim.md", markdown),
    Part("A search with two stages", "search.md", markdown, SEARCH),
    Part("A search beside PLAID", "search_plaid.md", markdown, PLAID),
    Part("Up to a million passages", "growth.md", markdown, GROWTH),
    Part("Starting", "startup.md", markdown),
)


def document() -> str:
    """What docs/performance.md holds."""
    return joined([INTRODUCTION, AIMS, targets(MEASURED), *parts(MEASURED, SCRIPT, PARTS)])


if __name__ == "__main__":
    MEASURED.with_suffix(".md").write_text(document(), encoding="utf-8")
