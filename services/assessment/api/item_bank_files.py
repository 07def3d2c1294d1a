"""Imports a file as the draft of an item bank, and exports a draft or a version as a file. Only for admins."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from services.assessment.api.context import context_of
from services.assessment.api.item_banks import (
    BANK,
    Version,
    bank_name,
    find_bank,
    framework_of,
    publish_draft,
    save_draft,
    tag_of,
)
from services.assessment.item_bank import formats
from services.assessment.item_bank.formats import FormatName
from services.assessment.item_bank.formats.reading import BankReading, ItemDefaults
from services.assessment.item_bank.model import BankFacts, Item
from services.assessment.item_bank.reports import BankImport, ItemResult, results_of
from services.assessment.item_bank.store import StoredBank
from shared.auth import ADMINS
from shared.decoding import convert
from shared.domain import Identifier, Level, ShortText
from shared.errors import Conflict, InvalidInput, Overloaded, type_of
from shared.openapi import ProblemDetails
from shared.routes import (
    FILE_NAME,
    IF_ABSENT,
    IF_MATCH,
    REQUEST_ID,
    Route,
    json_response,
    preconditions,
    principal,
    read_query,
    read_raw,
)

FILE_LIMIT = 16 * 1024 * 1024
BankFile = Annotated[str, Meta(description="JSON, CSV (UTF-8), or QTI 3.0 as a ZIP package or one XML file")]


class ExportBank(Struct, frozen=True, forbid_unknown_fields=True):
    """The format of the file, and which version to export; by default the draft, or the newest version if none."""

    format: Annotated[FormatName, Meta(description="The format of the file.")] = "json"
    version: Version = None


class ImportBank(Struct, frozen=True, forbid_unknown_fields=True):
    """How a file replaces the items of the draft.

    `dry_run`: nothing is stored. `publish`: the draft is published at once. `skip_refused`: valid items are imported
    although others are rejected. `framework`, `title_th`, `title_en`: replace those of the file and of the stored bank;
    a new bank needs a framework and a title. `skill`, `level`: for items whose file gives none.
    """

    format: Annotated[FormatName, Meta(description="The format of the file.")]
    dry_run: bool = False
    publish: Annotated[bool, Meta(description="Publish the draft at once.")] = False
    skip_refused: Annotated[bool, Meta(description="Import the valid items although others are refused.")] = False
    framework: Annotated[Identifier | None, Meta(description="The framework of a bank that is new.")] = None
    title_th: Annotated[ShortText | None, Meta(description="The title of the bank in Thai.")] = None
    title_en: Annotated[ShortText | None, Meta(description="The title of the bank in English.")] = None
    skill: Annotated[Identifier | None, Meta(description="The skill of items whose file does not say it.")] = None
    level: Annotated[Level | None, Meta(description="The level of items whose file does not say it.")] = None


class RefusedBank(ProblemDetails, frozen=True, omit_defaults=True):
    """The problem of a rejected file, with the report on its items."""

    report: BankImport | None = None


async def import_bank(request: web.Request) -> web.StreamResponse:
    """Replace the draft of an item bank by the items of a file: JSON, CSV, or choice interactions of QTI 3.0.

    The answer lists every item with its result and up to 20 faults. If an item is rejected, nothing is stored (422)
    unless `skip_refused` is true. With `publish` the draft is published at once; 409 if another version was published
    meanwhile. Importing the same file again changes nothing.
    """
    conditions, wanted = preconditions(request), read_query(request, ImportBank)
    raw = await read_raw(request)
    defaults = ItemDefaults(wanted.skill, wanted.level)
    async with _file_lock(request):
        reading = await asyncio.to_thread(formats.read, wanted.format, raw, defaults)
    before, known = await _before(request)
    facts = _facts(reading, wanted, before)
    framework = await framework_of(request, facts)
    verdicts = await asyncio.to_thread(results_of, reading, framework, known)
    taken = [
        one.item
        for one, result in zip(reading.items, verdicts, strict=True)
        if one.item and result.verdict != "refused"
    ]
    refused = len(verdicts) - len(taken)
    if not taken or (refused and not wanted.skip_refused):
        return _refusal(request, _report(request, verdicts, known, "refused"))
    if wanted.dry_run:
        return json_response(_report(request, verdicts, known, "checked"))
    draft, _, changed = await save_draft(request, facts, taken, framework, conditions)
    if not wanted.publish:
        return json_response(
            _report(request, verdicts, known, "drafted" if changed else "unchanged"), tag=tag_of(draft)
        )
    put = await publish_draft(request, draft)
    if put is None:
        raise Conflict("another version was published meanwhile; import the file again")
    status: Literal["published", "unchanged"] = "published" if put.changed else "unchanged"
    return json_response(_report(request, verdicts, known, status, put.version))


async def export_bank(request: web.Request) -> web.StreamResponse:
    """Return a draft or a version of an item bank as a file; by default the draft, or the newest version if none.

    404 if there is no such bank or version; 503 while another file is read or written.
    """
    wanted = read_query(request, ExportBank)
    bank = await context_of(request).banks.whole(await find_bank(request, wanted.version))
    async with _file_lock(request):
        raw = await asyncio.to_thread(formats.write, wanted.format, bank)
    ending = {"json": "json", "csv": "csv", "qti": "zip"}[wanted.format]
    headers = {"Content-Disposition": f'attachment; filename="{bank.id}.{ending}"'}
    return web.Response(body=raw, content_type=formats.MEDIA_TYPES[wanted.format], headers=headers)


def _file_lock(request: web.Request) -> asyncio.Semaphore:
    """Return the semaphore for files. Raises Overloaded if another file is being read or written."""
    lock = context_of(request).bank_files
    if lock.locked():
        raise Overloaded("another file of items is being read; try again soon")
    return lock


async def _before(request: web.Request) -> tuple[StoredBank | None, dict[str, Item]]:
    """Return the tenant's draft, or else its newest version, with its items by id."""
    store, tenant, name = context_of(request).banks, principal(request).tenant, bank_name(request)
    before = await store.draft(tenant, name) or await store.version(tenant, name)
    return before, {item.id: item for item in await store.items(before)} if before else {}


def _facts(reading: BankReading, wanted: ImportBank, before: StoredBank | None) -> BankFacts:
    """Return the facts of an imported bank: from the query, else the file, else the stored bank.

    Raises InvalidInput.
    """
    given: dict[str, Any] = msgspec.to_builtins(before.facts) if before else {}
    given |= reading.facts
    if wanted.framework:
        given["framework"] = wanted.framework
    titles = {"th": wanted.title_th, "en": wanted.title_en}
    if any(titles.values()):
        given["title"] = {language: text for language, text in titles.items() if text}
    if "framework" not in given:
        raise InvalidInput("say the framework of a bank that is new", "framework")
    if "title" not in given:
        raise InvalidInput("say the title of a bank that is new, in Thai or English", "title_th")
    return convert(given, BankFacts)


def _report(
    request: web.Request,
    verdicts: list[ItemResult],
    known: dict[str, Item],
    status: Literal["checked", "drafted", "published", "unchanged", "refused"],
    version: int | None = None,
) -> BankImport:
    counts = {name: sum(one.verdict == name for one in verdicts) for name in ("created", "changed", "unchanged")}
    removed = len(known.keys() - {one.id for one in verdicts})
    refused = len(verdicts) - sum(counts.values())
    return BankImport(bank_name(request), status, version, **counts, refused=refused, removed=removed, items=verdicts)


def _refusal(request: web.Request, report: BankImport) -> web.Response:
    detail = f"{report.refused} of {len(report.items)} items are refused" if report.items else "the file has no items"
    problem = RefusedBank(
        type_of(InvalidInput.kind), InvalidInput.title, InvalidInput.status, detail, request[REQUEST_ID], report=report
    )
    response = json_response(problem, InvalidInput.status)
    response.content_type = "application/problem+json"
    return response


BANK_FILE_ROUTES = [
    Route(
        "POST",
        f"{BANK}:import",
        import_bank,
        ADMINS,
        body=BankFile,
        example="id,skill,kind,level,stem_th,stem_en,option1_th,option1_en,option2_th,option2_en,right\n",
        query=ImportBank,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankImport, 422: RefusedBank},
        problems=[409],
        accepts="text/csv",
        limit=FILE_LIMIT,
    ),
    Route(
        "GET",
        f"{BANK}:export",
        export_bank,
        ADMINS,
        query=ExportBank,
        answers={200: None},
        produces=[*formats.MEDIA_TYPES.values()],
        sets=[FILE_NAME],
    ),
]
