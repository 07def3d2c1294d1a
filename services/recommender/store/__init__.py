"""The recommender's database: plans with feedback and events, past revisions, and tenants' rules."""

from services.recommender.store import history, plans, rules

ALL_INDEXES = {
    plans.COLLECTION: plans.INDEXES,
    rules.COLLECTION: rules.INDEXES,
    history.COLLECTION: history.INDEXES,
}
"""Collection -> its indexes."""
