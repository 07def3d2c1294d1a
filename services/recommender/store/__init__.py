"""The recommender's database: plans with feedback and events, past revisions, and tenants' rules."""

from services.recommender.store import history, plans, releases, rules

ALL_INDEXES = {
    plans.COLLECTION: plans.INDEXES,
    rules.COLLECTION: rules.INDEXES,
    history.COLLECTION: history.INDEXES,
    releases.COLLECTION: releases.INDEXES,
}
"""Collection -> its indexes."""
