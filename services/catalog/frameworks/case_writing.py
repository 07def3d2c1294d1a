"""Writes a framework as a 1EdTech CASE package, 1.0 or 1.1.

Data for which CASE has no field are in `extensions`, which 1.1 allows; in 1.0 they are left out and reported.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from services.catalog.frameworks.builder import EVERYBODY
from services.catalog.frameworks.case import AREA, CHILD, EXTENSION, JOB_GROUP, SKILL
from services.catalog.frameworks.report import NotKept, not_held
from services.catalog.frameworks.texts import Given, decimal, escaped, plain
from shared.domain import Framework, LocalizedText, Prose

_EXTENDED = (
    "id", "title", "version", "description", "provenance", "retired", "scale", "stages", "requirements", "mappings",
)  # fmt: skip


def write(framework: Framework, version: str, at: datetime) -> tuple[bytes, list[NotKept]]:
    """Return a framework as a package of CASE in a version, and the data that this version cannot hold.

    `version`: `1.0` or `1.1`. `at`: the time of the last change.
    """
    return _Written(framework, extended=version != "1.0", at=at).package()


class _Written:
    def __init__(self, framework: Framework, *, extended: bool, at: datetime) -> None:
        self._framework = framework
        self._extended = extended
        self._at = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._root = self._identifier("document", framework.id)
        self._links: list[dict[str, Any]] = []
        self._titles: dict[str, str] = {self._root: plain(framework.title)}
        self._numbers: dict[str, int] = {}

    def package(self) -> tuple[bytes, list[NotKept]]:
        framework = self._framework
        areas = {area.id: self._identifier("area", area.id) for area in framework.areas}
        skills = {skill.id: self._identifier("skill", skill.id) for skill in framework.skills}
        within = {one.origin: one.target for one in framework.relations if one.kind == "child_of"}
        items = [self._item(areas[area.id], AREA, area) for area in framework.areas]
        items += [self._item(skills[skill.id], SKILL, skill) for skill in framework.skills]
        for area in framework.areas:
            self._link(CHILD, areas[area.id], areas[within[area.id]] if area.id in within else self._root)
        for skill in framework.skills:
            self._link(CHILD, skills[skill.id], areas[skill.area])
        for group in framework.job_groups:
            if group != EVERYBODY:
                name = self._identifier("job_group", group.id)
                items.append(self._item(name, JOB_GROUP, group))
                self._link(CHILD, name, self._root)
        for one in framework.relations:
            if one.kind == "precedes":
                self._link("precedes", skills[one.origin], skills[one.target])
            elif one.kind == "exact_match":
                self._link("exactMatchOf", skills[one.origin], skills.get(one.target, one.target))
        package = {
            "CFDocument": self._document(),
            "CFItems": items,
            "CFAssociations": self._links,
            "CFRubrics": [self._scale()],
        }
        return msgspec.json.format(msgspec.json.encode(package), indent=2) + b"\n", self._not_held()

    def _identifier(self, kind: str, name: str) -> str:
        try:
            if str(UUID(name)) == name:
                return name
        except ValueError:
            pass
        return str(uuid5(NAMESPACE_URL, f"{self._framework.id}/{kind}/{name}"))

    def _document(self) -> dict[str, Any]:
        framework = self._framework
        document = {
            "identifier": self._root,
            "uri": f"urn:uuid:{self._root}",
            "lastChangeDateTime": self._at,
            "creator": framework.id,
            "title": escaped(plain(framework.title)),
        }
        if framework.description:
            document["description"] = escaped(plain(framework.description))
        if not self._extended:
            return document
        kept = {name: value for name in _EXTENDED if (value := getattr(framework, name))}
        return {**document, "caseVersion": "1.1", "extensions": {EXTENSION: kept}}

    def _item(self, name: str, kind: str, part: Any) -> dict[str, Any]:
        self._titles[name] = plain(part.title)
        item: dict[str, Any] = {
            "identifier": name,
            "uri": f"urn:uuid:{name}",
            "CFDocumentURI": self._node(self._root),
            "lastChangeDateTime": self._at,
            "CFItemType": kind,
            "fullStatement": escaped(plain(part.title)),
        }
        if part.title.en and part.title.th and Given(part.title.th).th() and not Given(part.title.en).th():
            item["alternativeLabel"] = escaped(part.title.th)
        if part.description:
            item["notes"] = escaped(plain(part.description))
        if getattr(part, "code", None):
            item["humanCodingScheme"] = escaped(part.code)
        if getattr(part, "synonyms", None):
            item["conceptKeywords"] = [escaped(words) for one in part.synonyms for words in (one.th, one.en) if words]
        if self._extended:
            names = ("id", "title", "description", "code", "synonyms", "descriptors", "provenance")
            kept = {field: value for field in names if (value := getattr(part, field, None))}
            item["extensions"] = {EXTENSION: kept}
        return item

    def _node(self, name: str) -> dict[str, str]:
        inside = name in self._titles
        return {
            "title": self._titles.get(name, name),
            "identifier": name if inside else str(uuid5(NAMESPACE_URL, name)),
            "uri": f"urn:uuid:{name}" if inside else name,
        }

    def _link(self, kind: str, origin: str, destination: str) -> None:
        name = str(uuid5(NAMESPACE_URL, f"{self._root}/{kind}/{origin}/{destination}"))
        link: dict[str, Any] = {
            "identifier": name,
            "uri": f"urn:uuid:{name}",
            "CFDocumentURI": self._node(self._root),
            "lastChangeDateTime": self._at,
            "associationType": kind,
            "originNodeURI": self._node(origin),
            "destinationNodeURI": self._node(destination),
        }
        if kind == CHILD:
            self._numbers[destination] = link["sequenceNumber"] = self._numbers.get(destination, 0) + 1
        self._links.append(link)

    def _scale(self) -> dict[str, Any]:
        """Return the scale as a rubric of one criterion."""
        rubric, criterion = (str(uuid5(NAMESPACE_URL, f"{self._root}/{name}")) for name in ("rubric", "criterion"))
        levels: list[dict[str, Any]] = []
        for i, step in enumerate(self._framework.scale, 1):
            name = str(uuid5(NAMESPACE_URL, f"{rubric}/{i}"))
            levels.append({
                "identifier": name, "uri": f"urn:uuid:{name}", "lastChangeDateTime": self._at,
                "rubricCriterionId": criterion, "position": i, "score": step.level,
                "quality": escaped(plain(step.title)),
            })  # fmt: skip
        common = {"lastChangeDateTime": self._at}
        criteria = {
            "identifier": criterion, "uri": f"urn:uuid:{criterion}", "rubricId": rubric, "position": 1,
            "category": "scale", "CFRubricCriterionLevels": levels, **common,
        }  # fmt: skip
        return {
            "identifier": rubric, "uri": f"urn:uuid:{rubric}", "title": "Scale", "CFRubricCriteria": [criteria],
            **common,
        }  # fmt: skip

    def _not_held(self) -> list[NotKept]:
        if self._extended:
            return []
        framework = self._framework
        parts: list[Any] = [*framework.areas, *framework.skills, *framework.job_groups]
        every: list[Any] = [framework, *parts]
        found = [
            ("id that is no UUID", [one.id for one in parts if self._identifier("", one.id) != one.id]),
            ("requirement", [f"{one.job_group} / {one.skill}" for one in framework.requirements]),
            ("stage", [one.id for one in framework.stages]),
            ("mapping", [f"{one.origin} → {one.target}" for one in framework.mappings]),
            ("level of a skill in words", [skill.id for skill in framework.skills if skill.descriptors]),
            ("provenance", [one.id for one in every if one.provenance]),
            ("second language", [one.id for one in every if one.description and _both(one.description)]),
            ("second language of a level", [decimal(one.level) for one in framework.scale if _both(one.title)]),
            ("second language of the title", [framework.id] if _both(framework.title) else []),
        ]
        return not_held(found)


def _both(text: LocalizedText | Prose) -> bool:
    return bool(text.en and text.th)
