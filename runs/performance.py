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
with the least and the most of them in brackets, or the quartiles where it says so.
"""

ENCODING = """How much faster bfloat16 and 8 bits can be is up to the processor: compare what each contender reaches
with how fast large matrices are multiplied. One that multiplies in bfloat16 four times as fast as in float32 makes the
ratios of the table higher, one that has neither AVX-512 nor AMX makes them lower."""

SEARCH = """As it comes, osler also looks words up and finds the evidence of five passages; nothing in the peers' rows
stands for these."""

GROWTH = """Up to some 230,000 passages, `search.memory` holds the vectors, and a search is exact. Beyond, a graph is
searched and everything is read from the table; most of the time of writing is then the graph's."""

PARTS = (
    Part("The machine", "machine.md", markdown),
    Part("Encoding", "encoding*.md", markdown, ENCODING),
    Part("What fewer bits do to retrieval", "precision_*.md", markdown),
    Part("ModernBERT beside BERT", "backbones.md", markdown),
    Part("The size of token vectors", "token_vectors_*.md", markdown),
    Part("MaxSim", "maxsim.md", markdown),
    Part("A search with two stages", "search*.md", markdown, SEARCH),
    Part("Up to a million passages", "growth.md", markdown, GROWTH),
    Part("Starting", "startup.md", markdown),
)


if __name__ == "__main__":
    write_document(MEASURED, INTRODUCTION, parts(MEASURED, SCRIPT, PARTS))
