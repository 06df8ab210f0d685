#!/usr/bin/env bash
# All that osler claims of its speed and size, measured beside what one would use instead; fills docs/performance.md.
#
#   make setup && OSLER_DATA=/path/to/data runs/measure.sh
#
# OSLER_DATA   the folder of the data sets
# WORK         where indexes and the peers' environments go; runs/work unless set
#
# Run nothing else meanwhile. What a command prints is kept in docs/performance: delete a file to measure it anew, and
# $WORK too where osler has come to store other things in an index.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OSLER_DATA:?name the folder of the data sets}"
export WORK=${WORK:-runs/work} KEPT=docs/performance
. runs/keep.sh
made_on() {
  local processor revision
  processor=$(python benchmarks/machine.py --processor)
  revision=$(git rev-parse --short HEAD)
  git diff --quiet HEAD -- osler benchmarks || revision+=", changed"
  printf '\nMade on %s, %s, by osler at %s.\n' "$processor" "$(date +%F)" "$revision"
}

for name in scifact medquad bioasq; do
  osler index "$OSLER_DATA/$name/corpus.jsonl" --index "$WORK/$name" >/dev/null
done
into machine.md python benchmarks/machine.py
into encoding.md python benchmarks/encoding.py "$OSLER_DATA/scifact/corpus.jsonl" --work "$WORK/search" --peer sentence_transformers_openvino
into precision_scifact.md python benchmarks/precision.py --data scifact --split train
into precision_bioasq.md python benchmarks/precision.py --data bioasq --split dev
into backbones.md python benchmarks/backbones.py "$OSLER_DATA/scifact/corpus.jsonl" --passages 32
into token_vectors_scifact.md python benchmarks/token_vectors.py --data scifact --split train --queries 400 --index "$WORK/scifact"
into token_vectors_bioasq.md python benchmarks/token_vectors.py --data bioasq --split dev --queries 400 --index "$WORK/bioasq"
into token_vectors_medquad.md python benchmarks/token_vectors.py --data medquad --split dev --queries 400 --index "$WORK/medquad"
into maxsim.md python benchmarks/maxsim.py --index "$WORK/scifact"
into search.md python benchmarks/search.py --data medquad --split dev --work "$WORK/search" --peer qdrant_edge_search
into growth.md python benchmarks/growth.py --data medquad --index "$WORK/medquad" --work "$WORK/growth" --size 1000 --size 10000 --size 100000 --size 1000000
into startup.md python benchmarks/startup.py --index "$WORK/medquad"
# PyLate has torch of another version, several gigabytes: so these come last.
into encoding_pylate.md python benchmarks/encoding.py "$OSLER_DATA/scifact/corpus.jsonl" --work "$WORK/search" --peer pylate_fast_plaid --passages 256 --turns 3
into search_plaid.md python benchmarks/search.py --data medquad --split dev --work "$WORK/search" --peer qdrant_edge_search --peer pylate_fast_plaid
python runs/tables.py
