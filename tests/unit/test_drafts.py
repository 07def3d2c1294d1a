"""Drafts of frameworks: what takes a review away, what may be published, and what a draft would change."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.catalog.drafts import (
    COMMENTS_LIMIT,
    FrameworkDraft,
    ProposeDraft,
    Signature,
    approved,
    check_change,
    check_publishable,
    commented,
    impact,
    proposed,
    reviewed,
)
from shared.domain import Framework, JobGroup, Relation, Requirement
from shared.errors import Conflict
from tests.support.builders import JOB_GROUP, framework, text

ANN, BEN = (Signature(name, f"key-{name}", datetime(2026, 11, 2, tzinfo=UTC)) for name in ("ann", "ben"))


def draft(wanted: Framework | None = None, base: int = 1) -> FrameworkDraft:
    found = proposed(None, ProposeDraft(wanted or framework({"a": 2}), "ann"), ANN, base)
    assert found
    return found


def test_a_draft_is_reviewed_then_approved_then_published() -> None:
    one = draft()
    for early in (one, reviewed(one, BEN, None)):
        with pytest.raises(Conflict, match="is published once it is approved"):
            check_publishable(early, 1)
    with pytest.raises(Conflict, match="not reviewed"):
        approved(one, BEN, None)
    done = approved(reviewed(one, ANN, "well"), BEN, "good")
    assert (done.state, done.revision, done.proposed, done.reviewed, done.approved) == ("approved", 3, ANN, ANN, BEN)
    assert [(said.by, said.comment) for said in done.comments] == [("ann", "well"), ("ben", "good")]
    check_publishable(done, 1)
    with pytest.raises(Conflict, match="version 2 is published"):
        check_publishable(done, 2)
    again = reviewed(done, ANN, None)
    assert (again.state, again.approved) == ("reviewed", None)


def test_other_content_takes_reviews_away_and_the_same_does_not() -> None:
    done = approved(reviewed(draft(), ANN, "well"), BEN, None)
    same = ProposeDraft(framework({"a": 2}), "ben")
    assert proposed(done, same, BEN, 1) is None
    said = proposed(done, msgspec.structs.replace(same, comment="still good"), BEN, 1)
    assert said
    assert (said.state, said.approved, said.proposed) == ("approved", BEN, ANN)
    for wanted, base in ((framework({"a": 3}), 1), (framework({"a": 2}), 2)):
        other = proposed(done, ProposeDraft(wanted, "ben"), BEN, base)
        assert other
        assert (other.state, other.reviewed, other.approved, other.proposed) == ("draft", None, None, BEN)
        assert [one.comment for one in other.comments] == ["well"]


def test_comments_are_bounded() -> None:
    one = draft()
    for _ in range(COMMENTS_LIMIT):
        one = commented(one, ANN, "so")
    with pytest.raises(Conflict):
        commented(one, ANN, "one more")


def test_the_impact_tells_every_requirement_that_changes_and_no_other() -> None:
    present = msgspec.structs.replace(framework({"a": 2, "b": 1, "c": 3}), version=4)
    wanted = framework({"a": 3, "c": 3, "d": 1})
    wanted = msgspec.structs.replace(
        wanted,
        job_groups=[*wanted.job_groups, JobGroup("new", text("new"))],
        requirements=[*wanted.requirements, Requirement("new", "a", 1, weight=2)],
        relations=[Relation("exact_match", "d", "b")],
    )
    found = impact(draft(wanted, base=3), present, present.version)
    assert (found.version, found.base_version, found.outdated, found.scale_changed) == (4, 3, True, False)
    assert (found.skills_added, found.skills_removed, found.exact_matches) == (["d"], ["b"], {"b": ["d"]})
    assert (found.job_groups_added, found.job_groups_removed, found.job_groups) == (["new"], [], [JOB_GROUP, "new"])
    rows = [(one.job_group, one.skill, one.before, one.after, one.weight_after) for one in found.requirements]
    assert rows == [
        (JOB_GROUP, "a", 2, 3, 1),
        (JOB_GROUP, "b", 1, None, None),
        (JOB_GROUP, "d", None, 1, 1),
        ("new", "a", None, 1, 2),
    ]
    assert impact(draft(present, base=4), present, present.version).requirements == []
    first = impact(draft(present, base=0), None, 0)
    assert (first.version, first.skills_added, len(first.requirements)) == (0, ["a", "b", "c"], 3)


def test_a_retired_framework_changes_only_by_leaving_retirement() -> None:
    present = msgspec.structs.replace(framework({"a": 2}), version=4)
    retired = msgspec.structs.replace(present, retired=True)
    check_change(None, retired)
    check_change(present, retired)
    check_change(retired, msgspec.structs.replace(retired, version=0))
    check_change(retired, present)
    with pytest.raises(Conflict, match="retired"):
        check_change(retired, msgspec.structs.replace(retired, title=text("other")))
