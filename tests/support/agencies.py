"""Agencies whose officers have paths, for the tests of the figures of an agency."""

import asyncio

from tests.support.builders import unique
from tests.support.platform import Officer, Platform, required


async def agency_of(platform: Platform, **job_groups: int) -> tuple[str, list[Officer]]:
    """Return the id of a new agency and its officers: for each job group as many as stated, all with a path."""
    name = unique("agency")
    officers = [(Officer(platform), group) for group, number in job_groups.items() for _ in range(number)]

    async def joins(officer: Officer, group: str, share: float) -> None:
        await officer.register(agency=name, job_group=group)
        await officer.assess(required(share))
        await officer.is_planned()

    await asyncio.gather(*(joins(officer, group, 0.3 if group == "technology" else 0.6) for officer, group in officers))
    return name, [officer for officer, _ in officers]
