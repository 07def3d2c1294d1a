"""Item banks: drafts, published versions, and files of items.

Only admins can read them: items include the answer keys.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from services.assessment.api.common import INTAKE
from services.assessment.item_bank import formats
from services.assessment.item_bank.formats import FormatName
from services.assessment.item_bank.formats.reading import BankReading, ItemDefaults
from services.assessment.item_bank.model import (
    ITEMS_LIMIT,
    BankFacts,
    BankStatus,
    Item,
    ItemLabel,
    bank_faults,
)
from services.assessment.item_bank.reports import BankImport, ItemResult, results_of
from services.assessment.item_bank.store import ItemBankStore, NewDraft, StoredBank
from shared.auth import ADMINS
from shared.decoding import convert
from shared.domain import SHARED_TENANT, Framework, Identifier, Level, LocalizedText, ShortText
from shared.errors import Conflict, InvalidInput, NotFound, Overloaded
from shared.openapi import ProblemDetails
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    IF_ABSENT,
    IF_MATCH,
    IF_NONE_MATCH,
    REQUEST_ID,
    Route,
    json_response,
    no_content,
    not_modified,
    preconditions,
    principal,
    read_body,
    read_query,
    read_raw,
)

BANKS: web.AppKey[ItemBankStore] = web.AppKey("item_banks", ItemBankStore)
BANK_FILES: web.AppKey[asyncio.Semaphore] = web.AppKey("item_bank_files", asyncio.Semaphore)
"""The semaphore that a request holds while it reads or writes a file of items."""

FILE_LIMIT = 16 * 1024 * 1024
PUT_LIMIT = 4 * 1024 * 1024
BankFile = Annotated[str, Meta(description="JSON, CSV (UTF-8), or QTI 3.0 as a ZIP package or one XML file")]


Version = Annotated[Annotated[int, Meta(ge=1, le=2**31)] | None, Meta(description="A published version of the bank.")]


class PutItemBank(BankFacts, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A draft with all its items."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=ITEMS_LIMIT)]


class BankPut(Struct, frozen=True):
    """The result of a change; `changed` is false if nothing changed.

    `version` of a draft: the version it was made from.
    """

    id: str
    status: BankStatus
    version: int
    items: int
    changed: bool


class BankSummary(Struct, frozen=True):
    """A bank without its items. `shared` banks are used by all tenants without a bank of their own."""

    id: str
    framework: str
    title: LocalizedText
    status: BankStatus
    version: int
    framework_version: int
    items: int
    shared: bool
    label: ItemLabel | None


class BankList(Struct, frozen=True):
    """Published banks by id. `next` is the `after` of the following page, null on the last one."""

    item_banks: list[BankSummary]
    next: str | None


class ListBanks(Struct, frozen=True, forbid_unknown_fields=True):
    """How many banks to list, and the id after which the page begins."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class ShowBank(Struct, frozen=True, forbid_unknown_fields=True):
    """Which version to return (by default the draft, else the newest) and which of its items.

    `after`: how many items come before the page.
    """

    version: Version = None
    after: Annotated[int, Meta(ge=0, le=ITEMS_LIMIT, description="How many items come before the page.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class BankPage(Struct, frozen=True):
    """A draft or a version with a page of its items. `next` is the `after` of the following page, null on the last."""

    id: str
    framework: str
    title: LocalizedText
    status: BankStatus
    version: int
    framework_version: int
    label: ItemLabel | None
    items: list[Item]
    next: int | None


class ExportBank(Struct, frozen=True, forbid_unknown_fields=True):
    """The format of the file, and which version (by default the draft, else the newest)."""

    format: Annotated[FormatName, Meta(description="The format of the file.")] = "json"
    version: Version = None


class ImportBank(Struct, frozen=True, forbid_unknown_fields=True):
    """How a file replaces the items of the draft.

    `dry_run`: nothing is stored. `publish`: the draft is published at once. `skip_refused`: valid items are imported
    although others are rejected. `framework` and titles: of a new bank, if the file does not give them. `skill`,
    `level`: of items for which the file gives none.
    """

    format: Annotated[FormatName, Meta(description="The format of the file.")]
    dry_run: bool = False
    publish: Annotated[bool, Meta(description="Publish the draft at once.")] = False
    skip_refused: Annotated[bool, Meta(description="Take the sound items where others are refused.")] = False
    framework: Annotated[Identifier | None, Meta(description="The framework of a bank that is new.")] = None
    title_th: Annotated[ShortText | None, Meta(description="The title of the bank in Thai.")] = None
    title_en: Annotated[ShortText | None, Meta(description="The title of the bank in English.")] = None
    skill: Annotated[Identifier | None, Meta(description="The skill of items whose file does not say it.")] = None
    level: Annotated[Level | None, Meta(description="The level of items whose file does not say it.")] = None


class RefusedBank(ProblemDetails, frozen=True, omit_defaults=True):
    """The problem of a rejected file, with the report on its items."""

    report: BankImport | None = None


# --- drafts and versions ---------------------------------------------------------------------------------------------


async def put_bank(request: web.Request) -> web.StreamResponse:
    """Replace the draft of an item bank, with all its items.

    Sessions use published items only. The draft is checked against the framework; the answer names the first fault.
    """
    conditions, body = preconditions(request), await read_body(request, PutItemBank)
    facts = BankFacts(body.framework, body.title, body.label, body.retired)
    framework = await _framework(request, facts)
    for fault in bank_faults(body.items, framework):
        raise fault
    draft, new, changed = await _save(request, facts, body.items, framework, conditions)
    return json_response(_put(draft, changed=changed), 201 if new else 200, tag=_tag(draft))


async def get_bank(request: web.Request) -> web.StreamResponse:
    """Return a draft or a version of an item bank with a page of its items."""
    wanted = read_query(request, ShowBank)
    found = await _found(request, wanted.version)
    tag = _tag(found)
    if answer := not_modified(request, tag):
        return answer
    items = await request.app[BANKS].page(found, wanted.after, wanted.limit)
    following = wanted.after + len(items)
    about = _summary(found)
    page = BankPage(
        id=about.id,
        framework=about.framework,
        title=about.title,
        status=about.status,
        version=about.version,
        framework_version=about.framework_version,
        label=about.label,
        items=items,
        next=following if following < found.items else None,
    )
    return json_response(page, tag=tag)


async def delete_draft(request: web.Request) -> web.StreamResponse:
    """Delete the draft of an item bank. Published versions stay; to take a bank out of use, publish it as `retired`."""
    conditions = preconditions(request)

    async def decide() -> bool | None:
        draft = await request.app[BANKS].draft(principal(request).tenant, _name(request))
        if draft is None:
            raise NotFound("no draft of this item bank")
        conditions.check(_tag(draft))
        return await request.app[BANKS].remove_draft(draft) or None

    await retry_on_conflict(decide, "this draft")
    return no_content()


async def list_banks(request: web.Request) -> web.StreamResponse:
    """Return the newest published version of each item bank, without its items: the tenant's own and the shared ones.

    A tenant's own bank hides the shared one of the same id.
    """
    wanted = read_query(request, ListBanks)
    found: dict[str, StoredBank] = {}
    for owner in dict.fromkeys((SHARED_TENANT, principal(request).tenant)):
        found |= {bank.bank: bank for bank in await request.app[BANKS].newest(owner, wanted.after, wanted.limit + 1)}
    names = sorted(found)
    page = names[: wanted.limit]
    following = page[-1] if len(names) > wanted.limit else None
    return json_response(BankList([_summary(found[name]) for name in page], following))


async def publish_bank(request: web.Request) -> web.StreamResponse:
    """Publish the draft as the next version, which never changes; new sessions of its framework use its items.

    409 if another version was published since the draft was made. A draft that equals the newest version is deleted.
    """
    conditions = preconditions(request)

    async def decide() -> BankPut | None:
        draft = await request.app[BANKS].draft(principal(request).tenant, _name(request))
        if draft is None:
            raise NotFound("no draft of this item bank")
        conditions.check(_tag(draft))
        return await _publish(request, draft)

    put = await retry_on_conflict(decide, "this draft")
    return json_response(put)


# --- files -----------------------------------------------------------------------------------------------------------


async def import_bank(request: web.Request) -> web.StreamResponse:
    """Import the items of a file as the draft, and optionally publish it: JSON, CSV or QTI 3.0 choice interactions.

    The answer lists every item with its result and all its faults. If an item is rejected, nothing is stored (422),
    unless `skip_refused` is given. Importing the same file again changes nothing.
    """
    conditions, wanted = preconditions(request), read_query(request, ImportBank)
    raw = await read_raw(request)
    defaults = ItemDefaults(wanted.skill, wanted.level)
    async with _file_lock(request):
        reading = await asyncio.to_thread(formats.read, wanted.format, raw, defaults)
    before, known = await _before(request)
    facts = _facts(reading, wanted, before)
    framework = await _framework(request, facts)
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
    draft, _, changed = await _save(request, facts, taken, framework, conditions)
    if not wanted.publish:
        return json_response(_report(request, verdicts, known, "drafted" if changed else "unchanged"))
    put = await _publish(request, draft)
    if put is None:
        raise Conflict("another version was published meanwhile; import the file again")
    status: Literal["published", "unchanged"] = "published" if put.changed else "unchanged"
    return json_response(_report(request, verdicts, known, status, put.version))


async def export_bank(request: web.Request) -> web.StreamResponse:
    """Return a draft or a version of an item bank as a file."""
    wanted = read_query(request, ExportBank)
    bank = await request.app[BANKS].whole(await _found(request, wanted.version))
    async with _file_lock(request):
        raw = await asyncio.to_thread(formats.write, wanted.format, bank)
    ending = {"json": "json", "csv": "csv", "qti": "zip"}[wanted.format]
    headers = {"Content-Disposition": f'attachment; filename="{bank.id}.{ending}"'}
    return web.Response(body=raw, content_type=formats.MEDIA_TYPES[wanted.format], headers=headers)


# --- what the handlers share -----------------------------------------------------------------------------------------


def _name(request: web.Request) -> str:
    return convert(request.match_info["bank_id"], Identifier)


async def _framework(request: web.Request, facts: BankFacts) -> Framework:
    return await request.app[INTAKE].framework(principal(request).tenant, facts.framework)


def _file_lock(request: web.Request) -> asyncio.Semaphore:
    """Return the semaphore for files. Raises Overloaded if another file is being processed."""
    lock = request.app[BANK_FILES]
    if lock.locked():
        raise Overloaded("another file of items is being read; try again soon")
    return lock


async def _found(request: web.Request, version: int | None) -> StoredBank:
    """Return the draft or a version: the tenant's own before a shared one. Raises NotFound."""
    store, tenant, name = request.app[BANKS], principal(request).tenant, _name(request)
    if version is None and (draft := await store.draft(tenant, name)):
        return draft
    for owner in dict.fromkeys((tenant, SHARED_TENANT)):
        if found := await store.version(owner, name, version):
            return found
    raise NotFound("no such item bank, or no such version of it")


async def _check(request: web.Request, conditions: Preconditions, draft: StoredBank | None) -> None:
    """Check the preconditions against the tag of `GET`. Raises PreconditionFailed."""
    if draft is None:
        try:
            draft = await _found(request, None)
        except NotFound:
            draft = None
    conditions.check(_tag(draft) if draft else None)


async def _before(request: web.Request) -> tuple[StoredBank | None, dict[str, Item]]:
    """Return the tenant's draft, or else its newest version, with its items by id."""
    store, tenant, name = request.app[BANKS], principal(request).tenant, _name(request)
    before = await store.draft(tenant, name) or await store.version(tenant, name)
    return before, {item.id: item for item in await store.items(before)} if before else {}


async def _save(
    request: web.Request, facts: BankFacts, items: Sequence[Item], framework: Framework, conditions: Preconditions
) -> tuple[StoredBank, bool, bool]:
    """Store a draft; return it, whether it is the bank's first, and whether anything changed."""
    store, tenant, name = request.app[BANKS], principal(request).tenant, _name(request)

    async def decide() -> tuple[StoredBank, bool, bool] | None:
        before, newest = await store.draft(tenant, name), await store.version(tenant, name)
        await _check(request, conditions, before)
        version = newest.version if newest else 0
        wanted = NewDraft(tenant, name, facts, version, framework.version)
        if before and not before.publishing and await _same(store, before, wanted, items):
            return before, False, False
        saved = await store.save_draft(before, wanted, items)
        return (saved, before is None, True) if saved else None

    return await retry_on_conflict(decide, "this draft")


async def _same(store: ItemBankStore, before: StoredBank, wanted: NewDraft, items: Sequence[Item]) -> bool:
    stored_draft = (before.facts, before.version, before.framework_version, before.items)
    wanted_draft = (wanted.facts, wanted.version, wanted.framework_version, len(items))
    return stored_draft == wanted_draft and await store.items(before) == list(items)


async def _publish(request: web.Request, draft: StoredBank) -> BankPut | None:
    """Publish a draft; None after a write conflict. Raises Conflict, InvalidInput."""
    store = request.app[BANKS]
    newest = await store.version(draft.tenant, draft.bank)
    if newest and newest.edition != draft.edition:
        if newest.version != draft.version:
            raise Conflict(f"version {newest.version} was published since this draft was made", "version")
        if newest.facts == draft.facts and await store.items(newest) == await store.items(draft):
            await store.remove_draft(draft)
            return _put(newest, changed=False)
    framework = await _framework(request, draft.facts)
    for fault in bank_faults(await store.items(draft), framework):
        raise fault
    published = await store.publish(draft, framework.version)
    return _put(published, changed=True) if published else None


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
    return BankImport(_name(request), status, version, **counts, refused=refused, removed=removed, items=verdicts)


def _refusal(request: web.Request, report: BankImport) -> web.Response:
    detail = f"{report.refused} of {len(report.items)} items are refused" if report.items else "the file has no items"
    problem = RefusedBank(
        "about:blank", InvalidInput.title, InvalidInput.status, detail, request[REQUEST_ID], report=report
    )
    response = json_response(problem, InvalidInput.status)
    response.content_type = "application/problem+json"
    return response


def _summary(bank: StoredBank) -> BankSummary:
    status: BankStatus = "draft" if bank.draft else "retired" if bank.facts.retired else "published"
    return BankSummary(
        id=bank.bank,
        framework=bank.facts.framework,
        title=bank.facts.title,
        status=status,
        version=bank.version,
        framework_version=bank.framework_version,
        items=bank.items,
        shared=bank.tenant == SHARED_TENANT,
        label=bank.facts.label,
    )


def _put(bank: StoredBank, *, changed: bool) -> BankPut:
    return BankPut(bank.bank, _summary(bank).status, bank.version, bank.items, changed)


def _tag(bank: StoredBank) -> Tag:
    """Return the entity tag: the edition, which every change replaces, and the version if it is published."""
    edition = bank.edition.rpartition("/")[2]
    return Tag(edition if bank.draft else f"{edition}-{bank.version}")


_BANK = "/v1/item-banks/{bank_id}"
_ITEM_BANK = {
    "framework": "th-digital-2018",
    "title": {"th": "ชุดข้อประเมินของกรม", "en": "The department's items"},
    "items": [
        {
            "id": "safety-1",
            "skill": "dlit-safety",
            "kind": "choice",
            "level": 1,
            "stem": {"th": "ได้รับลิงก์แปลกจากผู้ไม่รู้จัก ควรทำอย่างไร", "en": "A stranger sends you a link. What do you do?"},
            "options": [
                {"th": "เปิดลิงก์เพื่อดูเนื้อหา", "en": "Open it and look"},
                {"th": "ไม่เปิด และแจ้งผู้ดูแลระบบ", "en": "Leave it and tell the administrator"},
            ],
            "key": 1,
        }
    ],
}
BANK_ROUTES = [
    Route("GET", "/v1/item-banks", list_banks, ADMINS, query=ListBanks, answers={200: BankList}),
    Route(
        "PUT",
        _BANK,
        put_bank,
        ADMINS,
        body=PutItemBank,
        example=_ITEM_BANK,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankPut, 201: BankPut},
        problems=[409, 412],
        limit=PUT_LIMIT,
    ),
    Route(
        "GET",
        _BANK,
        get_bank,
        ADMINS,
        query=ShowBank,
        headers=[IF_NONE_MATCH],
        answers={200: BankPage, 304: None},
    ),
    Route("DELETE", f"{_BANK}/draft", delete_draft, ADMINS, headers=[IF_MATCH], answers={204: None}, problems=[412]),
    Route(
        "POST",
        f"{_BANK}:publish",
        publish_bank,
        ADMINS,
        headers=[IF_MATCH],
        answers={200: BankPut},
        problems=[409, 412],
    ),
    Route(
        "POST",
        f"{_BANK}:import",
        import_bank,
        ADMINS,
        body=BankFile,
        example="id,skill,kind,level,stem_th,stem_en,option1_th,option1_en,option2_th,option2_en,right\n",
        query=ImportBank,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankImport},
        problems=[409, 412, 422],
        accepts="text/csv",
        limit=FILE_LIMIT,
    ),
    Route(
        "GET",
        f"{_BANK}:export",
        export_bank,
        ADMINS,
        query=ExportBank,
        answers={200: BankFile},
        produces="application/octet-stream",
    ),
]
