"""Small real models of the architectures that osler supports, written to a folder as their libraries write them."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
)

from osler.models.catalog import resolve

SENTENCES = [
    "Pericardial effusion is an accumulation of fluid within the pericardium.",
    "Aspirin lowers the risk of a second heart attack; bleeding is its main harm.",
    "Does metformin delay ageing? Trials in mice say so, trials in people are missing.",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[Q] ", "[D] "]


def modernbert(folder: Path) -> Path:
    """A ModernBERT with four layers, local attention of 16 tokens and a byte-level BPE tokenizer of its own."""
    tokenizer = _byte_level_tokenizer()
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        local_attention=16,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )
    ModernBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def bert(folder: Path) -> Path:
    """A BERT with two layers and MiniLM's vocabulary."""
    torch.manual_seed(1)
    tokenizer = BertTokenizerFast.from_pretrained(str(resolve("minilm").folder))
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def bi_encoder(backbone: Path, folder: Path) -> Path:
    """The backbone with mean pooling, as sentence-transformers saves it."""
    SentenceTransformer(str(backbone), device="cpu").save(str(folder))
    return folder


def colbert(backbone: Path, folder: Path) -> Path:
    """The backbone with a trained-like head, markers, a skip list, as sentence-transformers saves it."""
    transformer = Transformer(str(backbone))
    torch.manual_seed(2)
    head = Dense(
        transformer.get_embedding_dimension(),
        24,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
    )
    modules = [transformer, head, MultiVectorMask(["."]), Normalize(module_input_name="token_embeddings")]
    model = MultiVectorEncoder(modules=modules, prompts={"query": "[Q] ", "document": "[D] "}, device="cpu")
    model.save(str(folder))
    return folder


def pylate(backbone: Path, folder: Path, *, attend: bool = False) -> Path:
    """A ColBERT as PyLate 1 saves it: prefixes at the top level and a Dense of its own."""
    colbert(backbone, folder)
    settings = {
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 32,
        "document_length": 180,
        "attend_to_expansion_tokens": attend,
        "skiplist_words": [".", ","],
        "do_query_expansion": True,
        "prompts": {},
        "similarity_fn_name": "MaxSim",
    }
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
            ]
        )
    )
    return folder


def stanford(folder: Path) -> Path:
    """A ColBERT as Stanford's code saves it: the projection beside the BERT weights, artifact.metadata."""
    bert(folder)
    network = BertModel.from_pretrained(str(folder))
    weights = {f"bert.{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}
    torch.manual_seed(3)
    weights["linear.weight"] = torch.randn(16, 48)
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["HF_ColBERT"]}))
    metadata = {"query_maxlen": 16, "doc_maxlen": 120, "mask_punctuation": True, "attend_to_mask_tokens": False}
    (folder / "artifact.metadata").write_text(json.dumps(metadata))
    return folder


def _byte_level_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    ids = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )
