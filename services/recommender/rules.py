"""Rules of a tenant or a request about courses: what they name, and whether they contradict each other. No I/O."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from shared.domain import Course, Framework
from shared.errors import InvalidInput, UnknownName
from shared.texts import folded

RuleField = Literal["course", "provider", "language", "modality", "skill"]

INCLUDE_ONLY = -1.0
EXCLUDE = 0.0
STRONGEST_BOOST = 1000.0


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of a tenant or a request about the courses whose `field` has any of `values`.

    `bias` -1: only these, 0: none of these, above 1: their cost is divided by it. A provider is named by its Thai or
    its English title. Values are compared without regard to case, spaces and spelling (`folded`). Mandatory and started
    courses override rules.
    """

    field: RuleField
    values: Annotated[list[str], Meta(min_length=1, max_length=2000)]
    bias: float

    @property
    def names(self) -> frozenset[str]:
        """The folded values, to be compared with those of a course."""
        return _names(tuple(self.values))


@lru_cache(maxsize=256)
def _names(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(folded(value) for value in values) - {""}


def names_of(rule: Rule, course: Course, framework: str) -> set[str]:
    """Return the folded values of a course in the field of a rule; skills of one framework only."""
    held: dict[RuleField, list[str | None]] = {
        "course": [course.id],
        "provider": [course.provider.th, course.provider.en],
        "language": [*course.languages],
        "modality": [course.modality],
        "skill": [row.skill for row in course.teaches if row.framework == framework],
    }
    return {folded(name) for name in held[rule.field] if name}


class TenantRules(Struct, frozen=True, omit_defaults=True):
    """A tenant's rules as stored, with mandatory courses and the least confidence of unconfirmed rows.

    Version 0: never set. The bodies of the API are `PutRules`, which limits what a client may send, and `Rules`.
    """

    version: int = 0
    rules: list[Rule] = []
    mandatory: list[str] = []
    least_confidence: float | None = None


NO_RULES = TenantRules()


def rules_within(rules: Sequence[Rule], framework: Framework) -> list[Rule]:
    """Return a tenant's rules without skills that the framework does not have, and without rules left empty by that."""
    known = {folded(skill.id) for skill in framework.skills} if rules else set()
    found = []
    for rule in rules:
        values = [value for value in rule.values if rule.field != "skill" or folded(value) in known]
        if values:
            found.append(replace(rule, values=values))
    return found


def check_tenant_rules(rules: TenantRules) -> None:
    """Check that a tenant's rules do not contradict each other and that no mandatory course is given twice.

    No framework is needed. Raises InvalidInput naming the field.
    """
    check_rules(rules.rules, rules.mandatory)
    for i, course in enumerate(rules.mandatory):
        if course in rules.mandatory[:i]:
            raise InvalidInput(f"{course!r} is given twice", f"mandatory[{i}]")


def check_rules(rules: Sequence[Rule], mandatory: Sequence[str], framework: Framework | None = None) -> None:
    """Check that rules do not contradict each other and, with a framework, that it has the named skills."""
    seen: dict[tuple[str, str], float] = {}
    skills = {folded(skill.id) for skill in framework.skills} if framework and rules else None
    required = {folded(course) for course in mandatory}
    for i, rule in enumerate(rules):
        if rule.bias not in (INCLUDE_ONLY, EXCLUDE) and not 1 < rule.bias <= STRONGEST_BOOST:
            text = f"-1 (only these), 0 (none of these), or above 1 up to {STRONGEST_BOOST:g} (prefer these)"
            raise InvalidInput(text, f"rules[{i}].bias")
        for j, value in enumerate(rule.values):
            place, name = f"rules[{i}].values[{j}]", folded(value)
            if rule.field == "skill" and skills is not None and name not in skills:
                raise UnknownName(f"unknown skill {value!r}" + (f" in {framework.id}" if framework else ""), place)
            if rule.field == "course" and rule.bias == EXCLUDE and name in required:
                raise InvalidInput(f"{value!r} is mandatory and excluded", place)
            if (rule.bias == EXCLUDE) != (seen.setdefault((rule.field, name), rule.bias) == EXCLUDE):
                raise InvalidInput(f"{value!r} is excluded by one rule and wanted by another", place)
