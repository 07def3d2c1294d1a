"""What a stored path was computed from, by version and by hash, and the inputs that follow from it. No I/O.

`inputs_for` is the only way from an officer's record to the inputs of a plan: a service uses it when it plans, and the
command `recompute` when it plans again from what was stored.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.recommender.feedback import Feedback
from services.recommender.model import ALGORITHM, EXCLUDE, SMALLEST_GAP, Inputs, Rule, inputs_of
from shared.errors import InvalidInput
from shared.skills import Framework, Profile
from shared.texts import folded


class TenantRules(Struct, frozen=True, omit_defaults=True):
    """What a tenant wants of every path of its officers. Version 0: nothing was ever said."""

    version: int = 0
    rules: list[Rule] = []
    mandatory: list[str] = []


class Hashes(Struct, frozen=True):
    """SHA-256, in hexadecimal, of the JSON of what went into a path."""

    profile: str
    feedback: str
    rules: str
    framework: str


class Record(Struct, frozen=True, omit_defaults=True):
    """Everything a path was computed from. Courses, framework and rules are kept elsewhere and named by version.

    `previous`: the courses of the path before; with `stable` that path stayed unless another was worth notably more,
    and with `finishing` as far as it could still be studied.
    """

    profile: Profile
    feedback: Feedback
    as_of: date
    framework: str
    catalogue_revision: int
    algorithm: str
    hashes: Hashes
    rules_version: int = 0
    previous: list[str] = []
    stable: bool = True
    finishing: bool = False
    smallest_gap: float = SMALLEST_GAP


def hash_of(content: object) -> str:
    """Return the SHA-256 of the JSON of anything that is stored or sent."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


class FrameworkHashes:
    """The hashes of frameworks, each computed once: they may be large, and a batch of officers shares one."""

    _MOST = 64

    def __init__(self) -> None:
        self._known: dict[int, tuple[Framework, str]] = {}

    def of(self, framework: Framework) -> str:
        """Return the hash of a framework."""
        known = self._known.get(id(framework))
        if known is None:
            if len(self._known) >= self._MOST:
                self._known = {}
            known = self._known[id(framework)] = (framework, hash_of(framework))
        return known[1]


_FRAMEWORKS = FrameworkHashes()


def record_of(  # noqa: PLR0913 - each is a part of the record, given by name
    profile: Profile,
    feedback: Feedback,
    rules: TenantRules,
    previous: Sequence[str],
    *,
    framework: Framework,
    as_of: date,
    catalogue_revision: int,
    stable: bool = True,
    finishing: bool = False,
    smallest_gap: float = SMALLEST_GAP,
) -> Record:
    """Return the record of a path that is about to be computed."""
    return Record(
        profile=profile,
        feedback=feedback,
        as_of=as_of,
        framework=f"{framework.id}@{framework.version}",
        catalogue_revision=catalogue_revision,
        algorithm=ALGORITHM,
        hashes=Hashes(hash_of(profile), hash_of(feedback), hash_of(rules), _FRAMEWORKS.of(framework)),
        rules_version=rules.version,
        previous=list(previous),
        stable=stable,
        finishing=finishing,
        smallest_gap=smallest_gap,
    )


def inputs_for(  # noqa: PLR0913 - each is a part of the record, given by name
    profile: Profile,
    feedback: Feedback,
    rules: TenantRules,
    previous: Sequence[str],
    *,
    framework: Framework,
    as_of: date,
    stable: bool = True,
    finishing: bool = False,
    smallest_gap: float = SMALLEST_GAP,
) -> Inputs:
    """Return the inputs of an officer's plan. A mandatory course stands above a dismissal from before it was so."""
    banned = [course for course in feedback.those("not_relevant") if course not in rules.mandatory]
    return replace(
        inputs_of(profile, framework, as_of),
        rules=rules_within(rules.rules, framework),
        mandatory=rules.mandatory,
        excluded=sorted(banned),
        slowed=feedback.slowed(),
        pinned=feedback.those("pin"),
        started=feedback.started(previous),
        completed_at=feedback.completed_at(),
        taught=feedback.taught(),
        previous=list(previous) if stable else [],
        finishing=finishing,
        smallest_gap=smallest_gap,
    )


def rules_within(rules: Sequence[Rule], framework: Framework) -> list[Rule]:
    """Return the rules of a tenant as far as they speak of a framework: skills of other yardsticks say nothing here."""
    known = {folded(skill.id) for skill in framework.skills}
    found = []
    for rule in rules:
        values = [value for value in rule.values if rule.field != "skill" or folded(value) in known]
        if values:
            found.append(replace(rule, values=values))
    return found


def check_rules(rules: TenantRules) -> None:
    """Refuse rules that contradict each other whatever the framework. Raises InvalidInput naming the field."""
    seen: dict[tuple[str, str], float] = {}
    mandatory = {folded(course) for course in rules.mandatory}
    for i, rule in enumerate(rules.rules):
        if rule.bias not in (-1, EXCLUDE) and not 1 < rule.bias <= 1000:  # noqa: PLR2004 - as the sentence says
            text = "-1 (only these), 0 (none of these), or above 1 up to 1000 (prefer these)"
            raise InvalidInput(text, f"rules[{i}].bias")
        for j, value in enumerate(rule.values):
            place, name = f"rules[{i}].values[{j}]", folded(value)
            if rule.field == "course" and rule.bias == EXCLUDE and name in mandatory:
                raise InvalidInput(f"{value!r} is mandatory and excluded", place)
            if (rule.bias == EXCLUDE) != (seen.setdefault((rule.field, name), rule.bias) == EXCLUDE):
                raise InvalidInput(f"{value!r} is excluded by one rule and wanted by another", place)
    for i, course in enumerate(rules.mandatory):
        if course in rules.mandatory[:i]:
            raise InvalidInput(f"{course!r} stands twice", f"mandatory[{i}]")


def inputs_of_record(record: Record, rules: TenantRules, framework: Framework) -> Inputs:
    """Return the inputs that a stored path was computed from."""
    return inputs_for(
        record.profile,
        record.feedback,
        rules,
        record.previous,
        framework=framework,
        as_of=record.as_of,
        stable=record.stable,
        finishing=record.finishing,
        smallest_gap=record.smallest_gap,
    )
