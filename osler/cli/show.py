"""`osler show`: one document as it was indexed."""

from __future__ import annotations

from typing import Annotated

import typer

from osler.cli import options


def show(
    doc_id: Annotated[str, typer.Argument(metavar="DOC_ID", help="As a search gives it, such as HP:0001698.")],
    index: options.Index = options.DEFAULT_INDEX,
    json: options.AsJson = False,
) -> None:
    """Show a whole document; the offsets that osler reports count characters of its text.

    osler show HP:0001698 --index ontology
    """
    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import document_json, print_document, print_json
    from osler.errors import StoreError
    from osler.index import open_index

    document = open_index(index).document(doc_id)
    if document is None:
        raise StoreError(f"{doc_id!r} is not in {index}: take an id from `osler search`, without the #number.")
    if json:
        print_json(document_json(document))
    else:
        print_document(document)
