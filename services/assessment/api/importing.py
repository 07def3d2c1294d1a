"""Imports results and officers in bulk."""

from typing import TypeVar

from aiohttp import web

from services.assessment.api.common import INTAKE, REGISTRAR
from services.assessment.imports import TYPES, FileReader, OfficerImport, ResultImport
from services.assessment.model import ImportedOfficer, ImportedResult, ImportRows
from shared.imports.job import ImportRequest
from shared.imports.rows import ImportReport
from shared.imports.streaming import answer_import, import_request, named_encoding, named_format
from shared.routes import import_key, read_query

T = TypeVar("T")

IMPORTS = "/v1/assessments/imports"
REPORT = f"{IMPORTS}/{{import_id}}"


async def import_results(request: web.Request) -> web.StreamResponse:
    """Submit many results: NDJSON, or CSV whose first row names the fields.

    Each row is answered with one line once it is stored or rejected, in order, with all its faults. The last line is
    the report, which can be read again for 90 days. A rejected row does not stop the import until 100,000 rows were
    empty or rejected. A row is identified by its `key`, or else by its content: a repeated row is unchanged, and other
    content under the same key is rejected. A request repeated under the same `Idempotency-Key` returns what the first
    request did with each row. Paths are updated after those of single submissions. With `dry_run` nothing is written.
    """
    reader, options = _read(request, ImportedResult)
    return await answer_import(request, reader, ResultImport(request.app[INTAKE], options), REPORT)


async def import_officers(request: web.Request) -> web.StreamResponse:
    """Register many officers: NDJSON, or CSV whose first row names the fields.

    Rows are answered as in the import of results. Each row is a whole registration, as in `PUT
    /v1/officers/{officer_id}`: a field that is left out is removed, levels are kept. The first row of an officer
    counts; a later equal row is unchanged, a different one is rejected. An erased id is rejected.
    """
    reader, options = _read(request, ImportedOfficer)
    return await answer_import(request, reader, OfficerImport(request.app[REGISTRAR], options), REPORT)


def _read(request: web.Request, shape: type[T]) -> tuple[FileReader[T], ImportRequest[ImportReport]]:
    """Return the reader of a request's rows, and the options of its import."""
    form, query = named_format(request, TYPES), read_query(request, ImportRows)
    reader = FileReader(form, shape, query.encoding or named_encoding(request))
    return reader, import_request(request, form, dry_run=query.dry_run, key=import_key(request))
