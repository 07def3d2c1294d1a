"""Results and officers in bulk, and the reports of their imports."""

from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from services.assessment.api.common import INTAKE, REGISTRAR
from services.assessment.imports import TYPES, FileReader, Format, OfficerImport, ResultImport
from services.assessment.model import ImportedOfficer, ImportedResult, ImportRows
from shared.errors import NotFound, Unsupported
from shared.imports.reports import ReportStore
from shared.imports.rows import ImportReport, ListImports, ListRows, RowPage
from shared.imports.streaming import answer_import, named_encoding
from shared.routes import json_response, principal, read_query, trace_of

T = TypeVar("T")

REPORTS: web.AppKey[ReportStore[ImportReport]] = web.AppKey("reports", ReportStore)
IMPORTS = "/v1/assessments/imports"
REPORT = f"{IMPORTS}/{{import_id}}"


class ImportList(Struct, frozen=True):
    """Reports of imports of results and officers."""

    imports: list[ImportReport]


async def import_results(request: web.Request) -> web.StreamResponse:
    """Submit many results: NDJSON, or CSV whose first row names the fields.

    Each row is answered by one line as soon as it is stored or refused, in order, with every fault of it, and a last
    line is the report of the whole, which can be read again for 90 days. A refused row never stops the rest, until
    100,000 rows were empty or refused. A row is known by its `key`, or by its content: sent again it is unchanged, and
    another content under the same key is refused. Paths follow after those of single submissions. With `dry_run`
    nothing is written.
    """
    form, asked = _form(request), read_query(request, ImportRows)
    reader = FileReader(form, ImportedResult, asked.encoding or named_encoding(request))
    tenant, trace = principal(request).tenant, trace_of(request)
    job = ResultImport(request.app[INTAKE], request.app[REPORTS], tenant, trace, form, dry_run=asked.dry_run)
    return await answer_import(request, reader, job, REPORT)


async def import_officers(request: web.Request) -> web.StreamResponse:
    """Register many officers: NDJSON, or CSV whose first row names the fields.

    Rows are answered as those of results are. Each is a whole registration, as of `PUT /v1/officers/{officer_id}`: a
    field that is left out is removed, levels are kept. The first row of an officer stands; a later equal one is
    unchanged, a different one is refused. An erased id is refused.
    """
    form, asked = _form(request), read_query(request, ImportRows)
    reader = FileReader(form, ImportedOfficer, asked.encoding or named_encoding(request))
    tenant, trace = principal(request).tenant, trace_of(request)
    job = OfficerImport(request.app[REGISTRAR], request.app[REPORTS], tenant, trace, form, dry_run=asked.dry_run)
    return await answer_import(request, reader, job, REPORT)


def _form(request: web.Request) -> Format:
    form = TYPES.get(request.content_type)
    if form is None:
        raise Unsupported(f"the content type is to be one of: {', '.join(TYPES)}", "Content-Type")
    return form


async def show_import(request: web.Request) -> web.StreamResponse:
    """Return the report of an import of results or officers. It is kept for 90 days."""
    return json_response(await _report(request))


async def list_imports(request: web.Request) -> web.StreamResponse:
    """Return the reports of the tenant's latest imports, that which was changed last first."""
    wanted = read_query(request, ListImports)
    return json_response(ImportList(await request.app[REPORTS].newest(principal(request).tenant, wanted.limit)))


async def list_import_rows(request: web.Request) -> web.StreamResponse:
    """Return a page of the rows of an import, in order, with the verdict on each."""
    wanted = read_query(request, ListRows)
    report = await _report(request)
    rows, following = await request.app[REPORTS].page(report.import_id, wanted)
    return json_response(RowPage(rows, following))


async def _report(request: web.Request) -> ImportReport:
    report = await request.app[REPORTS].find(principal(request).tenant, request.match_info["import_id"])
    if report is None:
        raise NotFound("no such import")
    return report
