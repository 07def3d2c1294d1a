"""Imports results and officers in bulk."""

from typing import TypeVar

from aiohttp import web

from services.assessment.api.context import context_of
from services.assessment.imports import TYPES, FileReader, GradeImport, OfficerImport, ResultImport
from services.assessment.model import ImportedOfficer, ImportedResult, ImportResults, ImportRows
from services.assessment.xapi.grades import GradedRow, GradeTable
from services.assessment.xapi.mapping import ActivityRules
from shared.errors import InvalidInput
from shared.imports.columns import GUESS
from shared.imports.job import ImportRequest
from shared.imports.rows import ImportReport
from shared.imports.streaming import answer_import, import_request, named_encoding, named_format
from shared.routes import import_key, principal, read_query

T = TypeVar("T")

IMPORTS = "/v1/assessments/imports"
REPORT = f"{IMPORTS}/{{import_id}}"


async def import_results(request: web.Request) -> web.StreamResponse:
    """Submit many results: NDJSON, or CSV whose first row names the fields.

    With `map` or `default` the CSV is a grade export of a learning platform; the tenant's mapping of activities to
    skills states what its scores are evidence of.

    Rows are answered in order, each with one line, once it is stored or rejected; the line of a rejected row holds its
    faults. The last line is the report, which can be read again for 90 days. The import goes on after a rejected row,
    until 100,000 rows were empty or rejected. A row is identified by its `key`, or else by its content: a repeated row
    is unchanged, and other content under the same key is rejected. A request repeated under the same `Idempotency-Key`
    returns what the first request did with each row. Paths of these officers are updated after those of single
    submissions. With `dry_run` nothing is written. With `import_id`, a UUID that the client has chosen, the report can
    be read while the file is sent; an id that another import of the tenant has is 409.
    """
    query = read_query(request, ImportResults)
    reader, options = _read(request, ImportedResult, query)
    if query.map is not None or query.default is not None:
        return await _import_grades(request, query, options)
    try:
        return await answer_import(request, reader, ResultImport(context_of(request).intake, options), REPORT)
    except InvalidInput as problem:
        if problem.field != "header":
            raise
        raise InvalidInput(
            f"{problem.detail}. The grade export of a platform is read with map=guess", "header"
        ) from problem


async def import_officers(request: web.Request) -> web.StreamResponse:
    """Register many officers: NDJSON, or CSV whose first row names the fields.

    Rows are answered as in the import of results. Each row is a whole registration, as in `PUT
    /v1/officers/{officer_id}`: a field that is left out is removed, levels are kept. The first row of an officer
    counts; a later equal row is unchanged, a different one is rejected. An id whose officer was erased is rejected.
    """
    reader, options = _read(request, ImportedOfficer, read_query(request, ImportRows))
    return await answer_import(request, reader, OfficerImport(context_of(request).registrar, options), REPORT)


async def _import_grades(
    request: web.Request, query: ImportResults, options: ImportRequest[ImportReport]
) -> web.StreamResponse:
    """Import a grade export. Raises InvalidInput naming the parameter."""
    if options.form != "csv":
        raise InvalidInput("is for tables: CSV", "map" if query.map is not None else "default")
    tenant = principal(request).tenant
    mapping = await context_of(request).statements.mapping(tenant)
    if mapping is None:
        raise InvalidInput("the mapping of activities to skills is missing: PUT /v1/xapi-mapping", "map")
    rules = ActivityRules(mapping.rules)
    table = GradeTable(rules, query.map or GUESS, query.default)
    reader = FileReader("csv", GradedRow, query.encoding or named_encoding(request), table)
    job = GradeImport(context_of(request).intake, context_of(request).store, rules, options)
    return await answer_import(request, reader, job, REPORT)


def _read(request: web.Request, shape: type[T], query: ImportRows) -> tuple[FileReader[T], ImportRequest[ImportReport]]:
    """Return the reader of a request's rows, and the options of its import."""
    form = named_format(request, TYPES)
    reader = FileReader(form, shape, query.encoding or named_encoding(request))
    return reader, import_request(request, form, query.import_id, dry_run=query.dry_run, key=import_key(request))
