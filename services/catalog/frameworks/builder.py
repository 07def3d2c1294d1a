"""Builds a framework and a report from the rows of a file; the reader of every format uses it.

    builder = Builder(options)
    builder.skill("1.1", Given(text="Searching"), area="1", row=7)
    builder.require("clerks", "1.1", 2.0, row=9)
    return builder.build()                       # a Reading

Every fault is recorded with its row or identifier, its field and the reason. A rejected row is left out, and reading
continues. But the whole file is rejected if the framework would be wrong without the row, because it holds a level of
the scale, a required skill, a job group with requirements, or a requirement. The option `skip_refused` prevents this.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise, zip_longest
from typing import Any, Literal

import msgspec

from services.catalog.frameworks.report import EXAMPLES, Fault, NotKept, Options, Reading
from services.catalog.frameworks.texts import Given, clean, decimal, identifier
from shared.decoding import convert
from shared.domain import (
    Area,
    Framework,
    JobGroup,
    LocalizedText,
    Prose,
    Relation,
    Requirement,
    ScaleLevel,
    Skill,
    Stage,
    VersionMapping,
    cycle_text,
    find_cycle,
    mapping_faults,
)
from shared.errors import Problem
from shared.texts import shows_something

TITLE_LIMIT, PROSE_LIMIT = 300, 5000
FAULTS_LIMIT = 20_000
"""The most faults that a report lists; the others are counted."""

_CHILD_OF: Literal["child_of"] = "child_of"
_SHAPES: dict[str, Any] = {"areas": Area, "skills": Skill, "job_groups": JobGroup, "stages": Stage}
_CYCLES = 100
_BULLETS = ("-", "•", "*", " ")
EVERYBODY = JobGroup("everybody", LocalizedText(th="ทุกคน", en="Everybody"))
"""The job group that a framework gets if its file names none."""


class Builder:
    """Collects the parts of a framework from rows in any order; `build` then checks their references to each other.

    `rows` counts the rows that were read.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rows = 0
        self._faults: list[Fault] = []
        self._further_faults = 0
        self._is_untrue = False
        self._not_kept: dict[str, tuple[int, list[str]]] = {}
        self._assumed: list[str] = []
        self._parts: dict[str, dict[str, tuple[Any, int | None]]] = {
            name: {} for name in ("scale", "areas", "skills", "job_groups", "stages")
        }
        self._requirements: dict[tuple[str, str, str | None], tuple[Requirement, int | None]] = {}
        self._relations: dict[Relation, int | None] = {}
        self._mappings: list[VersionMapping] = []
        self._names: dict[str, str] = {}
        self._head: dict[str, Any] = {}

    # --- reporting ---------------------------------------------------------------------------------------------------

    def fault(
        self,
        reason: str,
        *,
        row: int | None = None,
        id: str | None = None,
        field: str | None = None,
        verdict: Literal["refused", "changed", "untrue"] = "refused",
    ) -> None:
        """Record a fault of the file; the arguments are the fields of Fault."""
        self._note(Fault(verdict, reason, row, id, field))

    def _note(self, fault: Fault) -> None:
        self._is_untrue = self._is_untrue or fault.verdict == "untrue"
        if len(self._faults) < FAULTS_LIMIT:
            self._faults.append(fault)
        else:
            self._further_faults += 1

    def not_kept(self, what: str, example: str = "") -> None:
        """Record an item of the file that a framework cannot hold. `what`: its kind. `example`: its name or text."""
        count, examples = self._not_kept.get(what, (0, []))
        if example and len(examples) < EXAMPLES:
            examples.append(" ".join(example.split())[:TITLE_LIMIT])
        self._not_kept[what] = count + 1, examples

    def assume(self, what: str) -> None:
        """Record an assumption about something that the file does not state; `what` is a sentence for the report."""
        if (line := " ".join(what.split())) not in self._assumed:
            self._assumed.append(line)

    # --- parts -------------------------------------------------------------------------------------------------------

    def head(self, **fields: Any) -> None:
        """Set fields of the framework itself, such as `id` and `title`; None leaves a field unchanged."""
        self._head |= {name: value for name, value in fields.items() if value is not None}

    def level(self, level: float, title: Given, row: int | None = None) -> None:
        """Add a level of the scale; a level without a visible title is recorded as a fault."""
        if text := self.text(title, row=row, id=decimal(level), field="scale.title"):
            self._add("scale", decimal(level), ScaleLevel, row, level=level, title=text)

    def area(self, id: str, title: Given, *, row: int | None = None, **more: Any) -> None:
        """Add an area. `more`: further fields of Area."""
        self._titled("areas", id, title, row, more)

    def skill(self, id: str, title: Given, *, area: str, row: int | None = None, **more: Any) -> None:
        """Add a skill. `area`: the id of its area, which may be added later. `more`: further fields of Skill."""
        self._titled("skills", id, title, row, {**more, "area": identifier(area)})

    def job_group(self, id: str, title: Given, *, row: int | None = None, **more: Any) -> None:
        """Add a job group. `more`: further fields of JobGroup."""
        self._titled("job_groups", id, title, row, more)

    def stage(self, id: str, title: Given, *, row: int | None = None) -> None:
        """Add a stage, for which other levels may be required."""
        self._titled("stages", id, title, row, {})

    def require(  # noqa: PLR0913 - the fields of a requirement, by name
        self,
        job_group: str,
        skill: str,
        level: float,
        *,
        row: int | None = None,
        stage: str | None = None,
        weight: float = 1.0,
        **more: Any,
    ) -> None:
        """Add the level of a skill that a job group needs. `more`: further fields of Requirement.

        A repeated requirement is reported; one with another level or weight is a fault with the verdict `untrue`.
        """
        fields = {
            "job_group": self._shared(identifier(job_group)),
            "skill": self._shared(identifier(skill)),
            "stage": None if stage is None else self._shared(identifier(stage)),
        }
        name = " / ".join(value for value in fields.values() if value)
        made = self._made(
            Requirement, {**fields, "level": level, "weight": weight, **more}, Fault("untrue", "", row, name)
        )
        if made is None:
            return
        place = (made.job_group, made.skill, made.stage)
        before, first = self._requirements.setdefault(place, (made, row))
        if first == row and before is made:
            return
        if before == made:
            self.fault(f"says the same as {_at(first)}", row=row, id=name, verdict="changed")
        else:
            earlier, here = (f"{decimal(one.level)}, weight {decimal(one.weight)}" for one in (before, made))
            text = f"{earlier}, in {_at(first)}; here {here}"
            self.fault(f"the level is required twice: {text}", row=row, id=name, field="level", verdict="untrue")

    def _shared(self, name: str) -> str:
        """Return the same object for equal names, to save memory: there may be 100,000 requirements."""
        return self._names.setdefault(name, name)

    def has(self, part: str, key: str) -> bool:
        """Return whether an item was added. `part`: the list, such as `areas`. `key`: its id, or a level as a text."""
        return key in self._parts[part]

    def relate(self, kind: str, origin: str, target: str) -> None:
        """Add a relation between two areas or two skills. `origin` and `target` are their ids."""
        fields = {"kind": kind, "origin": identifier(origin), "target": target}
        if made := self._made(Relation, fields, Fault("refused", "", None, f"{origin} → {target}")):
            if made in self._relations:
                self.fault("is given twice", id=f"{origin} → {target}", verdict="changed")
            self._relations.setdefault(made, None)

    def take(self, part: str, shape: Any, given: Any, place: str) -> None:
        """Add an item that is written in the project's own JSON; record a fault if it is invalid.

        `part`: the list, such as `skills`. `shape`: the type of the item. `place`: its path, for the fault.
        """
        name = given.get("id") if isinstance(given, dict) and isinstance(given.get("id"), str) else place
        if part == "requirements" and isinstance(given, dict):
            name = " / ".join(str(given.get(key)) for key in ("job_group", "skill", "stage") if given.get(key))
        made = self._made(
            shape, given, Fault("refused" if part == "relations" else "untrue", "", None, str(name), place)
        )
        if made is None:
            return
        if part == "requirements":
            self.require(**{key: getattr(made, key) for key in made.__struct_fields__})
        elif part == "relations":
            self._relations.setdefault(made, None)
        elif part == "mappings":
            self._mappings.append(made)
        else:
            self._keep(part, decimal(made.level) if part == "scale" else made.id, made, None)

    # --- texts -------------------------------------------------------------------------------------------------------

    def text(self, given: Given, *, row: int | None, id: str | None, field: str) -> LocalizedText | None:
        """Return a title; if it shows nothing, record a fault and return None.

        A title of more than 300 characters is cut and reported. `row`, `id` and `field` are the place in the report.
        """
        th, en = given.th(), given.en()
        if not th and not en:
            self.fault("has no visible text", row=row, id=id, field=field)
            return None
        for language, words in (("th", th), ("en", en)):
            if len(words) > TITLE_LIMIT:
                reason = f"has {len(words)} characters; a title takes {TITLE_LIMIT}, the whole is in `description`"
                self.fault(reason, row=row, id=id, field=f"{field}.{language}", verdict="changed")
        return LocalizedText(th=_cut(th, TITLE_LIMIT) or None, en=_cut(en, TITLE_LIMIT) or None)

    def prose(self, given: Given, *, row: int | None, id: str | None, title: Given | None = None) -> Prose | None:
        """Return a description, None if it is empty. A description of more than 5,000 characters is cut and reported.

        If `title` is longer than a title may be, the whole title is put before the description.
        """
        parts = {"th": given.th(), "en": given.en()}
        if title is not None:
            for language, words in (("th", title.th()), ("en", title.en())):
                if len(words) > TITLE_LIMIT and words != parts[language]:
                    parts[language] = f"{words}\n{parts[language]}".strip()
        if not any(parts.values()):
            return None
        for language, words in parts.items():
            if len(words) > PROSE_LIMIT:
                reason = f"has {len(words)} characters; the first {PROSE_LIMIT} are kept"
                self.fault(reason, row=row, id=id, field=f"description.{language}", verdict="changed")
        return Prose(**{language: _cut(words, PROSE_LIMIT) or None for language, words in parts.items()})

    def descriptors(self, level: float, given: Given) -> list[ScaleLevel]:
        """Return the descriptors of a level: one for each line of the text, in each language.

        A line that is longer than a title may be is divided between words. A line that only introduces a list, such as
        `You can:`, is left out and reported.
        """
        found: list[ScaleLevel] = []
        for language, words in (("th", given.th()), ("en", given.en())):
            lines = [line.strip() for line in words.splitlines() if shows_something(line)]
            for line, following in zip_longest(lines, lines[1:], fillvalue=""):
                if line.endswith(":") and following.startswith(_BULLETS):
                    self.not_kept("line that introduces the descriptors of a level", line)
                    continue
                parts = filter(shows_something, _divided(line.lstrip("".join(_BULLETS)).strip()))
                found += [ScaleLevel(level, LocalizedText(**{language: part})) for part in parts]
        return found

    # --- building ----------------------------------------------------------------------------------------------------

    def _titled(self, part: str, raw_id: str, title: Given, row: int | None, more: Mapping[str, Any]) -> None:
        kept = identifier(raw_id)
        if not clean(raw_id):
            self.fault("has no identifier", row=row, field=f"{part}.id")
            return
        if (text := self.text(title, row=row, id=raw_id, field=f"{part}.title")) is None:
            return
        fields: dict[str, Any] = {"id": kept, "title": text}
        if part != "stages":
            description = more.get("description") or Given()
            fields["description"] = self.prose(description, row=row, id=raw_id, title=title)
        fields |= {name: value for name, value in more.items() if name != "description"}
        self._add(part, kept, _SHAPES[part], row, **fields)

    def _add(self, part: str, key: str, shape: Any, row: int | None, **fields: Any) -> None:
        if made := self._made(shape, fields, Fault("untrue" if part == "scale" else "refused", "", row, key)):
            self._keep(part, key, made, row)

    def _keep(self, part: str, key: str, made: Any, row: int | None) -> None:
        before, first = self._parts[part].setdefault(key, (made, row))
        if before is made:
            return
        if before == made:
            self.fault(f"says the same as {_at(first)}", row=row, id=key, verdict="changed")
        else:
            reason = f"the same id as in {_at(first)}, and says otherwise"
            self.fault(reason, row=row, id=key, field=f"{part}.id", verdict="untrue")

    def _made(self, shape: Any, given: Any, at: Fault) -> Any:
        """Return the data converted to a shape, or None if invalid; the fault is recorded at `at`."""
        try:
            return convert(msgspec.to_builtins(given), shape)
        except Problem as problem:
            where = ".".join(part for part in (at.field, problem.field) if part).replace(".[", "[")
            self._note(msgspec.structs.replace(at, reason=problem.detail, field=where or None))
            return None

    def build(self) -> Reading:
        """Check the references between all parts, and return the framework with the report.

        A skill, requirement or relation that names something unknown is left out and reported. Without a job group,
        EVERYBODY is added.
        """
        parts = {name: [made for made, _ in found.values()] for name, found in self._parts.items()}
        scale = sorted(parts["scale"], key=lambda step: step.level)
        known = {name: {one.id for one in parts[name]} for name in ("areas", "skills", "job_groups", "stages")}
        skills = [skill for skill in parts["skills"] if self._has_area(skill, known["areas"])]
        known["skills"] = {skill.id for skill in skills}
        top = scale[-1].level if scale else 0.0
        requirements = [
            made for made, row in self._requirements.values() if self._can_be_required(made, row, known, top)
        ]
        if not parts["job_groups"]:
            parts["job_groups"] = [EVERYBODY]
            self.assume("the file names no job group; one for everybody is made, without requirements")
        whole: dict[str, Any] = {
            **self._head,
            "id": self.options.id or self._head.get("id", ""),
            "title": self.options.title or self._head.get("title"),
            "scale": scale,
            **{name: parts[name] for name in ("areas", "job_groups", "stages")},
            "skills": skills,
            "requirements": requirements,
            "relations": self._valid_relations(known),
            "mappings": self._valid_mappings(known),
        }
        framework = self._whole(whole)
        if self._is_untrue and not self.options.skip_refused:
            framework = None
        not_kept = [NotKept(what, count, examples) for what, (count, examples) in self._not_kept.items()]
        return Reading(framework, self.rows, self._faults, not_kept, self._assumed, self._further_faults)

    def _has_area(self, skill: Skill, areas: Iterable[str]) -> bool:
        if skill.area in areas:
            return True
        _, row = self._parts["skills"][skill.id]
        self.fault(f"unknown area {skill.area!r}", row=row, id=skill.id, field="skills.area")
        return False

    def _can_be_required(self, made: Requirement, row: int | None, known: Mapping[str, set[str]], top: float) -> bool:
        wrong = [
            (name, f"unknown {name.replace('_', ' ')} {value!r}")
            for name, part in (("job_group", "job_groups"), ("skill", "skills"), ("stage", "stages"))
            if (value := getattr(made, name)) is not None and value not in known[part]
        ]
        if made.level > top:
            wrong.append(("level", f"{decimal(made.level)} is above the scale's top, {decimal(top)}"))
        for name, reason in wrong:
            place = " / ".join(value for value in (made.job_group, made.skill, made.stage) if value)
            self.fault(reason, row=row, id=place, field=f"requirements.{name}", verdict="untrue")
        return not wrong

    def _valid_relations(self, known: Mapping[str, set[str]]) -> list[Relation]:
        """Return the relations without dangling ends and cycles; report the cycles."""
        valid: list[Relation] = []
        for relation, row in self._relations.items():
            inside = known["areas" if relation.kind == _CHILD_OF else "skills"]
            ends = [relation.origin] if relation.kind == "exact_match" else [relation.origin, relation.target]
            if missing := [end for end in ends if end not in inside]:
                name = f"{relation.kind}: {relation.origin} → {relation.target}"
                reason = f"{', '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} not there"
                self.fault(reason, row=row, id=name, field="relations")
            else:
                valid.append(relation)
        for kind in (_CHILD_OF, "precedes"):
            valid = self._without_cycles(kind, valid)
        return valid

    def _valid_mappings(self, known: Mapping[str, set[str]]) -> list[VersionMapping]:
        """Return the mappings that fit the framework; report the others: without them a level would not count."""
        present = {"skill": known["skills"], "job_group": known["job_groups"]}
        wrong = dict(mapping_faults(self._mappings, present))
        for i, fault in wrong.items():
            name = f"{self._mappings[i].origin} → {self._mappings[i].target}"
            self.fault(fault.detail, id=name, field=f"mappings[{i}].{fault.field}", verdict="untrue")
        return [row for i, row in enumerate(self._mappings) if i not in wrong]

    def _without_cycles(self, kind: str, relations: list[Relation]) -> list[Relation]:
        for _ in range(_CYCLES):
            if not (cycle := find_cycle((one.origin, one.target) for one in relations if one.kind == kind)):
                return relations
            on_it = set(pairwise(cycle))
            reason = f"`{kind}` is a cycle: {cycle_text(cycle)}; these relations are left out"
            self.fault(reason, field="relations")
            relations = [one for one in relations if one.kind != kind or (one.origin, one.target) not in on_it]
        self.fault(f"`{kind}` has over {_CYCLES} cycles; all these relations are left out", field="relations")
        return [one for one in relations if one.kind != kind]

    def _whole(self, fields: Mapping[str, Any]) -> Framework | None:
        """Return the framework; None, with faults, if a required part is missing."""
        needs = [
            ("id", bool(fields["id"]), "needs an id: the file has none"),
            ("title", fields["title"] is not None, "needs a title: the file has none"),
            ("scale", len(fields["scale"]) > 1, "needs at least two levels"),
            ("areas", bool(fields["areas"]), "there is no area"),
            ("skills", bool(fields["skills"]), "there is no skill"),
        ]
        missing = [(name, reason) for name, there, reason in needs if not there]
        for name, reason in missing:
            self.fault(reason, field=name, verdict="untrue")
        return None if missing else self._made(Framework, fields, Fault("untrue", "", id=str(fields["id"])))


def _at(row: int | None) -> str:
    return "an earlier part" if row is None else f"row {row}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def _divided(words: str) -> Iterable[str]:
    """Split a text into parts not longer than a title, at spaces where possible."""
    while len(words) > TITLE_LIMIT:
        at = words.rfind(" ", 1, TITLE_LIMIT)
        at = at if at > 0 else TITLE_LIMIT
        yield words[:at].rstrip()
        words = words[at:].lstrip()
    yield words
