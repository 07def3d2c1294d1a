"""A tenant's mapping of activities to skills, and the evidence that a statement gives. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from services.assessment.intake import Submission
from services.assessment.model import EvidenceKind, Result
from services.assessment.scoring import least_sd, too_sure
from services.assessment.xapi.statements import VERBS, Iri, ReceivedStatement, Verb, contradicts, scaled_score
from shared.domain import Framework, Identifier, Level, millionths
from shared.errors import InvalidInput, UnknownName


class ActivityRule(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The evidence that an activity gives about a skill.

    `activity`: its IRI, or its name in the grade exports of a platform; or a prefix of these followed by `*`.

    `level`: the level of a full score or a pass; a score of 0.5 gives half of it. `failed_level`: the level of a fail
    without a score; without it such a fail gives no evidence. `kind`: for passed, failed and scored; a completed course
    is always weak evidence. `framework` missing: the officer's own. `verbs`: the outcomes that the rule applies to, by
    default all. `sd`: the standard deviation of the evidence of this `kind`, in levels.
    """

    activity: Annotated[str, Meta(min_length=1, max_length=2000)]
    skill: Identifier
    level: Level
    failed_level: Level | None = None
    kind: Literal["test", "external"] = "external"
    framework: Identifier | None = None
    verbs: Annotated[list[Verb], Meta(min_length=1, max_length=4)] = field(default_factory=lambda: list(VERBS.values()))
    sd: Annotated[float, Meta(gt=0, le=100)] | None = None


class PutXapiMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The mapping of a tenant. `home_page`: in accounts with this home page, the name is the id of an officer."""

    home_page: Iri
    rules: Annotated[list[ActivityRule], Meta(max_length=2000)]


class UnmappedStatement(Struct, frozen=True):
    """A stored statement that gives no evidence, and why."""

    id: str
    verb: str
    activity: str | None
    reason: str
    stored: datetime


class XapiMapping(Struct, frozen=True):
    """The mapping of a tenant, null and empty if there is none, with counts of the stored statements.

    `mapped`: how many gave evidence. `unmapped`: how many gave none; `latest_unmapped` shows the latest of these.
    """

    home_page: str | None
    rules: list[ActivityRule]
    mapped: int
    unmapped: int
    latest_unmapped: list[UnmappedStatement]


def check_mapping(body: PutXapiMapping, frameworks: dict[str, Framework | None]) -> None:
    """Check that the named frameworks have the skills and levels, and that each `sd` is large enough for its kind.

    `frameworks`: those that the rules name, None for one that does not exist. Raises InvalidInput naming the field.
    """
    for i, rule in enumerate(body.rules):
        if "*" in rule.activity[:-1]:
            raise InvalidInput("`*` may stand at the end only", f"rules[{i}].activity")
        framework = None if rule.framework is None else frameworks[rule.framework]
        if rule.sd is not None and rule.sd < (least := least_sd(rule.kind, framework)):
            raise InvalidInput(too_sure(rule.kind, least), f"rules[{i}].sd")
        if rule.framework is None:
            continue
        if framework is None:
            raise UnknownName(f"unknown framework {rule.framework!r}", f"rules[{i}].framework")
        if rule.skill not in {skill.id for skill in framework.skills}:
            raise UnknownName(f"framework {framework.id} has no skill {rule.skill!r}", f"rules[{i}].skill")
        for name in ("level", "failed_level"):
            if (getattr(rule, name) or 0) > framework.max_level:
                raise InvalidInput(f"above the scale's top, {framework.max_level:g}", f"rules[{i}].{name}")


Found = dict[tuple[EvidenceKind, str | None], list[Result]]
"""{(kind, framework): results}; the framework is None for the officer's own."""


class ActivityRules:
    """The rules of a tenant by activity: those that name it in full, or else those with its longest prefix."""

    def __init__(self, rules: Iterable[ActivityRule]) -> None:
        self._exact: dict[str, list[ActivityRule]] = {}
        self._begins: dict[str, list[ActivityRule]] = {}
        for rule in rules:
            held = self._begins if rule.activity.endswith("*") else self._exact
            held.setdefault(rule.activity.removesuffix("*"), []).append(rule)
        self._lengths = sorted({len(pattern) for pattern in self._begins}, reverse=True)

    def maps(self, activity: str, verb: Verb | None = None) -> bool:
        """Return whether a rule maps an activity, with this verb unless it is None."""
        return any(verb is None or verb in rule.verbs for rule in self._of(activity))

    def submissions(self, received: ReceivedStatement, own: str) -> list[Submission] | str:
        """Return the evidence of a statement, one submission for each kind and framework, or why there is none.

        `own`: the officer's framework.
        """
        statement = received.statement
        verb = VERBS.get(statement.verb.id)
        if verb is None:
            return "the verb says nothing about a level"
        if contradicts(verb, statement.result):
            return "the result says the opposite of the verb"
        if statement.object.objectType != "Activity" or statement.object.id is None:
            return "the object is no activity"
        found = self.evidence(statement.object.id, verb, scaled_score(statement.result), own)
        if isinstance(found, str):
            return found
        return [
            Submission(
                officer=received.officer,
                key=f"xapi:{received.id}" + (f":{i}" if i else ""),
                kind=kind,
                results=results,
                taken_at=received.taken_at,
                framework=framework,
                origin=f"xapi:{received.digest}",
            )
            for i, ((kind, framework), results) in enumerate(found.items())
        ]

    def evidence(self, activity: str, verb: Verb, score: float | None, own: str) -> Found | str:
        """Return the results that an activity gives by kind and framework, or why there are none.

        `score`: from 0 to 1. `own`: the officer's framework. Of several rules for one skill of a framework the first
        one counts.
        """
        rules = [rule for rule in self._of(activity) if verb in rule.verbs]
        if not rules:
            return "no rule maps the activity with this verb"
        found: Found = {}
        measured: set[tuple[str, str]] = set()
        for rule in rules:
            level = _level(rule, verb, score)
            skill = rule.framework or own, rule.skill
            if level is not None and skill not in measured:
                measured.add(skill)
                kind: EvidenceKind = "completion" if verb == "completed" else rule.kind
                sd = rule.sd if kind == rule.kind else None
                found.setdefault((kind, rule.framework), []).append(Result(rule.skill, level, sd))
        return found or "there is no score, and the rule says nothing of a fail without one"

    def _of(self, activity: str) -> Sequence[ActivityRule]:
        if found := self._exact.get(activity):
            return found
        for length in self._lengths:
            if found := self._begins.get(activity[:length]):
                return found
        return ()


def _level(rule: ActivityRule, verb: Verb, score: float | None) -> float | None:
    if verb == "completed":
        return rule.level
    if score is not None:
        return millionths(rule.level * score)
    return {"passed": rule.level, "failed": rule.failed_level}.get(verb)
