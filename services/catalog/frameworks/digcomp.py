"""Reads and writes the JSON-LD of DigComp 3.0: areas, competences, eight proficiency levels, and statements on them.

A competence becomes a skill. Its statements and learning outcomes become descriptors of the level for which they are
written. A statement for one of the four broad levels becomes a descriptor of the higher of the two levels in it. A
`@context` is never fetched: terms are recognised by the last part of their name.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from services.catalog.frameworks.builder import EVERYBODY, Builder
from services.catalog.frameworks.own import json_of
from services.catalog.frameworks.report import NotKept, Options, Reading, not_held
from services.catalog.frameworks.tables import Source
from services.catalog.frameworks.texts import Given, decimal, escaped, identifier
from shared.domain import Framework, LocalizedText, Prose, ScaleLevel
from shared.errors import InvalidInput

_ID, _TITLE = "digcomp-3.0", LocalizedText(en="DigComp 3.0: the European Digital Competence Framework")
_LEVELS = ("Basic", "Intermediate", "Advanced", "Highly advanced")
_READ = {
    "CompetenceArea": ("name", "description"),
    "Competence": ("name", "description", "competence_area_id"),
    "ProficiencyLevel": ("name", "four_levels_name", "eight_levels_mapping"),
    "LearningOutcome": (
        "description",
        "competence_id",
        "competence_area_id",
        "four_levels_proficiency_name",
        "level_id",
    ),
}
_READ["CompetenceStatement"] = _READ["LearningOutcome"]


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework of a JSON-LD document, the only file, with a report.

    Raises Malformed, TooLarge; InvalidInput if it holds no competence.
    """
    builder = Builder(options)
    found = _by_kind(json_of(sources, builder), builder)
    if not found["Competence"]:
        raise InvalidInput("holds no node of type Competence: no DigComp 3.0 document", "@graph")
    for name, node in found["CompetenceArea"]:
        builder.area(_last(name), _given(node.get("name")), description=_given(node.get("description")))
    levels = _take_levels(builder, found["ProficiencyLevel"])
    descriptors: dict[str, list[ScaleLevel]] = {_last(name): [] for name, _ in found["Competence"]}
    for name, node in (*found["LearningOutcome"], *found["CompetenceStatement"]):
        _take_statement(builder, name, node, levels, descriptors)
    for name, node in found["Competence"]:
        area = _last(_reference(node.get("competence_area_id")))
        if not area:
            builder.fault("has no area", id=name, field="competence_area_id", verdict="untrue")
            continue
        builder.skill(
            _last(name),
            _given(node.get("name")),
            area=area,
            description=_given(node.get("description")),
            descriptors=sorted(descriptors[_last(name)], key=lambda one: one.level),
        )
    if not options.id:
        builder.assume(f"the document names no framework; it is called {_ID}")
    builder.head(id=_ID, title=_TITLE)
    return builder.build()


def _by_kind(given: object, builder: Builder) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Return the nodes of each known kind, with their names."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {name: [] for name in _READ}
    for node in _nodes(given, builder):
        builder.rows += 1
        kind, name = _kind(node), str(node.get("@id", ""))
        if kind not in found:
            builder.not_kept(f"node of type {kind or 'none'}", name)
        elif not _last(name):
            builder.fault("has no @id", id=f"node {builder.rows}", field="@id", verdict="untrue")
        else:
            found[kind].append((name, node))
            for field, value in node.items():
                if field not in _READ[kind] and not field.startswith("@"):
                    builder.not_kept(f"{kind}.{field}", f"{name}: {value}")
    return found


def _nodes(given: Any, builder: Builder) -> Iterable[dict[str, Any]]:
    if isinstance(given, dict) and "@context" in given:
        contexts = given["@context"] if isinstance(given["@context"], list) else [given["@context"]]
        for one in contexts:
            if isinstance(one, str):
                builder.assume(f"@context {one[:200]} is not fetched; the terms are taken as those of DigComp 3.0")
    graph = given.get("@graph", [given]) if isinstance(given, dict) else given
    for i, node in enumerate(graph if isinstance(graph, list) else [graph]):
        if isinstance(node, dict):
            keywords = {name: node[name] for name in ("@id", "@type") if name in node}
            yield {_term(str(name)): value for name, value in node.items()} | keywords
        else:
            builder.fault("is no node", id=f"@graph[{i}]", field=f"@graph[{i}]")


def _term(name: str) -> str:
    """Return the name of a property without its prefix or address; `id` and `type` are keywords in many contexts."""
    return {"id": "@id", "type": "@type"}.get(name) or (name if name.startswith("@") else re.split(r"[/#:]", name)[-1])


def _take_levels(builder: Builder, nodes: list[tuple[str, dict[str, Any]]]) -> dict[str, float]:
    """Pass the scale to the builder; return the number of each level and of each group of four levels, by name."""
    levels: dict[str, float] = {}
    fours = [_given(node.get("four_levels_name")).en() for _, node in nodes]
    for name, node in nodes:
        number = node.get("eight_levels_mapping")
        if not isinstance(number, int | float) or isinstance(number, bool):
            builder.fault("has no number", id=name, field="eight_levels_mapping", verdict="untrue")
            continue
        four = _given(node.get("four_levels_name"))
        title = _given(node.get("name")) if "name" in node else four
        if "name" not in node and fours.count(four.en()) > 1:
            title = Given(f"{four.en() or four.th()} {decimal(number)}")
        builder.level(float(number), title)
        levels[_last(name)] = float(number)
        for language in (four.en(), four.th()):
            if language:
                levels[language] = max(levels.get(language, 0.0), float(number))
    if not nodes:
        builder.assume(f"the document names no levels; they are, by twos from 1 on: {', '.join(_LEVELS)}")
        for i in range(1, 9):
            builder.level(float(i), Given(f"{_LEVELS[(i - 1) // 2]} {i}"))
        levels = {name: 2.0 * i for i, name in enumerate(_LEVELS, 1)}
    if not builder.has("scale", "0"):
        builder.level(0.0, Given("", {"th": "ไม่มี", "en": "None"}))
    return levels


def _take_statement(
    builder: Builder,
    name: str,
    node: Mapping[str, Any],
    levels: Mapping[str, float],
    descriptors: dict[str, list[ScaleLevel]],
) -> None:
    skill = _last(_reference(node.get("competence_id")))
    level_name = _last(_reference(node.get("level_id") or node.get("four_levels_proficiency_name")))
    words = _given(node.get("description"))
    if skill not in descriptors:
        builder.fault(f"unknown competence {skill!r}", id=name, field="competence_id")
    elif level_name not in levels:
        builder.fault(f"unknown level {level_name!r}", id=name, field="four_levels_proficiency_name")
    elif not (words.th() or words.en()):
        builder.fault("has no visible text", id=name, field="description")
    else:
        new = [
            one for one in _distinct(builder.descriptors(levels[level_name], words)) if one not in descriptors[skill]
        ]
        if not new:
            builder.not_kept(f"{_kind(node)} that says the same as another one", name)
        descriptors[skill] += new


def _distinct(steps: list[ScaleLevel]) -> list[ScaleLevel]:
    return [one for i, one in enumerate(steps) if one not in steps[:i]]


def _kind(node: Mapping[str, Any]) -> str:
    given = node.get("@type", "")
    names = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    kinds = [re.split(r"[/#:]", name)[-1] for name in names]
    return next((kind for kind in kinds if kind in _READ), kinds[0] if kinds else "")


def _last(name: str) -> str:
    """Return an identifier from the last part of a node's name: `Competence/1.1` is 1.1."""
    last = re.split(r"[/#]", name)[-1]
    return last if last in _LEVELS else identifier(last) if last and not last.isspace() and " " not in last else last


def _reference(given: Any) -> str:
    if isinstance(given, list):
        given = given[0] if given else ""
    return str(given.get("@id") or given.get("id", "")) if isinstance(given, dict) else str(given or "")


def _given(value: Any) -> Given:
    """Return a text from a string, a value with a language, a map of languages, or a list of these."""
    if isinstance(value, str):
        return Given(value)
    if isinstance(value, list):
        parts = [_given(one) for one in value]
        return Given(
            next((one.text for one in parts if one.text), ""),
            {language: words for one in reversed(parts) for language, words in one.by_language.items()},
        )
    if isinstance(value, dict) and isinstance(value.get("@value"), str):
        language = str(value.get("@language", "")).partition("-")[0].lower()
        return Given("", {language: value["@value"]}) if language else Given(value["@value"])
    if isinstance(value, dict):
        return Given(
            "", {str(key).partition("-")[0].lower(): words for key, words in value.items() if isinstance(words, str)}
        )
    return Given()


# --- writing ---------------------------------------------------------------------------------------------------------


def write(framework: Framework) -> tuple[bytes, list[NotKept]]:
    """Return a framework as JSON-LD with the terms of DigComp 3.0, and the data for which it has no term."""
    graph = [
        _node("CompetenceArea", area.id, name=area.title, description=area.description) for area in framework.areas
    ]
    for skill in framework.skills:
        node = _node("Competence", skill.id, name=skill.title, description=skill.description)
        graph.append({**node, "competence_area_id": f"CompetenceArea/{skill.area}"})
    names = {step.level: f"level-{decimal(step.level)}" for step in framework.scale}
    for step in framework.scale:
        title = step.title.en or step.title.th or ""
        numbered = re.fullmatch(rf"(.+) {decimal(step.level)}", title)
        node = _node("ProficiencyLevel", names[step.level], name=step.title)
        graph.append(
            {**node, "four_levels_name": numbered[1] if numbered else title, "eight_levels_mapping": step.level}
        )
    lost = 0
    for skill in framework.skills:
        for i, one in enumerate(skill.descriptors, 1):
            if one.level not in names:
                lost += 1
                continue
            node = _node("LearningOutcome", f"{skill.id}.{i:02}", description=one.title)
            reference = {
                "competence_id": f"Competence/{skill.id}",
                "competence_area_id": f"CompetenceArea/{skill.area}",
            }
            graph.append({**node, **reference, "level_id": f"ProficiencyLevel/{names[one.level]}"})
    context = {name: name for name in _READ}
    document = {"@context": context, "@graph": graph}
    parts: list[Any] = [*framework.areas, *framework.skills, *framework.job_groups]
    found = [
        ("id, title or description of the framework", [framework.id]),
        ("job group", [group.id for group in framework.job_groups if group != EVERYBODY]),
        ("requirement", [f"{one.job_group} / {one.skill}" for one in framework.requirements]),
        ("stage", [one.id for one in framework.stages]),
        ("relation", [f"{one.origin} → {one.target}" for one in framework.relations]),
        ("mapping", [f"{one.origin} → {one.target}" for one in framework.mappings]),
        ("code or synonym", [one.id for one in framework.skills if one.code or one.synonyms]),
        ("provenance", [one.id for one in (framework, *parts) if one.provenance]),
        ("descriptor outside the scale", [""] * lost),
    ]
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n", not_held(found)


def _node(kind: str, last: str, **texts: LocalizedText | Prose | None) -> dict[str, Any]:
    return {"@type": kind, "@id": f"{kind}/{last}", **{field: _value(text) for field, text in texts.items() if text}}


def _value(text: LocalizedText | Prose) -> Any:
    """Return an English text alone as a string, other texts with their languages."""
    if text.th is None and text.en is not None and not Given(text.en).th():
        return escaped(text.en)
    return [
        {"@value": escaped(words), "@language": name} for name, words in (("th", text.th), ("en", text.en)) if words
    ]
