"""Drafts of frameworks: their proposal, review and approval, and the changes that publishing would make. Pure.

The states are draft → reviewed → approved → published. If its content changes, a reviewed or approved draft is in the
state `draft` again. Three different people propose, review and approve a draft, unless the tenant permits one person to
do all (`alone`). A published version never changes. A retired framework can only be changed by setting `retired` to
false.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from shared.domain import Framework, LocalizedText, Requirement, ShortText
from shared.errors import Conflict
from shared.succession import job_group_of, stage_of

COMMENTS_LIMIT = 500
Remark = Annotated[str, Meta(min_length=1, max_length=2000)]
DraftState = Literal["draft", "reviewed", "approved"]
Place = tuple[str, str | None, str]
"""(job group, stage, skill): which requirement of a framework it is."""

_PROPOSER_REVIEWS = {
    "th": "ผู้เสนอร่างตรวจร่างของตนเองไม่ได้ ให้ผู้อื่นเข้าใช้ด้วยรหัสเข้าใช้งานหรือบัญชีของตนแล้วตรวจ",
    "en": "whoever proposed a draft may not review it: another person has to, with a key or an account of their own",
}
_PROPOSER_APPROVES = {
    "th": "ผู้เสนอร่างอนุมัติร่างของตนเองไม่ได้ ให้ผู้อื่นเข้าใช้ด้วยรหัสเข้าใช้งานหรือบัญชีของตนแล้วอนุมัติ",
    "en": "whoever proposed a draft may not approve it: another person has to, with a key or an account of their own",
}
_REVIEWER_APPROVES = {
    "th": "ผู้ตรวจร่างอนุมัติร่างเดียวกันไม่ได้ ให้ผู้อื่นเข้าใช้ด้วยรหัสเข้าใช้งานหรือบัญชีของตนแล้วอนุมัติ",
    "en": "whoever reviewed a draft may not approve it: another person has to, with a key or an account of their own",
}


class Signature(Struct, frozen=True):
    """The person who acted on a draft, and when (`at`).

    `by`: the name as the agency writes it. `key`: the id of the API key. `subject`: the person's identifier at the
    OpenID Connect provider; null if the person did not sign in there.
    """

    by: str
    key: str
    at: datetime
    subject: str | None = None

    @property
    def person(self) -> str:
        """What identifies the person: the subject if there is one, otherwise the key; each sign-in has another key."""
        return self.subject or self.key


class DraftComment(Struct, frozen=True):
    """A comment on a draft, with the name and the key of its writer, and the time."""

    by: str
    key: str
    at: datetime
    comment: str


class FrameworkDraft(Struct, frozen=True):
    """A framework that is not published yet. `base_version`: the version that it was made from, 0 for a new framework.

    `reviewed` and `approved` hold the signatures for exactly this content; they are removed when it changes.
    """

    framework: Framework
    revision: int
    state: DraftState
    base_version: int
    proposed: Signature
    reviewed: Signature | None = None
    approved: Signature | None = None
    comments: list[DraftComment] = []


class ProposeDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to propose a framework. `by`: the name of the person who proposes it."""

    framework: Framework
    by: ShortText
    comment: Remark | None = None


class SignDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to review or to approve a draft. `by`: the name of the person who does so."""

    by: ShortText
    comment: Remark | None = None


class CommentDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to comment on a draft. `by`: the name of the person who comments."""

    by: ShortText
    comment: Remark


class RequirementChange(Struct, frozen=True, omit_defaults=True):
    """The change of one requirement: level and weight, before and after.

    `before` and `weight_before` are left out if the skill was not required, `after` and `weight_after` if it will not
    be required.
    """

    job_group: str
    skill: str
    stage: str | None = None
    before: float | None = None
    after: float | None = None
    weight_before: float | None = None
    weight_after: float | None = None


class FrameworkImpact(Struct, frozen=True):
    """What publishing a draft would change, compared with the framework that the tenant's officers have now.

    `version`: the version of the tenant's own framework. `outdated`: it is not the version that the draft was made
    from. `exact_matches`: {removed skill: new skills that are the same}. `job_groups`: the job groups with a changed
    requirement. `officers`: the number of officers of whom other skills, levels or weights will be required, or who get
    no path any more because their job group or stage ends. It counts those of the caller's tenant, or for an admin of
    `shared` those of all tenants that use the shared framework; null if the assessment service did not answer.
    `unmapped_skills`, `unmapped_job_groups`: see FrameworkPut. `scale_note`: the text that FrameworkPut has as
    `scale_changed`.
    """

    framework: str
    base_version: int
    version: int
    draft_revision: int
    outdated: bool
    scale_changed: bool
    skills_added: list[str]
    skills_removed: list[str]
    exact_matches: dict[str, list[str]]
    job_groups_added: list[str]
    job_groups_removed: list[str]
    job_groups: list[str]
    requirements: list[RequirementChange]
    officers: int | None = None
    unmapped_skills: list[str] = []
    unmapped_job_groups: list[str] = []
    scale_note: LocalizedText | None = None


def proposed(
    before: FrameworkDraft | None, body: ProposeDraft, by: Signature, base: int, last: int = 0
) -> FrameworkDraft | None:
    """Return the draft after the proposal `body`; None if it changes nothing and has no comment.

    `base` is the version that the draft is made from, `last` the last revision of earlier drafts if there is no draft.
    Comments are kept. If the framework or `base` changed, the review and the approval are removed. Raises Conflict if
    there are too many comments.
    """
    if before and before.framework == body.framework and before.base_version == base and body.comment is None:
        return None
    same = before is not None and before.framework == body.framework and before.base_version == base
    draft = FrameworkDraft(
        body.framework,
        (before.revision if before else last) + 1,
        before.state if before and same else "draft",
        base,
        before.proposed if before and same else by,
        before.reviewed if before and same else None,
        before.approved if before and same else None,
        before.comments if before else [],
    )
    return _commented(draft, by, body.comment)


def reviewed(draft: FrameworkDraft, by: Signature, comment: str | None, *, alone: bool = False) -> FrameworkDraft:
    """Return the draft after a review by a person; an earlier approval is removed.

    Raises Conflict if the person proposed the draft, unless `alone` permits this, or if there are too many comments.
    """
    if not alone:
        _check_different(draft.proposed, by, _PROPOSER_REVIEWS)
    after = msgspec.structs.replace(draft, revision=draft.revision + 1, state="reviewed", reviewed=by, approved=None)
    return _commented(after, by, comment)


def approved(draft: FrameworkDraft, by: Signature, comment: str | None, *, alone: bool = False) -> FrameworkDraft:
    """Return the draft after an approval by a person.

    Raises Conflict if the draft is not reviewed, if the person proposed or reviewed it, unless `alone` permits this, or
    if there are too many comments.
    """
    if draft.reviewed is None:
        raise Conflict("the draft was not reviewed yet, or has changed since", "state")
    if not alone:
        _check_different(draft.proposed, by, _PROPOSER_APPROVES)
        _check_different(draft.reviewed, by, _REVIEWER_APPROVES)
    after = msgspec.structs.replace(draft, revision=draft.revision + 1, state="approved", approved=by)
    return _commented(after, by, comment)


def commented(draft: FrameworkDraft, by: Signature, comment: str) -> FrameworkDraft:
    """Return the draft with one more comment, in the same state. Raises Conflict if there are too many comments."""
    return _commented(msgspec.structs.replace(draft, revision=draft.revision + 1), by, comment)


def _commented(draft: FrameworkDraft, by: Signature, comment: str | None) -> FrameworkDraft:
    if comment is None:
        return draft
    if len(draft.comments) >= COMMENTS_LIMIT:
        raise Conflict(f"a draft takes {COMMENTS_LIMIT} comments", "comment")
    return msgspec.structs.replace(draft, comments=[*draft.comments, DraftComment(by.by, by.key, by.at, comment)])


def check_publishable(draft: FrameworkDraft, version: int, *, alone: bool = False) -> None:
    """Raise Conflict unless a draft may be published as the version after `version`, the current one.

    The draft must be approved and made from the current version. Unless `alone` permits otherwise, different people
    must have proposed, reviewed and approved it.
    """
    if draft.state != "approved" or draft.reviewed is None or draft.approved is None:
        raise Conflict(f"the draft is {draft.state}: it is published once it is approved", "state")
    if not alone:  # it may have been signed while one person was enough
        _check_different(draft.proposed, draft.reviewed, _PROPOSER_REVIEWS)
        _check_different(draft.proposed, draft.approved, _PROPOSER_APPROVES)
        _check_different(draft.reviewed, draft.approved, _REVIEWER_APPROVES)
    if draft.base_version != version:
        reason = (
            f"the draft was made from version {draft.base_version}, and version {version} is published: put it again"
        )
        raise Conflict(reason, "base_version")


def _check_different(before: Signature, by: Signature, texts: Mapping[str, str]) -> None:
    if before.person == by.person:
        raise Conflict(texts["en"], "by", texts=texts)


def check_change(before: Framework | None, after: Framework) -> None:
    """Raise Conflict if `after` changes a retired framework and leaves it retired."""
    if before and before.retired and after.retired and msgspec.structs.replace(after, version=before.version) != before:
        raise Conflict("the framework is retired; set `retired` to false to change it", "retired")


def impact(draft: FrameworkDraft, present: Framework | None, version: int) -> FrameworkImpact:
    """Return the changes that publishing a draft would make for the tenant's officers, without the number of officers.

    `present`: the framework that the officers have now, the tenant's own one or else the shared one. `version`: the
    version of the tenant's own framework, 0 if it has none.
    """
    after = draft.framework
    skills = _difference([one.id for one in present.skills] if present else [], [one.id for one in after.skills])
    groups = _difference(
        [one.id for one in present.job_groups] if present else [], [one.id for one in after.job_groups]
    )
    changes = _changes(_required(present) if present else {}, _required(after))
    matches = [(one.target, one.origin) for one in after.relations if one.kind == "exact_match"]
    matches += [(one.origin, one.target) for one in after.mappings if (one.of, one.kind) == ("skill", "exact")]
    return FrameworkImpact(
        framework=after.id,
        base_version=draft.base_version,
        version=version,
        draft_revision=draft.revision,
        outdated=draft.base_version != version,
        scale_changed=present is None or _steps(present) != _steps(after),
        scale_note=scale_change(present, after),
        skills_added=skills[0],
        skills_removed=skills[1],
        exact_matches={old: [new for target, new in matches if target == old] for old in skills[1]},
        job_groups_added=groups[0],
        job_groups_removed=groups[1],
        job_groups=list(dict.fromkeys(change.job_group for change in changes)),
        requirements=changes,
        unmapped_skills=unmapped(present, after, "skill"),
        unmapped_job_groups=unmapped(present, after, "job_group"),
    )


def scale_change(before: Framework | None, after: Framework) -> LocalizedText | None:
    """Return a text about what happens to measured levels; None if the levels of the scale stay the same."""
    if before is None or _steps(before) == _steps(after):
        return None
    old, new = (f"{min(levels):g}-{max(levels):g}" for levels in (_steps(before), _steps(after)))
    top = f"{after.max_level:g}"
    some = any(row.scale_top for row in after.mappings)
    return LocalizedText(
        th=(
            f"มาตรวัดเปลี่ยนจาก {old} ({len(_steps(before))} ระดับ) เป็น {new} ({len(_steps(after))} ระดับ) "
            f"ระบบไม่แปลงระดับเดิมให้{' นอกจากของทักษะเดิมที่การเทียบระบุมาตรวัดไว้' if some else ''}: "
            f"ระดับที่วัดไว้สูงกว่า {top} นับเป็น {top} ระดับอื่นคงตัวเลขเดิม"
        ),
        en=(
            f"The scale changes from {old} ({len(_steps(before))} levels) to {new} ({len(_steps(after))} levels). "
            f"Levels are not converted{', except of former skills whose mapping states their scale' if some else ''}: "
            f"one that was measured above {top} counts as {top}, others keep their number."
        ),
    )


def _steps(framework: Framework) -> list[float]:
    return sorted(step.level for step in framework.scale)


class JobGroupOfficers(Struct, frozen=True):
    """The number of officers who are registered in a job group and at a career stage, or at none."""

    job_group: str
    officers: int
    stage: str | None = None


def concerned(before: Framework, after: Framework, places: Iterable[JobGroupOfficers]) -> int:
    """Return the number of officers of whom a version requires something else, or for whom it ends every path.

    The job group of a registration may be one that an earlier version had.
    """
    return sum(one.officers for one in places if _demands(before, one) != _demands(after, one))


def _demands(framework: Framework, place: JobGroupOfficers) -> dict[str, tuple[float, float]] | None:
    """Return {skill: (level, weight)} that officers need; None if their job group or stage gives them no path."""
    job_group = job_group_of(place.job_group, framework)[0]
    stage, ended = stage_of(place.stage, job_group, framework)
    if all(one.id != job_group for one in framework.job_groups) or (ended and stage):
        return None
    return {skill: (row.level, row.weight) for skill, row in framework.required(job_group, stage).items()}


def unmapped(before: Framework | None, after: Framework, of: Literal["skill", "job_group"]) -> list[str]:
    """Return the ids of skills (or job groups) that `before` has or maps, and `after` neither has nor maps."""
    if before is None:
        return []
    had, has = (
        [one.id for one in (framework.skills if of == "skill" else framework.job_groups)]
        for framework in (before, after)
    )
    mapped = [row.origin for row in before.mappings if row.of == of]
    kept = {*has, *(row.origin for row in after.mappings if row.of == of)}
    return [name for name in dict.fromkeys([*had, *mapped]) if name not in kept]


def _difference(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """Return the added and the removed items, each in the order of its version."""
    held, wanted = set(before), set(after)
    return [one for one in after if one not in held], [one for one in before if one not in wanted]


def _required(framework: Framework) -> dict[Place, Requirement]:
    return {(row.job_group, row.stage, row.skill): row for row in framework.requirements}


def _changes(before: Mapping[Place, Requirement], after: Mapping[Place, Requirement]) -> list[RequirementChange]:
    found: list[RequirementChange] = []
    for place in dict.fromkeys((*before, *after)):
        old, new = before.get(place), after.get(place)
        if old and new and (old.level, old.weight) == (new.level, new.weight):
            continue
        group, stage, skill = place
        found.append(
            RequirementChange(
                group,
                skill,
                stage,
                old.level if old else None,
                new.level if new else None,
                old.weight if old else None,
                new.weight if new else None,
            )
        )
    return found
