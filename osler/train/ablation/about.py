"""What a reader of an ablation must know: data, training, corpora. Knows settings and counts, no values."""

from __future__ import annotations

from collections.abc import Iterator

from osler.evaluate.ablation.cells import Size
from osler.evaluate.ablation.corpus import SAMPLE_SEED, CutCorpus
from osler.train.ablation.material import Material
from osler.train.settings import RecipeSettings


def about(recipe: RecipeSettings, size: Size, material: Material) -> list[str]:
    """Sentences on how the cells were trained and measured."""
    return list(_sentences(recipe, size, material))


def _sentences(recipe: RecipeSettings, size: Size, material: Material) -> Iterator[str]:
    seeds = ", ".join(map(str, size.seeds))
    sizes = [len(part.train.queries) for part in material.parts]
    yield (
        f"Size `{size.name}`, backbone `{recipe.backbone}`, {recipe.tuning.method} tuning, seeds {seeds}: a seed draws "
        "the training pairs, and decides starting weights and batches."
    )
    yield (
        f"Retrievers learn from {min(size.pairs, sum(sizes)):,} pairs, one a query and evenly from "
        f"{', '.join(part.name for part in material.parts)}; re-rankers from "
        f"{min(size.reranker_pairs, sum(sizes)):,} of them with {recipe.reranker.negatives} negatives each."
    )
    yield (
        "With random or BM25 negatives a query is compared with its positive and one negative of its own, by the same "
        "cross-entropy as within a batch. Cosine is multiplied by 20 before the softmax, a dot product by 1."
    )
    yield (
        "The checkpoint with the lowest loss on queries set aside is taken, the untrained start included; `best_step` "
        "of a cell's file names it."
    )
    yield (
        "Retrievers are measured by comparing every query with every passage; re-rankers re-order the first "
        f"{size.num_candidates} passages of the in-batch cosine retriever of their seed by MaxSim alone."
    )
    if size.max_tokens:
        yield f"Of a passage the first {size.max_tokens} tokens are read, in training and in search."
    yield from (_corpus(corpus) for corpus in material.asked)


def _corpus(corpus: CutCorpus) -> str:
    dataset = corpus.dataset
    return (
        f"{dataset.name}: {len(dataset.queries):,} queries over {len(dataset.documents):,} documents, "
        f"{corpus.relevant:,} relevant ones and {corpus.distractors:,} others sampled with seed {SAMPLE_SEED} "
        f"(`corpora/{dataset.name}.txt`, digest {corpus.digest})."
    )
