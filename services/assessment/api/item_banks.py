"""Item banks: drafts and published versions.

Only admins can read them: items include the answer keys.
"""

from collections.abc import Sequence
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from services.assessment.api.context import context_of
from services.assessment.item_bank.model import (
    ITEMS_LIMIT,
    BankFacts,
    BankStatus,
    Item,
    ItemLabel,
    bank_faults,
)
from services.assessment.item_bank.store import ItemBankStore, NewDraft, StoredBank
from shared.auth import ADMINS
from shared.domain import SHARED_TENANT, Framework, LocalizedText
from shared.errors import Conflict, NotFound
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    IF_ABSENT,
    IF_MATCH,
    IF_NONE_MATCH,
    Route,
    json_response,
    no_content,
    not_modified,
    paged,
    preconditions,
    principal,
    read_body,
    read_query,
)

PUT_LIMIT = 4 * 1024 * 1024
PAGE_BYTES = 4 * 1024 * 1024
"""How many bytes of items a page may hold; a thousand items at the limits of their texts hold some 40 MB."""

Version = Annotated[Annotated[int, Meta(ge=1, le=2**31)] | None, Meta(description="A published version of the bank.")]


class PutItemBank(BankFacts, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A draft with all its items."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=ITEMS_LIMIT)]


class BankPut(Struct, frozen=True):
    """The stored draft or the published version; `changed` is false if the request changed nothing.

    `version` of a draft: the version that it was made from, 0 if there was none. `items`: how many items it has.
    """

    id: str
    status: BankStatus
    version: int
    items: int
    changed: bool


class BankSummary(Struct, frozen=True):
    """The newest version of a bank, with the number of its `items`.

    `shared`: the bank is for every tenant that has no bank of its own for the framework.
    """

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
    """Which version to return, by default the draft or the newest version if none, and which page of its items.

    `after`: how many items come before the page. `limit`: how many items the page may hold.
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


# --- drafts and versions ---------------------------------------------------------------------------------------------


async def put_bank(request: web.Request) -> web.StreamResponse:
    """Replace the draft of an item bank, with all its items.

    Sessions use published items only. A draft that does not fit its framework is rejected; the answer names the first
    fault.
    """
    conditions, body = preconditions(request), await read_body(request, PutItemBank)
    facts = BankFacts(body.framework, body.title, body.label, body.retired)
    framework = await framework_of(request, facts)
    for fault in bank_faults(body.items, framework):
        raise fault
    draft, new, changed = await save_draft(request, facts, body.items, framework, conditions)
    return json_response(_put(draft, changed=changed), 201 if new else 200, tag=tag_of(draft))


async def get_bank(request: web.Request) -> web.StreamResponse:
    """Return a draft or a version of an item bank with a page of its items.

    A page of long items may hold fewer than `limit`; `next` is null only on the last page. 404 if there is no such bank
    or version.
    """
    wanted = read_query(request, ShowBank)
    found = await find_bank(request, wanted.version)
    tag = tag_of(found)
    if answer := not_modified(request, tag):
        return answer
    items = await context_of(request).banks.page(found, wanted.after, wanted.limit, PAGE_BYTES)
    following = wanted.after + len(items)
    page = BankPage(
        id=found.bank,
        framework=found.facts.framework,
        title=found.facts.title,
        status=found.status,
        version=found.version,
        framework_version=found.framework_version,
        label=found.facts.label,
        items=items,
        next=following if following < found.items else None,
    )
    return json_response(page, tag=tag)


async def delete_draft(request: web.Request) -> web.StreamResponse:
    """Delete the draft of an item bank, 404 if there is none.

    Published versions stay. To take a bank out of use, publish it as `retired`.
    """
    conditions = preconditions(request)

    async def decide() -> bool | None:
        return await context_of(request).banks.remove_draft(await _own_draft(request, conditions)) or None

    await retry_on_conflict(decide, "this draft")
    return no_content()


async def list_banks(request: web.Request) -> web.StreamResponse:
    """Return the newest published version of each item bank, without its items: the tenant's own and the shared ones.

    A tenant's own bank hides the shared one of the same id.
    """
    wanted = read_query(request, ListBanks)
    found: dict[str, StoredBank] = {}
    banks = context_of(request).banks
    for owner in dict.fromkeys((SHARED_TENANT, principal(request).tenant)):
        found |= {bank.bank: bank for bank in await banks.newest(owner, wanted.after, wanted.limit + 1)}
    page, following = paged(sorted(found), wanted.limit, str)
    return json_response(BankList([_summary(found[name]) for name in page], following))


async def publish_bank(request: web.Request) -> web.StreamResponse:
    """Publish the draft as the next version, which never changes; new sessions of its framework use its items.

    409 if another version was published since the draft was made. A draft that equals the newest version is deleted,
    and no version is published.
    """
    conditions = preconditions(request)

    async def decide() -> BankPut | None:
        return await publish_draft(request, await _own_draft(request, conditions))

    put = await retry_on_conflict(decide, "this draft")
    return json_response(put)


# --- what the handlers share -----------------------------------------------------------------------------------------


def bank_name(request: web.Request) -> str:
    """Return the id of the bank in the path."""
    return request.match_info["bank_id"]


async def framework_of(request: web.Request, facts: BankFacts) -> Framework:
    """Return the framework that `facts` name, as the caller's tenant uses it. Raises InvalidInput, Unavailable."""
    return await context_of(request).intake.framework(principal(request).tenant, facts.framework)


async def find_bank(request: web.Request, version: int | None) -> StoredBank:
    """Return a version of the bank in the path; without `version` the tenant's draft, or the newest version if none.

    The tenant's own bank comes before the shared one. Raises NotFound, Unavailable.
    """
    store, tenant, name = context_of(request).banks, principal(request).tenant, bank_name(request)
    if version is None and (draft := await store.draft(tenant, name)):
        return draft
    for owner in dict.fromkeys((tenant, SHARED_TENANT)):
        if found := await store.version(owner, name, version):
            return found
    raise NotFound("no such item bank, or no such version of it")


async def _own_draft(request: web.Request, conditions: Preconditions) -> StoredBank:
    """Return the tenant's draft. Raises NotFound, PreconditionFailed, Unavailable."""
    draft = await context_of(request).banks.draft(principal(request).tenant, bank_name(request))
    if draft is None:
        raise NotFound("no draft of this item bank")
    conditions.check(tag_of(draft))
    return draft


async def _check(request: web.Request, conditions: Preconditions, draft: StoredBank | None) -> None:
    """Check the preconditions against the tag that `GET` shows. Raises PreconditionFailed."""
    if draft is None:
        try:
            draft = await find_bank(request, None)
        except NotFound:
            draft = None
    conditions.check(tag_of(draft) if draft else None)


async def save_draft(
    request: web.Request, facts: BankFacts, items: Sequence[Item], framework: Framework, conditions: Preconditions
) -> tuple[StoredBank, bool, bool]:
    """Store a draft; return it, whether the bank had no draft before, and whether anything changed.

    Raises PreconditionFailed, Unavailable.
    """
    store, tenant, name = context_of(request).banks, principal(request).tenant, bank_name(request)

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


async def publish_draft(request: web.Request, draft: StoredBank) -> BankPut | None:
    """Publish a draft as the next version, or delete it if it equals the newest one; None after a write conflict.

    Raises Conflict if another version was published since the draft was made, InvalidInput naming the first fault,
    Unavailable.
    """
    store = context_of(request).banks
    newest = await store.version(draft.tenant, draft.bank)
    if newest and newest.edition != draft.edition:
        if newest.version != draft.version:
            raise Conflict(f"version {newest.version} was published since this draft was made", "version")
        if newest.facts == draft.facts and await store.items(newest) == await store.items(draft):
            await store.remove_draft(draft)
            return _put(newest, changed=False)
    framework = await framework_of(request, draft.facts)
    for fault in bank_faults(await store.items(draft), framework):
        raise fault
    published = await store.publish(draft, framework.version)
    return _put(published, changed=True) if published else None


def _summary(bank: StoredBank) -> BankSummary:
    return BankSummary(
        id=bank.bank,
        framework=bank.facts.framework,
        title=bank.facts.title,
        status=bank.status,
        version=bank.version,
        framework_version=bank.framework_version,
        items=bank.items,
        shared=bank.tenant == SHARED_TENANT,
        label=bank.facts.label,
    )


def _put(bank: StoredBank, *, changed: bool) -> BankPut:
    return BankPut(bank.bank, bank.status, bank.version, bank.items, changed)


def tag_of(bank: StoredBank) -> Tag:
    """Return the entity tag of a bank: its edition, which every change replaces; of a version with its number."""
    edition = bank.edition.rpartition("/")[2]
    return Tag(edition if bank.draft else f"{edition}-{bank.version}")


BANK = "/v1/item-banks/{bank_id}"
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
        BANK,
        put_bank,
        ADMINS,
        body=PutItemBank,
        example=_ITEM_BANK,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankPut, 201: BankPut},
        problems=[409],
        limit=PUT_LIMIT,
    ),
    Route(
        "GET",
        BANK,
        get_bank,
        ADMINS,
        query=ShowBank,
        headers=[IF_NONE_MATCH],
        answers={200: BankPage, 304: None},
    ),
    Route("DELETE", f"{BANK}/draft", delete_draft, ADMINS, headers=[IF_MATCH], answers={204: None}),
    Route(
        "POST",
        f"{BANK}:publish",
        publish_bank,
        ADMINS,
        headers=[IF_MATCH],
        answers={200: BankPut},
        problems=[409],
    ),
]
