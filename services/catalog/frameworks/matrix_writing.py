"""Writes a framework as a long CSV table of requirements, which `matrix` reads."""

from collections.abc import Iterable
from typing import Any

from services.catalog.frameworks.report import NotKept, not_held
from services.catalog.frameworks.tables import table
from services.catalog.frameworks.texts import decimal
from shared.domain import Framework, LocalizedText, Prose

_COLUMNS = (
    *(f"{name}_{part}" for name in ("job_group", "stage", "area", "skill") for part in ("id", "th", "en")),
    "skill_code", "level", "level_th", "level_en", "weight",
)  # fmt: skip


def write(framework: Framework) -> tuple[bytes, list[NotKept]]:
    """Return a framework as a long table, and the data that the table cannot hold."""
    rows: list[dict[str, Any]] = [
        {"level": decimal(step.level), **_titles("level", step.title)} for step in framework.scale
    ]
    named = {
        name: {one.id: {f"{name}_id": one.id, **_titles(name, one.title)} for one in found}
        for name, found in (
            ("area", framework.areas),
            ("stage", framework.stages),
            ("job_group", framework.job_groups),
        )
    }
    rows += [cells for found in named.values() for cells in found.values()]
    skills: dict[str, dict[str, Any]] = {
        skill.id: {
            "skill_id": skill.id,
            "skill_code": skill.code,
            **_titles("skill", skill.title),
            **named["area"].get(skill.area, {"area_id": skill.area}),
        }
        for skill in framework.skills
    }
    rows += skills.values()
    for row in framework.requirements:
        stage = named["stage"][row.stage] if row.stage else {}
        level = {"level": decimal(row.level), "weight": decimal(row.weight)}
        rows.append({**named["job_group"][row.job_group], **skills[row.skill], **stage, **level})
    cells = [[row.get(name) for name in _COLUMNS] for row in rows]
    return table(_COLUMNS, cells, safe=True), _not_held(framework)


def _titles(name: str, text: LocalizedText | Prose) -> dict[str, str | None]:
    return {f"{name}_th": text.th, f"{name}_en": text.en}


def _not_held(framework: Framework) -> list[NotKept]:
    parts: list[tuple[str, Iterable[str]]] = [
        ("id, title or description of the framework", [framework.id]),
        ("description", [one.id for one in _described(framework) if one.description]),
        ("descriptor", [skill.id for skill in framework.skills for _ in skill.descriptors]),
        ("synonym", [skill.id for skill in framework.skills for _ in skill.synonyms]),
        ("relation", [f"{one.origin} → {one.target}" for one in framework.relations]),
        ("mapping", [f"{one.origin} → {one.target}" for one in framework.mappings]),
        ("provenance", [one.id for one in (framework, *_described(framework)) if one.provenance]),
        (
            "provenance of a requirement",
            [f"{one.job_group} / {one.skill}" for one in framework.requirements if one.provenance],
        ),
    ]
    return not_held(parts)


def _described(framework: Framework) -> list[Any]:
    return [*framework.areas, *framework.skills, *framework.job_groups]
