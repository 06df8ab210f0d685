"""Messages become text: any OpenAI-compatible endpoint, and the embedded model behind one. Knows no passages."""

from osler.generators.llama import LlamaGenerator
from osler.generators.openai import OpenAIGenerator

__all__ = ["LlamaGenerator", "OpenAIGenerator"]
