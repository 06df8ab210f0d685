"""The index: passages and their vectors in one LanceDB table, in a folder or an object store. Knows no model."""

from osler.index.lance import LanceIndex, create_index, index_exists, open_index
from osler.index.manifest import Manifest, ModelIdentity

__all__ = ["LanceIndex", "Manifest", "ModelIdentity", "create_index", "index_exists", "open_index"]
