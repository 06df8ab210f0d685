#!/usr/bin/env bash
# The whole study, in order, one command a line; its figures fill docs/results.md. About nine hours on two cores.
#
#   make setup && OSLER_DATA=/path/to/data runs/reproduce.sh
#
# OSLER_DATA   the folder of the data sets
# WORK         where models, indexes and runs go; runs/work unless set
#
# What a command prints is kept in docs/results, and a command whose file lies there is not run: to make a figure anew,
# delete its file and its folder. A training, an ablation or a MIRAGE run that was stopped goes on: run it again. An
# index whose build was stopped is refused: delete its folder. Speeds are measured by the sweep and by full_text: run
# nothing else meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OSLER_DATA:?name the folder of the data sets}"
export WORK=${WORK:-runs/work} KEPT=docs/results
. runs/keep.sh

into training.jsonl osler train --recipe recipes/mini.toml --out "$WORK/models" --json
into trained_models.md python benchmarks/trained_models.py --models "$WORK/models" --work "$WORK/untrained" --apart hpo-lay
into left_out_medquad.md python benchmarks/leave_one_out.py --work "$WORK/left-out" --reduced --only-train hpo-lay --left-out medquad
into left_out_bioasq.md python benchmarks/leave_one_out.py --work "$WORK/left-out" --reduced --only-train hpo-lay --left-out bioasq
into left_out_scifact.md python benchmarks/leave_one_out.py --work "$WORK/left-out" --reduced --only-train hpo-lay --left-out scifact
into left_out_pubmedqa.md python benchmarks/leave_one_out.py --work "$WORK/left-out" --reduced --only-train hpo-lay --left-out pubmedqa
into retrieval_medquad.jsonl osler evaluate retrieval --data medquad --split dev --index "$WORK/medquad" --baseline bm25 --baseline zero-shot --baseline fusion --json
into retrieval_bioasq.jsonl osler evaluate retrieval --data bioasq --split dev --index "$WORK/bioasq" --baseline bm25 --baseline zero-shot --baseline fusion --json
into retrieval_hpo-lay.jsonl osler evaluate retrieval --data builtin:hpo-lay --split test --index "$WORK/hpo-lay" --baseline bm25 --baseline zero-shot --baseline fusion --json
into ablation.jsonl python -m experiments.ablation --recipe recipes/mini.toml --out docs/results/ablation --json
into sweep_index.json osler index "$OSLER_DATA/medquad/corpus.jsonl" --index "$WORK/medquad-8-bits" --token-bits 8 --token-pooling 1 --json
into sweep.jsonl osler evaluate sweep --data medquad --split dev --index "$WORK/medquad" --index "$WORK/medquad-8-bits" --out docs/results/sweep --questions 5 -k 5,10 --json
into negation.json python -m experiments.negation --scifact scifact --json
[ -s docs/results/full_text.jsonl ] || rm -rf "$WORK/full-text" # its builds are timed whole
into full_text.jsonl python -m experiments.full_text "$OSLER_DATA/formats/jats" --among scifact --out "$WORK/full-text" --json
last_line_into contamination_medquad_medquad.jsonl osler evaluate contamination --train medquad --test medquad:dev --json
last_line_into contamination_medquad_bioasq.jsonl osler evaluate contamination --train bioasq --test medquad:dev --json
last_line_into contamination_bioasq_bioasq.jsonl osler evaluate contamination --train bioasq --test bioasq:dev --json
last_line_into contamination_bioasq_medquad.jsonl osler evaluate contamination --train medquad --test bioasq:dev --json
last_line_into contamination_bioasq_scifact.jsonl osler evaluate contamination --train scifact --test bioasq:dev --json
last_line_into contamination_bioasq_pubmedqa.jsonl osler evaluate contamination --train pubmedqa --test bioasq:dev --json
last_line_into contamination_scifact_bioasq.jsonl osler evaluate contamination --train bioasq --test scifact --json
last_line_into contamination_scifact_pubmedqa.jsonl osler evaluate contamination --train pubmedqa --test scifact --json
last_line_into contamination_pubmedqa_bioasq.jsonl osler evaluate contamination --train bioasq --test pubmedqa --json
last_line_into contamination_pubmedqa_scifact.jsonl osler evaluate contamination --train scifact --test pubmedqa --json
last_line_into contamination_hpo-lay-dev_hpo-lay.jsonl osler evaluate contamination --train builtin:hpo-lay --test builtin:hpo-lay:dev --json
last_line_into contamination_hpo-lay-test_hpo-lay.jsonl osler evaluate contamination --train builtin:hpo-lay --test builtin:hpo-lay:test --json
last_line_into contamination_mirage_bioasq.jsonl osler evaluate contamination --train bioasq --test mirage/benchmark_dev300.json --json
last_line_into contamination_mirage_medquad.jsonl osler evaluate contamination --train medquad --test mirage/benchmark_dev300.json --json
last_line_into contamination_mirage_scifact.jsonl osler evaluate contamination --train scifact --test mirage/benchmark_dev300.json --json
last_line_into contamination_mirage_pubmedqa.jsonl osler evaluate contamination --train pubmedqa --test mirage/benchmark_dev300.json --json
last_line_into contamination_mirage_hpo-lay.jsonl osler evaluate contamination --train builtin:hpo-lay --test mirage/benchmark_dev300.json --json
into corpora.json osler index "$OSLER_DATA"/{medquad,bioasq,scifact,pubmedqa}/corpus.jsonl --index "$WORK/corpora" --json
into mirage_alone.jsonl osler evaluate mirage --benchmark "$OSLER_DATA/mirage/benchmark_dev300.json" --no-rag --out "$WORK/mirage-alone" --json
into mirage_passages.jsonl osler evaluate mirage --benchmark "$OSLER_DATA/mirage/benchmark_dev300.json" --index "$WORK/corpora" --out "$WORK/mirage-passages" --compare "$WORK/mirage-alone" --json
into mirage_without_gold.jsonl osler evaluate mirage --benchmark "$OSLER_DATA/mirage/benchmark_dev300.json" --index "$WORK/corpora" --without-gold --out "$WORK/mirage-without-gold" --compare "$WORK/mirage-passages" --json
into answers.json osler evaluate answers --data bioasq --split dev --index "$WORK/bioasq" --queries 50 --json
python runs/tables.py
