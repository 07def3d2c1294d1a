"""Statements of xAPI 1.0.3 and 2.0.0 (IEEE 9274.1.1): the parts that are read, and the checks. Pure."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID, uuid4, uuid5

import msgspec
from msgspec import Meta, Struct

from services.assessment.scoring import CLOCK_SKEW
from shared.decoding import convert
from shared.domain import Identifier
from shared.errors import Forbidden, InvalidInput, Malformed, TooLarge
from shared.events import EARLIEST

VERSIONS = ("1.0.3", "2.0.0")
"""The supported versions, as `GET /xapi/about` lists them."""

XAPI_VERSION = re.compile(r"(?P<major>[12])\.0(\.\d{1,4})?")
"""The accepted versions; a patch version does not change what a statement holds."""

MOST_STATEMENTS = 10_000
"""How many statements one request may hold."""

STATEMENT_LIMIT = 262_144
"""How many bytes of JSON one statement may hold: MongoDB keeps no document over 16 MB."""

Verb = Literal["passed", "failed", "completed", "scored"]
VERBS: dict[str, Verb] = {f"http://adlnet.gov/expapi/verbs/{verb}": verb for verb in get_args(Verb)}
"""The verbs that can give evidence of a level; statements with other verbs are stored and counted."""

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
"""The verb of a voiding statement, which is refused: accepted evidence is never removed (decision 0058)."""

Iri = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$(?!\n)", max_length=2000)]

_SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"
_NO_OFFSET = re.compile(r"-00:?(00)?$")
_NAMESPACE = UUID("2f3de4b2-6a07-5c1c-9f6e-0a3a1f6c7d11")
_NOT_COMPARED = ("id", "stored", "authority", "version")


class Account(Struct):
    """An account of the system at `homePage`; `name` is the officer's id."""

    homePage: Iri  # noqa: N815 - as xAPI spells it
    name: str


class Actor(Struct):
    """The person whom a statement is about; only an agent with an account can be an officer."""

    objectType: Literal["Agent", "Group"] = "Agent"  # noqa: N815 - the standard's own name
    account: Account | None = None
    mbox: str | None = None
    mbox_sha1sum: str | None = None
    openid: str | None = None


class VerbId(Struct):
    """The verb of a statement."""

    id: Iri


class ActivityObject(Struct):
    """The object of a statement; only activities can be mapped."""

    id: Annotated[str, Meta(max_length=2000)] | None = None
    objectType: Literal["Activity", "Agent", "Group", "SubStatement", "StatementRef"] = "Activity"  # noqa: N815 - the standard's own name


class Score(Struct):
    """A score: `scaled` from -1 to 1, or `raw` between `min` and `max`."""

    scaled: Annotated[float, Meta(ge=-1, le=1)] | None = None
    raw: float | None = None
    min: float | None = None
    max: float | None = None


class ActivityResult(Struct):
    """The result of a statement."""

    score: Score | None = None
    success: bool | None = None
    completion: bool | None = None


class Statement(Struct, forbid_unknown_fields=True):
    """A statement of xAPI: an officer, a verb and an activity, with a result. Unused parts are stored unchanged."""

    actor: Actor
    verb: VerbId
    object: ActivityObject
    id: UUID | None = None
    result: ActivityResult | None = None
    context: dict[str, Any] | None = None
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    stored: str | None = None
    authority: dict[str, Any] | None = None
    version: str | None = None
    attachments: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class ReceivedStatement:
    """A valid statement. `content`: as received, with its id.

    `digest` identifies what of it is compared with another statement of its id.
    """

    id: str
    officer: str
    home_page: str
    statement: Statement
    content: Mapping[str, Any]
    digest: str
    taken_at: datetime


def read_statement(given: object, place: str, now: datetime) -> ReceivedStatement:
    """Check a statement of a request and return it; `place` is the statement's place in the request, as `[3]`.

    Raises Malformed naming the field, with the prefix `place`; Forbidden for a voiding statement; TooLarge.

    A statement without an id but with a timestamp gets an id derived from its content, so that a repeated statement is
    detected.
    """
    try:
        statement = convert(given, Statement)
    except InvalidInput as problem:
        raise Malformed(problem.detail, _at(place, problem.field or "")) from problem
    if not isinstance(given, dict):
        raise Malformed("a statement is an object", place or None)
    if statement.verb.id == VOIDED:
        raise Forbidden("statements cannot be voided: evidence that was accepted stays", _at(place, "verb.id"))
    account = _account(statement.actor, place)
    if statement.object.objectType == "Activity":
        _check_activity(statement.object, place)
    _check_score(statement.result, place)
    _check_attachments(statement.attachments or [], place)
    if statement.version is not None and not XAPI_VERSION.fullmatch(statement.version):
        raise Malformed("is no version of xAPI that is taken: 1.0.x, 2.0.x", _at(place, "version"))
    if _NO_OFFSET.search(str(given.get("timestamp") or "")[-6:]):
        raise Malformed("says with -00:00 that its zone is not known", _at(place, "timestamp"))
    taken_at = statement.timestamp or now
    if taken_at > now + CLOCK_SKEW:
        raise Malformed("is in the future", _at(place, "timestamp"))
    if taken_at < EARLIEST:
        raise Malformed("is before the year 1900", _at(place, "timestamp"))
    compared = {name: value for name, value in given.items() if name not in _NOT_COMPARED}
    canonical = msgspec.json.encode(compared, order="sorted")
    if len(canonical) > STATEMENT_LIMIT:
        raise TooLarge(f"a statement may hold {STATEMENT_LIMIT} bytes", place or None)
    named = statement.id or (uuid5(_NAMESPACE, canonical.decode()) if statement.timestamp else uuid4())
    return ReceivedStatement(
        id=str(named),
        officer=account.name,
        home_page=account.homePage,
        statement=statement,
        content={**given, "id": str(named)},
        digest=hashlib.sha256(msgspec.json.encode(_compared(compared, statement), order="sorted")).hexdigest(),
        taken_at=taken_at,
    )


def _compared(sent: Mapping[str, Any], statement: Statement) -> dict[str, Any]:
    """Return what of a statement is compared, from the fields that were sent without those that a store assigns.

    xAPI (part 2, 2.3.1) has no definition of an activity, no display of a verb and no form of a timestamp in it: a
    platform may name them otherwise when it sends the same statement again.
    """
    found = dict(sent)
    if statement.timestamp is not None:
        found["timestamp"] = statement.timestamp.astimezone(UTC).isoformat()
    for name, left_out in (("verb", "display"), ("object", "definition")):
        found[name] = {key: value for key, value in sent[name].items() if key != left_out}
    context = sent.get("context")
    if isinstance(context, dict) and isinstance(groups := context.get("contextActivities"), dict):
        found["context"] = context | {"contextActivities": {name: _undefined(one) for name, one in groups.items()}}
    return found


def _undefined(activities: Any) -> Any:
    """Return activities of a context without their definitions."""
    if isinstance(activities, list):
        return [_undefined(one) for one in activities]
    if isinstance(activities, dict):
        return {key: value for key, value in activities.items() if key != "definition"}
    return activities


def contradicts(verb: Verb, result: ActivityResult | None) -> bool:
    """Return whether a result says the opposite of the verb, such as `completed` with `completion` false.

    So does `completed` with `success` false: who completed an activity and failed has not reached its level.
    """
    if result is None:
        return False
    if verb == "completed":
        return result.completion is False or result.success is False
    return {"passed": result.success is False, "failed": result.success is True}.get(verb, False)


def scaled_score(result: ActivityResult | None) -> float | None:
    """Return the score from 0 to 1: `scaled`, or else the position of `raw` between `min` (0 if missing) and `max`.

    None if these are missing, or the range is empty or too wide for a float. A score below 0 counts as 0.
    """
    score = result.score if result else None
    if score is None:
        return None
    if score.scaled is not None:
        return max(score.scaled, 0.0)
    least = score.min or 0.0
    if score.raw is None or score.max is None or not 0 < score.max - least < math.inf:
        return None
    return min(max((score.raw - least) / (score.max - least), 0.0), 1.0)


def _account(actor: Actor, place: str) -> Account:
    """Return the account of an actor who can be an officer. Raises Malformed naming the field."""
    if actor.objectType != "Agent":
        raise Malformed("must be an Agent: a group is no officer", _at(place, "actor.objectType"))
    for other in ("mbox", "mbox_sha1sum", "openid"):
        if getattr(actor, other) is not None:
            raise Malformed("officers are identified by `account` alone", _at(place, f"actor.{other}"))
    if actor.account is None:
        raise Malformed("needs an `account`, whose name is the officer's id", _at(place, "actor"))
    try:
        msgspec.convert(actor.account.name, Identifier)
    except msgspec.ValidationError as error:
        raise Malformed("is no id of an officer", _at(place, "actor.account.name")) from error
    return actor.account


def _check_score(result: ActivityResult | None, place: str) -> None:
    """Check that `raw` lies between `min` and `max`. Raises Malformed naming the field."""
    score = result.score if result else None
    if score is None:
        return
    if score.min is not None and score.max is not None and score.min >= score.max:
        raise Malformed("is not below `max`", _at(place, "result.score.min"))
    if score.raw is not None and score.min is not None and score.raw < score.min:
        raise Malformed("is below `min`", _at(place, "result.score.raw"))
    if score.raw is not None and score.max is not None and score.raw > score.max:
        raise Malformed("is above `max`", _at(place, "result.score.raw"))


def _check_attachments(attachments: Sequence[Mapping[str, Any]], place: str) -> None:
    """Check that attachments are only referred to. Raises Malformed naming the field."""
    for i, one in enumerate(attachments):
        if one.get("usageType") == _SIGNATURE:
            raise Malformed("signatures are not verified", _at(place, f"attachments[{i}].usageType"))
        if not isinstance(one.get("fileUrl"), str):
            raise Malformed("the content of attachments is not stored", _at(place, f"attachments[{i}].fileUrl"))


def _check_activity(activity: ActivityObject, place: str) -> None:
    try:
        msgspec.convert(activity.id, Iri)
    except msgspec.ValidationError as error:
        raise Malformed("needs the IRI of an activity", _at(place, "object.id")) from error


def _at(place: str, field: str) -> str | None:
    return f"{place}.{field}" if place and field else place or field or None
