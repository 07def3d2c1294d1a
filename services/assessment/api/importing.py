"""Results and officers in bulk."""

from typing import TypeVar

from aiohttp import web

from services.assessment.api.common import INTAKE, REGISTRAR
from services.assessment.imports import TYPES, FileReader, OfficerImport, ResultImport
from services.assessment.model import ImportedOfficer, ImportedResult, ImportRows
from shared.imports.streaming import answer_import, import_request, named_encoding, named_format
from shared.routes import import_key, read_query

T = TypeVar("T")

IMPORTS = "/v1/assessments/imports"
REPORT = f"{IMPORTS}/{{import_id}}"


async def import_results(request: web.Request) -> web.StreamResponse:
    """Submit many results: NDJSON, or CSV whose first row names the fields.

    Each row is answered by one line as soon as it is stored or refused, in order, with every fault of it, and a last
    line is the report of the whole, which can be read again for 90 days. A refused row never stops the rest, until
    100,000 rows were empty or refused. A row is known by its `key`, or by its content: sent again it is unchanged, and
    another content under the same key is refused. With an `Idempotency-Key` of the whole, a request that is repeated
    because its answer was lost is told what the first one did. Paths follow after those of single submissions. With
    `dry_run` nothing is written.
    """
    form, asked = named_format(request, TYPES), read_query(request, ImportRows)
    reader = FileReader(form, ImportedResult, asked.encoding or named_encoding(request))
    told = import_request(request, form, dry_run=asked.dry_run, key=import_key(request))
    job = ResultImport(request.app[INTAKE], told)
    return await answer_import(request, reader, job, REPORT)


async def import_officers(request: web.Request) -> web.StreamResponse:
    """Register many officers: NDJSON, or CSV whose first row names the fields.

    Rows are answered as those of results are. Each is a whole registration, as of `PUT /v1/officers/{officer_id}`: a
    field that is left out is removed, levels are kept. The first row of an officer stands; a later equal one is
    unchanged, a different one is refused. An erased id is refused.
    """
    form, asked = named_format(request, TYPES), read_query(request, ImportRows)
    reader = FileReader(form, ImportedOfficer, asked.encoding or named_encoding(request))
    told = import_request(request, form, dry_run=asked.dry_run, key=import_key(request))
    job = OfficerImport(request.app[REGISTRAR], told)
    return await answer_import(request, reader, job, REPORT)
