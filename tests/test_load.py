"""Names become objects: what an index remembers of the models and settings that built it."""

import json
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import lancedb
import pytest

from osler.config import Settings
from osler.errors import CorpusError, MissingDependencyError, ModelError, StoreError, UsageError
from osler.generators.llama import LlamaGenerator
from osler.generators.openai import OpenAIGenerator
from osler.index import create_index, open_index
from osler.late_interaction.maxsim import maxsim
from osler.load import Source, build_index, load_answerer, load_generator, load_searcher
from osler.models import load_models
from osler.models.catalog import CATALOG
from osler.models.colbert import ColBERT
from osler.models.model_card import Reference, RerankerCard, write_card
from osler.models.openvino import disable_telemetry
from osler.records import Passage


@pytest.fixture
def corpus(tmp_path) -> Path:
    path = tmp_path / "corpus.jsonl"
    texts = {"1": "Scurvy results from a lack of vitamin C.", "2": "Rickets softens the bones of children."}
    path.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items()))
    return path


class Quoting:
    """A generator that claims what the first passage says, and cites a second one that was never shown."""

    model = replied_by = "quoting"

    def complete(self, messages, *, schema=None):
        return "Scurvy results from a lack of vitamin C [1]. It is treated with citrus [9]."


def test_documents_are_indexed_searched_and_answered_from_by_the_default_models(corpus, tmp_path):
    assert build_index([corpus], tmp_path / "index").documents == 2
    ranked = load_searcher(tmp_path / "index").search("What does a lack of vitamin C cause?").ranked
    assert [passage.passage.doc_id for passage in ranked] == ["1", "2"]
    answerer = load_answerer(tmp_path / "index", Settings(llm={"url": "http://127.0.0.1:9/v1"}))
    answerer.generator = Quoting()
    answer = answerer.answer("What does a lack of vitamin C cause?")
    (citation,) = answer.citations
    assert (citation.marker, citation.passage_id, citation.supported) == ("[1]", "1#0", True)
    assert "[9]" not in answer.text
    assert not answer.abstained
    assert answerer.answer("When does the next train to Paris leave?").abstained


@pytest.mark.parametrize("job", ["encoder", "reranker"])
def test_an_index_is_not_searched_with_another_model_than_built_it(corpus, tmp_path, job):
    build_index([corpus], tmp_path / "index")
    with pytest.raises(StoreError, match=f"built by the {job} .osler-mini.*--{job} osler-mini"):
        load_searcher(tmp_path / "index", Settings(models={job: "minilm"}))


def test_a_modernbert_and_a_colbert_index_and_search(corpus, tmp_path, backbones):
    import tiny_models

    reranker = tiny_models.colbert(backbones["modernbert"], tmp_path / "colbert")
    models = {"encoder": str(backbones["modernbert"]), "reranker": str(reranker)}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    ranking = load_searcher(tmp_path / "index").search("lack of vitamin C")
    assert {ranked.passage.doc_id for ranked in ranking.ranked} == {"1", "2"}


@pytest.mark.slow
def test_an_index_that_another_process_makes_meanwhile_is_added_to(corpus, tmp_path, monkeypatch):
    def made_twice(folder, manifest):
        create_index(folder, manifest)
        return create_index(folder, manifest)

    monkeypatch.setattr("osler.load.create_index", made_twice)
    assert build_index([corpus], tmp_path / "index").documents == 2


def write_facts_of(reranker: Path, encoder: Path, **facts: float) -> None:
    """Facts beside this re-ranker, as if it had been trained as it is."""
    colbert = load_models(str(encoder), str(reranker)).reranker
    spec, texts = colbert.model.spec, ("Scurvy results from a lack of vitamin C.", "Rickets softens bones.")
    passages = [Passage(f"a#{number}", "a", "", text, 0, len(text)) for number, text in enumerate(texts)]
    scores = maxsim(colbert.encode_queries(["scurvy"])[0], colbert.encode_passages(passages)).tolist()
    trained = RerankerCard(
        projection=spec.projection,
        markers=(spec.query_prompt, spec.passage_prompt),
        skip=tuple(colbert.model.tokens(sorted(spec.skip))),
        reference=Reference(query="scurvy", passages=texts, scores=scores),
        **facts,
    )
    write_card(reranker, trained)


def test_a_trained_re_ranker_brings_its_weight_of_stage_1_and_its_threshold(corpus, tmp_path, backbones):
    import tiny_models

    reranker = tiny_models.colbert(backbones["modernbert"], tmp_path / "colbert")
    write_facts_of(reranker, backbones["modernbert"], stage1_weight=0.25, abstain_below=0.125)
    models = {"encoder": str(backbones["modernbert"]), "reranker": str(reranker)}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    assert load_searcher(tmp_path / "index").settings.stage1_weight == 0.25
    assert load_searcher(tmp_path / "index", Settings(search={"stage1_weight": 0})).settings.stage1_weight == 0
    assert load_answerer(tmp_path / "index").settings.abstain_below == 0.125
    best = load_searcher(tmp_path / "index").search("lack of vitamin C").ranked[0]
    assert best.score == pytest.approx(0.75 * best.maxsim + 0.25 * best.candidate_score)


@pytest.mark.slow
def test_the_untrained_default_brings_the_weight_and_the_threshold_of_the_catalog(corpus, tmp_path):
    build_index([corpus], tmp_path / "index", Settings(models={"encoder": "minilm", "reranker": "minilm"}))
    assert load_searcher(tmp_path / "index").settings.stage1_weight == CATALOG["minilm"].stage1_weight > 0
    assert load_answerer(tmp_path / "index").settings.abstain_below == CATALOG["minilm"].abstain_below > 0


def test_a_re_ranker_without_training_ranks_by_maxsim_alone(corpus, tmp_path, backbones):
    models = {"encoder": str(backbones["bert"]), "reranker": str(backbones["bert"])}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    searcher = load_searcher(tmp_path / "index")
    assert searcher.settings.stage1_weight == 0
    assert [one.score == one.maxsim for one in searcher.search("soft bones").ranked] == [True, True]
    assert load_answerer(tmp_path / "index").settings.abstain_below == 0


@pytest.mark.slow
@pytest.mark.parametrize("kept", [{}, {"token_bits": 8, "token_pooling": 1}, {"token_bits": 1, "token_pooling": 1}])
def test_stored_and_fresh_token_vectors_give_the_same_scores(corpus, tmp_path, kept):
    build_index([corpus], tmp_path / "stored", Settings(index=kept))
    build_index([corpus], tmp_path / "fresh", Settings(index={**kept, "token_vectors": False}))
    stored, fresh = (load_searcher(tmp_path / name).search("soft bones").ranked for name in ("stored", "fresh"))
    assert [one.passage.doc_id for one in stored] == [one.passage.doc_id for one in fresh] == ["2", "1"]
    assert [one.score for one in stored] == pytest.approx([one.score for one in fresh], abs=1e-3)
    assert stored[0].evidence.text == fresh[0].evidence.text == "Rickets softens the bones of children."


@pytest.mark.slow
def test_fewer_bits_take_less_room(corpus, tmp_path):
    sizes = []
    for number, bits in enumerate((8, 4, 1)):
        kept = {"token_bits": bits, "token_pooling": 1}
        build_index([corpus], tmp_path / str(number), Settings(index=kept))
        stored = open_index(tmp_path / str(number)).statistics().token_vector_bytes_per_passage
        sizes.append(stored - 4)  # of a passage, its number of vectors
    assert sizes[1:] == pytest.approx([sizes[0] * (44 + 2) / (88 + 4), sizes[0] * (11 + 2) / (88 + 4)])


def test_an_index_is_not_added_to_with_other_bits(corpus, tmp_path):
    build_index([corpus], tmp_path / "index")
    assert build_index([corpus], tmp_path / "index").unchanged == 2
    with pytest.raises(StoreError, match="index.token_bits = 2, not 4"):
        build_index([corpus], tmp_path / "index", Settings(index={"token_bits": 4}))
    with pytest.raises(StoreError, match="index.token_pooling = 2, not 1"):
        build_index([corpus], tmp_path / "index", Settings(index={"token_pooling": 1}))


@pytest.mark.slow
def test_a_long_passage_keeps_a_vector_for_several_tokens_and_evidence_by_the_token(tmp_path):
    sentences = [f"Patient number {number} had a fever, a cough and a rash for {number} days." for number in range(12)]
    text = " ".join([*sentences, "Rickets softens the bones of children."])
    (tmp_path / "long.jsonl").write_text(json.dumps({"_id": "1", "text": text}) + "\n")
    sizes, found = [], []
    for pooling in (1, 3):
        folder = tmp_path / str(pooling)
        build_index([tmp_path / "long.jsonl"], folder, Settings(index={"token_bits": 4, "token_pooling": pooling}))
        sizes.append(open_index(folder).statistics().token_vector_bytes_per_passage)
        bare = folder.with_suffix(".bare")
        kept = {"token_bits": 4, "token_pooling": pooling, "token_vectors": False}
        build_index([tmp_path / "long.jsonl"], bare, Settings(index=kept))
        found += [load_searcher(one).search("soft bones").ranked[0] for one in (folder, folder, bare)]
    assert sizes[1] < sizes[0] / 2.5
    assert {one.evidence.text for one in found} == {"Rickets softens the bones of children."}
    assert [one.score for one in found[3:]] == pytest.approx([found[3].score] * 3, abs=1e-3)
    words = {text[start:end] for start, end, _ in found[3].evidence.words}
    assert {"softens", "bones"} <= words


def test_an_index_without_token_vectors_is_ranked_all_the_same(corpus, tmp_path):
    build_index([corpus], tmp_path / "index", Settings(index={"token_vectors": False}))
    best = load_searcher(tmp_path / "index").search("soft bones").ranked[0]
    assert best.passage.doc_id == "2"
    assert best.evidence.text == "Rickets softens the bones of children."


def test_an_index_is_not_added_to_with_another_split(corpus, tmp_path):
    build_index([corpus], tmp_path / "index")
    with pytest.raises(StoreError, match="max_tokens = 384, not 128"):
        build_index([corpus], tmp_path / "index", Settings(split={"max_tokens": 128}))


def test_an_index_is_not_added_to_without_the_token_vectors_it_has(corpus, tmp_path):
    build_index([corpus], tmp_path / "index")
    with pytest.raises(StoreError, match="token_vectors = True, not False"):
        build_index([corpus], tmp_path / "index", Settings(index={"token_vectors": False}))


def test_a_generator_that_is_neither_local_nor_a_url_is_refused():
    with pytest.raises(UsageError, match="'foo' is no language model"):
        load_generator(Settings(llm={"url": "foo"}).llm)


def test_passages_longer_than_the_models_read_are_refused(corpus, tmp_path):
    with pytest.raises(UsageError, match=r"max_tokens = 2000 is more than the models read \(512\)"):
        build_index([corpus], tmp_path / "index", Settings(split={"max_tokens": 2000}))
    assert not (tmp_path / "index").exists()


def test_a_source_that_is_missing_leaves_no_index_behind(tmp_path):
    with pytest.raises(CorpusError, match="no such file"):
        build_index(Source([tmp_path / "none.xml"]), tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_the_generator_is_the_embedded_one_unless_an_endpoint_is_named():
    assert isinstance(load_generator(Settings().llm), LlamaGenerator)
    assert isinstance(load_generator(Settings(llm={"url": "http://localhost:1/v1"}).llm), OpenAIGenerator)


@pytest.mark.slow
def test_an_index_built_in_8_bits_is_searched_like_any_other(corpus, tmp_path, backbones, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    models = {"encoder": str(backbones["bert"]), "reranker": str(backbones["bert"]), "precision": "int8"}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    assert len(list((tmp_path / "cache").rglob("int8-*"))) == 1
    assert len(load_searcher(tmp_path / "index").search("soft bones").ranked) == 2
    more = {"_id": "3", "text": "Beriberi results from a lack of thiamine."}
    corpus.write_text(corpus.read_text() + json.dumps(more) + "\n")
    assert build_index([corpus], tmp_path / "index", Settings(models=models)).documents == 1
    assert len(list((tmp_path / "cache").rglob("int8-*"))) == 1
    shutil.rmtree(tmp_path / "index")
    build_index([corpus], tmp_path / "index", Settings(models=models))
    assert len(list((tmp_path / "cache").rglob("int8-*"))) == 2  # another index, of another corpus maybe


@pytest.mark.slow
def test_an_index_keeps_to_8_bits(corpus, tmp_path, backbones, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    models = {"encoder": str(backbones["bert"]), "reranker": str(backbones["bert"])}
    build_index([corpus], tmp_path / "index", Settings(models={**models, "precision": "int8"}))
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"_id": "3", "text": "Beriberi results from a lack of thiamine."}))
    build_index([more], tmp_path / "index", Settings(models=models))
    build_index([more], tmp_path / "plain", Settings(models=models))
    added, plain = (open_index(tmp_path / name).snapshot().read(["3#0"]).vectors[0] for name in ("index", "plain"))
    assert 0.9 < added @ plain < 0.99999
    build_index([more], tmp_path / "index", Settings(models={**models, "precision": "auto"}))
    for name, precision in (("index", "fp32"), ("plain", "int8")):
        with pytest.raises(StoreError, match=f"models.precision = '{precision}'"):
            build_index([more], tmp_path / name, Settings(models={**models, "precision": precision}))
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingDependencyError, match=r"osler\[int8\]"):
        build_index([more], tmp_path / "index", Settings(models=models))


def test_without_nncf_no_index_is_begun_in_8_bits(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingDependencyError, match=r"osler\[int8\]"):
        build_index([corpus], tmp_path / "index", Settings(models={"precision": "int8"}))
    assert not (tmp_path / "index").exists()


def test_without_bfloat16_no_index_is_begun_in_it(corpus, tmp_path, monkeypatch):
    processor = SimpleNamespace(get_property=lambda device, name: ["FP32", "INT8"])
    monkeypatch.setattr("openvino.Core", lambda: processor)
    with pytest.raises(ModelError, match="no bfloat16"):
        build_index([corpus], tmp_path / "index", Settings(models={"precision": "bf16"}))
    assert not (tmp_path / "index").exists()


def test_eight_bits_on_a_gpu_begin_no_index(corpus, tmp_path):
    with pytest.raises(ModelError, match="int8' is for the CPU"):
        build_index([corpus], tmp_path / "index", Settings(models={"precision": "int8", "device": "cuda"}))
    assert not (tmp_path / "index").exists()


def test_bits_that_fill_no_bytes_begin_no_index(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(ColBERT, "dim", 100)
    with pytest.raises(UsageError, match=r"index.token_bits = 1 .* 100 dimensions"):
        build_index([corpus], tmp_path / "index", Settings(index={"token_bits": 1}))
    assert not (tmp_path / "index").exists()


def test_the_first_search_finds_its_network_compiled(corpus, tmp_path, backbones, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    name = str(backbones["bert"])
    build_index([corpus], tmp_path / "index", Settings(models={"encoder": name, "reranker": name}))
    compiled = list((tmp_path / "cache").rglob("compiled/*/*/*.blob"))
    load_searcher(tmp_path / "index").search("anaemia")
    assert list((tmp_path / "cache").rglob("compiled/*/*/*.blob")) == compiled != []


def test_nothing_reports_to_openvino(monkeypatch):
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    disable_telemetry()
    with pytest.raises(ImportError):
        import_module("openvino_telemetry")


def renamed(folder: Path, **changes: object) -> None:
    """The index with another manifest, as a stranger may have written it."""
    table = lancedb.connect(folder).open_table("passages")
    manifest = json.loads(table.schema.metadata[b"osler.manifest"])
    manifest["encoder"] |= changes
    schema = table.schema.with_metadata({b"osler.manifest": json.dumps(manifest).encode()})
    rows = table.to_arrow().cast(schema)
    shutil.rmtree(folder)
    lancedb.connect(folder).create_table("passages", data=rows, schema=schema)


def test_a_model_that_only_the_manifest_names_is_not_fetched(corpus, tmp_path, backbones, monkeypatch):
    models = {"encoder": str(backbones["bert"]), "reranker": str(backbones["bert"])}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    renamed(tmp_path / "index", name="stranger/model")
    asked = []

    def download(repository, **options):
        asked.append(options.get("local_files_only"))
        raise FileNotFoundError(repository)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(ModelError, match="was built by the model 'stranger/model'. .* name it yourself to have it"):
        load_searcher(tmp_path / "index")
    assert asked == [True]
    with pytest.raises(ModelError, match="nor a repository that the hub would give"):
        load_searcher(tmp_path / "index", Settings(models={"encoder": "stranger/model"}))
    assert asked == [True, None]


def test_a_model_whose_files_changed_is_told_as_such(corpus, tmp_path, backbones):
    shutil.copytree(backbones["bert"], tmp_path / "model")
    models = {"encoder": str(tmp_path / "model"), "reranker": str(tmp_path / "model")}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    (tmp_path / "model" / "vocab.txt").write_text("new")
    for settings in (Settings(), Settings(models=models)):
        with pytest.raises(StoreError, match="whose files are not the same any more .* bring those files back"):
            load_searcher(tmp_path / "index", settings)


def test_an_index_whose_manifest_names_another_dimension_is_one_sentence(corpus, tmp_path, backbones):
    models = {"encoder": str(backbones["bert"]), "reranker": str(backbones["bert"])}
    build_index([corpus], tmp_path / "index", Settings(models=models))
    renamed(tmp_path / "index", dim=7)
    with pytest.raises(StoreError, match="names vectors of 7 dimensions"):
        load_searcher(tmp_path / "index")
