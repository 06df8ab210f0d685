"""sentence-transformers on OpenVINO, which its own documentation recommends for a CPU."""

from __future__ import annotations

import sys

from answering import answer

sys.modules["torchvision"] = None  # type: ignore[assignment]  # built for CUDA's torch: hidden, and not needed here

from sentence_transformers import SentenceTransformer  # noqa: E402


class Engine:
    """A model that is converted when it is loaded."""

    def load(self, backbone: str) -> str:
        """Load the model in this folder; the precision that OpenVINO has chosen."""
        self.model = SentenceTransformer(backbone, backend="openvino", device="cpu")
        self.model.encode(["compiled now"])
        network = self.model[0].auto_model.request
        return str(network.get_property("INFERENCE_PRECISION_HINT").get_type_name())

    def encode(self, texts: list[str]) -> int:
        """Encode passages; how many vectors there are."""
        return len(self.model.encode(texts))


if __name__ == "__main__":
    engine = Engine()
    answer({name: getattr(engine, name) for name in ("load", "encode")})
