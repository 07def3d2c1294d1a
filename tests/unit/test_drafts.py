"""Drafts of frameworks: what takes a review away, what may be published, and what a draft would change."""

import re
from collections.abc import Callable
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

ANN, BEN, CAT = (Signature(name, f"key-{name}", datetime(2026, 11, 2, tzinfo=UTC)) for name in ("ann", "ben", "cat"))


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
    done = approved(reviewed(one, BEN, "well"), CAT, "good")
    assert (done.state, done.revision, done.proposed, done.reviewed, done.approved) == ("approved", 3, ANN, BEN, CAT)
    assert [(comment.by, comment.comment) for comment in done.comments] == [("ben", "well"), ("cat", "good")]
    check_publishable(done, 1)
    with pytest.raises(Conflict, match="version 2 is published"):
        check_publishable(done, 2)
    again = reviewed(done, CAT, None)
    assert (again.state, again.approved) == ("reviewed", None)


def test_proposer_reviewer_and_approver_must_differ_unless_one_may_act_alone() -> None:
    one = draft()
    refusals: list[Callable[[], FrameworkDraft]] = [
        lambda: reviewed(one, ANN, None),
        lambda: approved(reviewed(one, BEN, None), ANN, None),
        lambda: approved(reviewed(one, BEN, None), BEN, None),
    ]
    for refused in refusals:
        with pytest.raises(Conflict) as refusal:
            refused()
        assert refusal.value.field == "by"
        assert refusal.value.texts
        assert refusal.value.texts["en"] == refusal.value.detail
        assert re.search("[ก-๙]", refusal.value.texts["th"])
    alone = approved(reviewed(one, ANN, None, alone=True), ANN, None, alone=True)
    check_publishable(alone, 1, alone=True)
    with pytest.raises(Conflict, match="may not review"):
        check_publishable(alone, 1)  # one person was enough when it was signed, and is not any more


def test_a_person_is_identified_by_the_sign_in_or_else_by_the_key() -> None:
    def signed(name: str, key: str, subject: str | None) -> Signature:
        return Signature(name, key, ANN.at, subject)

    first, second = signed("Ann", "k1", "https://id a"), signed("Somebody else", "k2", "https://id a")
    one = msgspec.structs.replace(draft(), proposed=first)
    with pytest.raises(Conflict):
        reviewed(one, second, None)  # the next sign-in of the same person, under another name
    assert reviewed(one, signed("Ann", "k3", "https://id b"), None).state == "reviewed"
    assert reviewed(draft(), signed("ann", "other-key", None), None).state == "reviewed"  # namesakes
    with pytest.raises(Conflict):
        reviewed(draft(), signed("another name", ANN.key, None), None)


def test_changed_content_removes_reviews_and_equal_content_does_not() -> None:
    done = approved(reviewed(draft(), BEN, "well"), CAT, None)
    same = ProposeDraft(framework({"a": 2}), "ben")
    assert proposed(done, same, BEN, 1) is None
    renewed = proposed(done, msgspec.structs.replace(same, comment="still good"), BEN, 1)
    assert renewed
    assert (renewed.state, renewed.approved, renewed.proposed) == ("approved", CAT, ANN)
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


def test_the_impact_lists_exactly_the_changed_requirements() -> None:
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
