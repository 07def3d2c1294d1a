"""How many officers' paths leave each skill open: whom a newly confirmed match of the skill could help."""

import asyncio

from aiohttp import web
from msgspec import Struct

from services.recommender.api.context import context_of, view_of
from services.recommender.disclosure import rounded_down
from services.recommender.planner.index.catalog import View
from shared.routes import json_response, principal

_SKILLS = 1000
"""The most skills that are counted."""


class OpenSkill(Struct, frozen=True):
    """A skill that the paths of at least this number of `officers` leave below the requirement."""

    framework: str
    skill: str
    officers: int


class OpenSkills(Struct, frozen=True):
    """Skills that paths leave open; those that most officers lack come first.

    Counts are rounded down to multiples of `min_group`; a skill that fewer officers lack is left out.
    """

    skills: list[OpenSkill]
    min_group: int


async def list_open_skills(request: web.Request) -> web.StreamResponse:
    """Return the skills that paths of the caller's tenant leave open, with the number of officers.

    For admins and editors. These paths are planned again once a course that teaches the skill is published or changed.
    At most 1,000 required skills are counted.
    """
    tenant, context = principal(request).tenant, context_of(request)
    store, smallest = context.store, context.settings.min_group_size
    names = required_skills(view_of(request))[:_SKILLS]
    counts = await asyncio.gather(*(store.count_open(tenant, *name) for name in names))
    skills = [
        OpenSkill(*name, officers)
        for name, count in zip(names, counts, strict=True)
        if (officers := rounded_down(count, smallest))
    ]
    return json_response(
        OpenSkills(sorted(skills, key=lambda one: (-one.officers, one.framework, one.skill)), smallest)
    )


def required_skills(view: View) -> list[tuple[str, str]]:
    """Return (framework, skill) of all skills that any job group requires, in order; paths leave only these open."""
    return sorted({(name, row.skill) for name, one in view.frameworks.items() for row in one.requirements})
