"""The route that exports the tenant's own courses as a file; the file is sent while the courses are read."""

import asyncio
from collections.abc import Sequence
from typing import Literal

from aiohttp import hdrs, web
from msgspec import Struct

from services.catalog.api.context import context_of
from services.catalog.exporters import FORMS, Form
from services.catalog.model import ListCourses
from shared.domain import Course
from shared.routes import FILE_NAME, open_stream, principal, read_query

COURSE_FILES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "jsonld": "application/ld+json",
}
"""{format: content type of the file}."""

_PAGE = 500


class ExportCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects the format of the exported file."""

    format: Literal["ndjson", "csv", "jsonld"] = "ndjson"


async def export_courses(request: web.Request) -> web.StreamResponse:
    """Return all courses of the caller's tenant as a file, by id, in a format that an import can read.

    Admins, editors and platforms may call this. The courses are read while the file is sent: a course that changes
    meanwhile is exported in its old or its new state, and the answer ends early if the database fails.
    """
    wanted, store, tenant = read_query(request, ExportCourses), context_of(request).store, principal(request).tenant
    form = FORMS[wanted.format]
    page = await store.page(tenant, ListCourses(limit=_PAGE), copies=False)
    name = f'attachment; filename="courses.{wanted.format}"'
    stream = await open_stream(request, COURSE_FILES[wanted.format], {FILE_NAME.name: name})
    if request.method == hdrs.METH_HEAD:
        return stream
    await stream.write(form.before)
    first = True
    while page:
        rows, more = page[:_PAGE], len(page) > _PAGE
        courses = [course for _, course in rows]
        await stream.write(await asyncio.to_thread(_rows, form, courses, first=first))
        first = False
        page = await store.page(tenant, ListCourses(after=rows[-1][0], limit=_PAGE), copies=False) if more else []
    await stream.write(form.after)
    await stream.write_eof()
    return stream


def _rows(form: Form, courses: Sequence[Course], *, first: bool) -> bytes:
    return (b"" if first else form.between) + form.between.join(map(form.row, courses))
