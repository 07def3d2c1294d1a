"""Fills the collections of all services with varied copies of a document that each holds."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from shared.mongo import Document
from tests.support.builders import FRAMEWORK, MOMENT, TENANT
from tests.support.outbox import COLLECTION
from tests.support.query_plans import Watched

DOCUMENTS = 20_000

LATER = datetime(2026, 12, 1, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 12, 1, tzinfo=UTC)


def _of_officers(n: int) -> Document:
    return {"_id": f"{TENANT}/o{n}", "officer": f"o{n}"}


def _of_plans(n: int) -> Document:
    agency = {"agency": f"agency{n % 400}", "framework_id": f"fw{n % 7}", "partition": n % 12, "considered": 1000}
    taught = {"courses": [f"c{n % 2000}", f"c{n % 1999}"], "open_skills": [f"{FRAMEWORK}/s{n % 200}"], "rules": 1}
    return {**_of_officers(n), **agency, **taught, "replan_at": NEXT_YEAR + timedelta(seconds=n), "outbox": []}


def _of_rules(n: int) -> Document:
    version = {"_id": f"t{n % 50}@{n // 50}", "tenant": f"t{n % 50}", "version": n // 50 + 1}
    return {**version, "put_at": MOMENT - timedelta(hours=n)}


def _made(n: int) -> Document:
    return {"created_at": MOMENT + timedelta(minutes=n), "revoked_at": None}


def _of_archive(n: int) -> Document:
    return {"officer_key": f"{TENANT}/o{n // 300}", "taken_at": MOMENT - timedelta(hours=n)}


def _of_banks(n: int) -> Document:
    bank = {"bank": f"b{n // 20}", "key": f"{TENANT}/b{n // 20}", "version": n % 20 + 2, "newest": n % 20 == 0}
    return {"_id": f"{bank['key']}@{bank['version']}", **bank, "framework": f"fw{n // 20 % 500}"}


def _of_sessions(n: int) -> Document:
    of_bank = f"{TENANT}/b@{1 if n < DOCUMENTS // 2 else n // 300}"
    when = MOMENT + timedelta(seconds=n)
    return {"_id": f"{TENANT}/o{n}/s", "officer_key": f"{TENANT}/o{n}", "bank_key": of_bank, "started_at": when}


def _of_keys(n: int) -> Document:
    """Return the fields in which key number `n` differs from the others; one of ten is a viewer's key."""
    viewer: Document = {"role": "viewer", "expires_at": LATER} if n % 10 == 0 else {}
    return {"_id": f"k{n}", "officer": f"o{n}", **viewer, **_made(n)}


COPIES: Mapping[tuple[str, str], Callable[[int], Document]] = {
    ("assessment", "officers"): lambda n: {**_of_officers(n), "outbox": []},
    ("assessment", "archive"): lambda n: {"_id": f"e{n + 1000}", **_of_archive(n)},
    ("assessment", "sessions"): _of_sessions,
    ("assessment", "statements"): lambda n: {"_id": f"{TENANT}/s{n}", "id": f"s{n}", "officer_key": f"{TENANT}/o{n}"},
    ("assessment", "xapi_mappings"): lambda n: {"_id": f"t{n}"},
    ("assessment", "item_bank_drafts"): lambda n: {"_id": f"{TENANT}/b{n}", "edition": f"{TENANT}/d{n}"},
    ("assessment", "item_bank_versions"): _of_banks,
    ("assessment", "item_bank_publications"): lambda n: {"_id": f"t{n}"},
    ("assessment", "item_bank_items"): lambda n: {"_id": f"i{n}", "edition": f"e{n // 200}", "position": n % 200},
    ("catalog", "imports"): lambda n: {"_id": f"i{n}", "tenant": TENANT},
    ("catalog", "import_rows"): lambda n: {"_id": f"i{n // 100}/{n}", "import_id": f"i{n // 100}", "last": n},
    ("catalog", "entries"): lambda n: {"_id": f"{TENANT}/c{n}", "id": f"c{n}", "outbox": []},
    ("catalog", "history"): lambda n: {"_id": n + 1000, "key": f"{TENANT}/c{n // 2}", "id": f"c{n // 2}"},
    ("catalog", "framework_history"): lambda n: {"_id": n + 1000, "key": f"{TENANT}/f{n // 20}", "id": f"f{n // 20}"},
    ("catalog", "framework_publications"): lambda n: {"_id": f"{TENANT}/framework:f{n}@1-d", "key": f"{TENANT}/f{n}"},
    ("catalog", "framework_drafts"): lambda n: {"_id": f"{TENANT}/framework:f{n}"},
    ("catalog", "framework_draft_pieces"): lambda n: {"_id": n, "of": f"d{n // 10}", "number": n % 10, "data": b""},
    ("catalog", "framework_approvals"): lambda n: {"_id": f"{TENANT}/framework:f{n // 20}@{n % 20}"},
    ("access", "keys"): _of_keys,
    ("recommender", "plans"): _of_plans,
    ("recommender", "history"): lambda n: {"_id": f"{TENANT}/o{n // 50}@{n % 50}", "key": f"{TENANT}/o{n // 50}"},
    ("recommender", "supervision"): lambda n: {"_id": f"t{n}"},
    ("recommender", "rules"): _of_rules,
    ("recommender", "agency_releases"): lambda n: {"_id": f"{TENANT}/agency{n}/{FRAMEWORK}", "agency": f"agency{n}"},
    ("recommender", "agency_turns"): lambda n: {"_id": f"t{n}"},
    ("owner", COLLECTION): lambda n: {"_id": f"t/{n}", "outbox": []},
}
"""{(database, collection): returns the fields in which copy number n differs from the other copies}."""

SMALL = {("assessment", "leases"), ("catalog", "leases"), ("catalog", "positions"), ("owner", "leases")}
"""Collections that hold one document for each relay."""


async def fill(watched: Watched) -> None:
    """Copy a document of each collection until it holds enough. Fails if a collection is empty or not in COPIES."""
    for service in ("assessment", "catalog", "access", "recommender", "owner"):
        database = watched.database(service)
        for name in await database.list_collection_names():
            if (service, name) in SMALL:
                continue
            usual = {
                "erased": {"$ne": True},
                "withdrawn": {"$ne": True},
                "kind": {"$nin": ["framework", "framework_part"]},
            }
            document = await database[name].find_one(usual)
            assert document is not None, (service, name)
            different = COPIES[service, name]
            await database[name].insert_many([{**document, **different(n)} for n in range(DOCUMENTS)], ordered=False)
