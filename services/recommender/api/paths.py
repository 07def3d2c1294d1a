"""An officer's stored path and its past revisions."""

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from services.recommender.api.context import KeptPath, context_of
from services.recommender.api.supervision import check_readable
from services.recommender.planner.explain.path import card_of
from services.recommender.planner.index.catalog import View
from services.recommender.store.documents import Document, PastPath, RunnersUp, event_of, runners_up_of
from services.recommender.store.plans import PlanStore
from shared.decoding import convert
from shared.domain import Framework, LocalizedText, key_of, skills_named
from shared.errors import MissingPath
from shared.events import Cause, PathRecommended
from shared.messages import with_sentences
from shared.paths import Alternative, Coverage, LearningPath, Status
from shared.preconditions import Tag
from shared.routes import (
    REQUEST_ID,
    AskLanguages,
    json_response,
    languages_of,
    not_modified,
    paged,
    principal,
    read_query,
)
from shared.templates import LANGUAGES, TEMPLATES, Language

_RENDERED = 128
"""The most rendered paths in the cache: some 5 MB."""


class Messages(Struct, frozen=True):
    """The templates of sentences: code -> language -> ICU message.

    A `reason` of a path holds `messages`, whose values fill these templates.
    """

    languages: list[Language]
    templates: dict[str, dict[Language, str]]


async def get_messages(request: web.Request) -> web.StreamResponse:
    """Return the templates from which every sentence of a path is rendered.

    Each template is an ICU message, in Thai and English. A `reason` holds `messages`: codes with values. To show paths
    in another language, translate the templates and fill them with any ICU message library. Messages of one reason are
    joined by spaces. Numbers are shown with two decimals at most, or with up to six if the values of a message would
    otherwise look equal or like 0.
    """
    languages = languages_of(request)
    templates = {code: {language: texts[language] for language in languages} for code, texts in TEMPLATES.items()}
    return json_response(Messages(list(languages), templates), languages=languages)


class AskPath(AskLanguages, frozen=True):
    """The languages of the sentences, and whether the answer includes the `context`."""

    context: bool = False


class PathContext(Struct, frozen=True):
    """What a page shows with a path: the officer's weekly hours and a part of the framework.

    The part holds the scale, the officer's job group and stage with their requirements, and the areas and skills that
    the path names; null if the framework has not arrived. `weekly_hours` is null if the profile has none.
    """

    framework: Framework | None
    weekly_hours: float | None


class StoredPath(PathRecommended, frozen=True):
    """An officer's stored path. `stale`: catalog, rules or feedback have changed since, and a new path will follow.

    `context` is present if the request asked for it.
    """

    stale: bool
    request_id: str
    context: PathContext | UnsetType = UNSET


class ListPaths(Struct, frozen=True, forbid_unknown_fields=True):
    """Which revisions to list: at most `limit`, with a `revision` lower than `after`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class PastStep(Struct, frozen=True):
    """One course of a past path, with its title and hours at that time."""

    course: str
    title: LocalizedText
    hours: float


class PathRevision(Struct, frozen=True):
    """A summary of one path of an officer: why and when it was computed, and its figures."""

    revision: int
    cause: Cause
    planned_at: datetime
    status: Status
    coverage: Coverage
    hours: float
    steps: list[PastStep]


class PathRevisions(Struct, frozen=True):
    """Revisions of an officer's path, the newest first.

    `next` is the `after` of the next page, null on the last page.
    """

    officer: str
    paths: list[PathRevision]
    next: int | None


async def list_paths(request: web.Request) -> web.StreamResponse:
    """Return an officer's paths, the newest first: the current one and up to 50 earlier ones.

    Officers can read their own paths only. 404 while the officer has no path.
    """
    wanted = read_query(request, ListPaths)
    tenant, officer = principal(request).tenant, request.match_info["officer_id"]
    found = await context_of(request).store.history.page(key_of(tenant, officer), wanted.after, wanted.limit + 1)
    if found is None:
        raise MissingPath("there is no path for this officer yet")
    page, following = paged(found, wanted.limit, lambda event: event.revision)
    return json_response(PathRevisions(officer, [_revision_of(event) for event in page], following))


def _revision_of(past: PastPath) -> PathRevision:
    path, whole = past.path, past.path.coverage
    coverage = Coverage(whole.before, whole.after, whole.gap, whole.gained, whole.expected)
    steps = [PastStep(step.course, LocalizedText(*step.title), step.hours) for step in path.steps]
    return PathRevision(past.revision, past.cause, past.planned_at, path.status, coverage, path.hours, steps)


async def get_path(request: web.Request) -> web.StreamResponse:
    """Return the learning path of an officer, as it is stored and was last pushed.

    This route never plans. 404 while the officer has no path: follow the portal's live stream to receive it. Officers
    can read their own paths only. A supervisor can read the paths of the own agency that officers share, or all of them
    if the tenant's policy permits; the key of a share link opens the path of its officer. `context` adds the names and
    the weekly hours that a page shows with the path, for callers that can read neither the framework nor the profile.
    """
    given = request.query.get("context")  # most requests have no query, and converting one takes time
    requested = AskPath() if given is None else convert({"context": given}, AskPath, strict=False)
    routes, languages = context_of(request), languages_of(request)
    store, catalog = routes.store, routes.catalog
    tenant, officer = principal(request).tenant, request.match_info["officer_id"]
    await check_readable(request, officer)
    key = key_of(tenant, officer)
    rendered, name = routes.rendered, (key, languages)
    kept, revision = rendered.get(name), catalog.revision
    if requested.context or (kept and kept.catalog_revision != revision):
        kept = None
    found = await store.find_path(tenant, officer, kept.version if kept else None)
    if found is None:
        raise MissingPath("there is no path for this officer yet")
    plan = found.head
    if plan.considered < catalog.revision:  # only an older plan is compared with the changes of courses
        plan = (await store.heads([key])).get(key, plan)
    stale = (
        plan.revision != found.version.revision  # replaced since it was read
        or catalog.is_stale(plan)
        or plan.rules < store.rules.versions.get(plan.tenant, 0)
    )
    # Weak, because every answer carries the id of its request.
    parts = [str(found.version.revision), *(["stale"] if stale else []), *(languages if languages != LANGUAGES else ())]
    context = None
    if requested.context:
        view = catalog.snapshot.view(tenant)
        context = await _context(store, tenant, officer, event_of(found.document).path, view)
        parts.append(f"{context.framework.version if context.framework else 'none'}-{context.weekly_hours}")
    tag = Tag("-".join(parts), weak=True)
    if unchanged := not_modified(request, tag):
        return unchanged
    if kept is None or found.document:
        body = _rendered(found.document, languages, catalog.snapshot.view(tenant))
        kept = KeptPath(found.version, revision, body)
        if name not in rendered and len(rendered) >= _RENDERED:
            del rendered[next(iter(rendered))]
        rendered[name] = kept
    shown = b',"context":' + msgspec.json.encode(context) if context else b""
    last = f',"stale":{"true" if stale else "false"},"request_id":"{request[REQUEST_ID]}"}}'
    return json_response(b"".join((kept.body, shown, last.encode())), tag=tag, languages=languages)


async def _context(store: PlanStore, tenant: str, officer: str, path: LearningPath, view: View) -> PathContext:
    """Return the context of a path. Raises Unavailable."""
    found, framework = await store.find(tenant, officer), view.framework(path.framework)
    weekly_hours = found.profile.weekly_hours if found else None
    return PathContext(framework and part_of(framework, path), weekly_hours)


def part_of(framework: Framework, path: LearningPath) -> Framework:
    """Return the part of a framework that a path names, without other job groups, stages, skills and areas.

    The skills are those required, those that a step closes, and those in a course's conditions; without their
    descriptions.
    """
    required = framework.required(path.job_group, path.stage).values()
    named = {row.skill for row in required} | {closed.skill for step in path.steps for closed in step.closes}
    named |= {skill for step in path.steps for owner, skill in skills_named(step.requires) if owner == framework.id}
    skills = framework.in_order(named)
    areas = {skill.area for skill in skills}
    return replace(
        framework,
        skills=[replace(skill, synonyms=[], descriptors=[], description=None, provenance={}) for skill in skills],
        areas=[area for area in framework.areas if area.id in areas],
        job_groups=[group for group in framework.job_groups if group.id == path.job_group],
        stages=[stage for stage in framework.stages if stage.id == path.stage],
        requirements=list(required),
        relations=[],
        mappings=[],
    )


def _rendered(stored: Document, languages: tuple[Language, ...], view: View) -> bytes:
    """Return a path as JSON with its sentences and alternatives, without the closing bracket."""
    event = event_of(stored)
    steps = [
        replace(step, alternatives=_alternatives(others, view))
        for step, others in zip(event.path.steps, runners_up_of(stored), strict=True)
    ]
    return msgspec.json.encode(replace(event, path=with_sentences(replace(event.path, steps=steps), languages)))[:-1]


def _alternatives(runners_up: RunnersUp, view: View) -> list[Alternative]:
    """Return the runners-up to show, without withdrawn courses."""
    courses = [(view.course(name), score) for name, score in runners_up]
    return [Alternative(card_of(course), score) for course, score in courses if course]
