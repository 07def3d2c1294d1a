"""Keeps the matchers of tenants' frameworks in memory while courses wait to be matched.

    cache = MatcherCache(store, calibration)
    by = await cache.of(tenant)     # the matchers for a tenant's courses
    cache.drop_unused()             # when no course waits

Two tenants use the same matcher for a version of a framework if they have the same examples (courses whose skills in it
are known). One matcher is made at a time. If all matchers together would have too many skills, the matchers of other
tenants are dropped first.
"""

import asyncio
import logging
import time
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from services.catalog.entries import framework_key
from services.catalog.match_store import MatchStore
from services.catalog.matching import Example, Matcher
from services.catalog.matching.calibration import Calibration
from services.catalog.matching.mappings import SkillMappings
from services.catalog.matching.texts import languages
from shared.domain import Framework
from shared.memory import release

log = logging.getLogger(__name__)

Names = Mapping[tuple[str, str], list[str]]
"""{(framework, skill): names of the skill, one for each language}."""

KEEP_SECONDS = 60.0
KEEP_TIMES = 10
"""Matchers are used for a minute, or for this many times as long as it took to make them, if that is longer."""
_KEPT_TENANTS = 8
"""The most tenants whose matchers are kept."""
_KEPT_SKILLS = 20_000
"""The most skills of all kept matchers together; ESCO alone has 13,896."""


class _Version:
    """A version of a framework, and the names of its skills."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework
        self.names = {(framework.id, skill.id): languages(skill.title) for skill in framework.skills}


@dataclass(frozen=True)
class Matchers:
    """The matchers of a tenant, {id of a framework in use: matcher}, and the names and mappings of the skills.

    `versions`: {key: version} of all frameworks that the tenant sees. `seconds`: how long the matchers took to make.
    `until`: the time (of the monotonic clock) after which they are made again, with the examples of then. `retired`:
    the ids of retired frameworks, which have no matcher. `own`: the ids of the tenant's own frameworks. `loaded`: keeps
    the frameworks in memory.
    """

    versions: dict[str, int]
    until: float
    seconds: float
    matchers: dict[str, Matcher]
    names: Names
    mappings: SkillMappings
    retired: frozenset[str]
    own: frozenset[str]
    loaded: tuple[_Version, ...]


class MatcherCache:
    """The matchers of the tenants whose courses were matched last. Only one task at a time may use the cache."""

    def __init__(self, store: MatchStore, calibration: Calibration) -> None:
        self._store = store
        self._calibration = calibration
        self._kept: dict[str, Matchers] = {}
        """The tenants' matchers, those used last at the end."""
        self._versions = WeakValueDictionary[tuple[str, int], _Version]()
        self._matchers = WeakValueDictionary[tuple[str, int, tuple[Example, ...]], Matcher]()

    async def of(self, tenant: str) -> Matchers:
        """Return the matchers for a tenant's courses; make them if a framework changed or they are too old.

        Raises Unavailable.
        """
        versions = await self._store.versions(tenant)
        kept = self._kept.pop(tenant, None)
        if kept is None or kept.versions != versions or time.monotonic() > kept.until:
            begun = time.monotonic()
            for other in [name for name, one in self._kept.items() if _is_outdated(one.versions, versions)]:
                del self._kept[other]
            if kept and _is_outdated(kept.versions, versions):
                kept = None
            kept = await self._made(tenant, versions, begun, kept)
        self._kept[tenant] = kept
        while len(self._kept) > _KEPT_TENANTS:
            self._kept.pop(next(iter(self._kept)))
        return kept

    def drop_unused(self) -> None:
        """Drop the matchers that are so old that they would be made again."""
        for tenant in [name for name, one in self._kept.items() if time.monotonic() > one.until]:
            del self._kept[tenant]

    async def _made(self, tenant: str, versions: dict[str, int], begun: float, before: Matchers | None) -> Matchers:
        """Return the matchers of a tenant; those of `before` and of other tenants are used again if they fit."""
        prefix = framework_key(tenant, "")
        loaded: dict[str, _Version] = {}
        keys: dict[str, tuple[str, int]] = {}
        for key, version in reversed(versions.items()):  # first the tenant's own ones, which hide shared ones
            name = key.partition("/")[2].removeprefix("framework:")
            if name not in loaded and (one := await self._loaded(key, version)) is not None:
                loaded[name], keys[name] = one, (key, version)
        matchers: dict[str, Matcher] = {}
        for name, one in reversed(loaded.items()):
            if one.framework.retired:
                continue
            examples = tuple(Example.of_courses(await self._store.examples(tenant, name), name))
            known = (*keys[name], examples)
            if (matcher := self._matchers.get(known)) is None:
                if before:
                    before.matchers.pop(name, None)
                self._make_room(matchers, len(one.framework.skills))
                try:
                    matcher = await asyncio.to_thread(Matcher, one.framework, examples, self._calibration)
                except Exception:
                    log.exception("no course can be matched to framework %s of %s", name, tenant)
                    continue
                self._matchers[known] = matcher
            matchers[name] = matcher
        await asyncio.to_thread(release)  # making a matcher takes some times the memory that it keeps
        made = time.monotonic()
        frameworks = {name: one.framework for name, one in loaded.items()}
        return Matchers(
            versions=versions,
            until=made + max(KEEP_SECONDS, KEEP_TIMES * (made - begun)),
            seconds=made - begun,
            matchers=matchers,
            names=ChainMap(*(one.names for one in loaded.values())),
            mappings=SkillMappings(frameworks),
            retired=frozenset(name for name, one in frameworks.items() if one.retired),
            own=frozenset(key.removeprefix(prefix) for key in versions if key.startswith(prefix)),
            loaded=tuple(loaded.values()),
        )

    async def _loaded(self, key: str, version: int) -> _Version | None:
        """Return a version of a framework; None if it cannot be read. Raises Unavailable."""
        if (found := self._versions.get((key, version))) is None and (framework := await self._store.framework(key)):
            found = self._versions[key, version] = _Version(framework)
        return found

    def _make_room(self, present: Mapping[str, Matcher], skills: int) -> None:
        """Drop the matchers of other tenants, the longest unused first, until a matcher of `skills` skills fits."""
        while self._kept:
            others = [matcher for one in self._kept.values() for matcher in one.matchers.values()]
            held = {id(matcher): matcher.size for matcher in (*others, *present.values())}
            if sum(held.values()) + skills <= _KEPT_SKILLS:
                break
            del others, held
            self._kept.pop(next(iter(self._kept)))


def _is_outdated(versions: Mapping[str, int], present: Mapping[str, int]) -> bool:
    """Return whether a framework of these versions has another version at present."""
    return any(present.get(key, version) != version for key, version in versions.items())
