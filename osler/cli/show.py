"""`osler show`: one document as it was indexed."""

from __future__ import annotations

from typing import Annotated

import typer

from osler.cli import options


def show(
    doc_id: Annotated[
        str,
        typer.Argument(metavar="DOC_ID", help="As a search gives it, such as HP:0001698; or a PMID, DOI or PMCID."),
    ],
    index: options.Index = options.DEFAULT_INDEX,
    json: options.AsJson = False,
) -> None:
    """Show a whole document; the offsets that osler reports count characters of its text.

    osler show HP:0001698 --index ontology

    osler show https://doi.org/10.1017/S0954422419000301 --index pubmed
    """
    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import document_json, print_document, print_json, print_notice
    from osler.errors import StoreError
    from osler.index import open_index

    library = open_index(index).snapshot()
    doc_ids = library.find_documents([doc_id]).get(doc_id, [])
    document = library.document(doc_ids[0]) if doc_ids else None
    if document is None:
        raise StoreError(
            f"{doc_id!r} is not in {index}: take an id from `osler search`, "
            f"or add the document with `osler index SOURCE --index {index}`."
        )
    if json:
        print_json(document_json(document))
    else:
        print_document(document)
    if others := doc_ids[1:]:
        print_notice(f"note: {document.doc_id} is shown; this id is also that of {', '.join(others)}.")
