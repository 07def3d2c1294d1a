"""The recommender's database: plans with feedback and events, past revisions, and tenants' rules."""

from services.recommender.store import history, plans, rules
from services.recommender.store.documents import (
    ANNOUNCED,
    MOST_KEYS,
    IdempotencyRecord,
    NewPlan,
    PlanBase,
    RunnersUp,
    StoredBytes,
    StoredPlan,
    envelope_of,
    event_of,
    reduced,
    runners_up_of,
    write_of,
)
from services.recommender.store.history import ArchivedPlan
from services.recommender.store.plans import COLLECTION, INDEXES, PlanStore

ALL_INDEXES = {
    plans.COLLECTION: plans.INDEXES,
    rules.COLLECTION: rules.INDEXES,
    history.COLLECTION: history.INDEXES,
}
"""Every collection's indexes."""

__all__ = [
    "ALL_INDEXES",
    "ANNOUNCED",
    "COLLECTION",
    "INDEXES",
    "MOST_KEYS",
    "ArchivedPlan",
    "IdempotencyRecord",
    "NewPlan",
    "PlanBase",
    "PlanStore",
    "RunnersUp",
    "StoredBytes",
    "StoredPlan",
    "envelope_of",
    "event_of",
    "reduced",
    "runners_up_of",
    "write_of",
]
