"""The index: passages and their vectors in one LanceDB table, in a folder or an object store. Knows no model."""

from osler.index.lance import LanceIndex
from osler.index.manifest import Manifest, ModelIdentity
from osler.index.store import create_index, index_exists, open_index

__all__ = ["LanceIndex", "Manifest", "ModelIdentity", "create_index", "index_exists", "open_index"]
