"""Errors by what went wrong; one middleware turns them into problem+json (RFC 9457).

Problem
├── InvalidInput          422  the request is understood and wrong; names the field
│   └── UnknownName       422  the field names a skill, framework, job group or course that is not there
├── Malformed             400  the body is not JSON, a header is missing or unreadable
├── Unauthorized          401  no credential, or one that is unknown or expired
├── Forbidden             403  a credential whose role may not do this
├── NotFound              404  it does not exist or belongs to somebody else: the caller cannot tell which
│   ├── InvalidId         404  a value in the address is no id; names the parameter
│   ├── UnknownRoute      404  the address is none of a route
│   └── MissingPath       404  the officer has no learning path yet
├── WrongMethod           405  the address has no such method
├── Conflict              409  the request contradicts the present state
│   ├── IdTaken           409  an idempotency key, or an id that the caller chose, used again with another content
│   └── Erased            409  the id is that of an erased officer
├── PreconditionFailed    412  a stale `If-Match`
├── TooSlow               408  the body did not arrive within its time
├── TooLarge              413  the body is over the route's limit
├── Unsupported           415  a content coding or media type that the route does not read
├── TooManyRequests       429  one caller exceeds its share; Retry-After says when to try again
├── Unavailable           503  MongoDB, Kafka or another service does not answer; trying again may help
└── Overloaded            503  the service has too many active requests; Retry-After says when to try again

Rejected                       an event that can never be accepted: sent to the dead-letter topic
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

_NAMES_SHOWN = 20


class Problem(Exception):
    """An error answer. `field` names the part of the request that is wrong.

    `kind`: the problem type, the stable part of the answer by which a program decides; titles and details may change.
    `texts`: the message in Thai and English, {language: sentence}, if a person is to read it. `retry_after`: whole
    seconds after which the same request may succeed, sent as `Retry-After`; None: unknown.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    kind: ClassVar[str] = "internal-error"

    def __init__(
        self,
        detail: str,
        field: str | None = None,
        *,
        texts: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = None if field is None else str(field)  # a name of a header is a kind of str that JSON refuses
        self.texts = None if texts is None else dict(texts)
        self.retry_after = retry_after


class InvalidInput(Problem):
    status = 422
    title = "Invalid input"
    kind = "invalid-input"


class UnknownName(InvalidInput):
    """The field names something that the caller does not see, which may be added later."""

    kind = "unknown-name"


def known_names(names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the names that there are, of many the first 20."""
    first = list(islice(names, _NAMES_SHOWN + 1))
    rest = ["…"] if len(first) > _NAMES_SHOWN else []
    return f"; there are: {', '.join(first[:_NAMES_SHOWN] + rest)}" if first else ""


class Malformed(Problem):
    status = 400
    title = "Malformed request"
    kind = "malformed-request"


class Unauthorized(Problem):
    status = 401
    title = "Not signed in"
    kind = "unauthorized"


class Forbidden(Problem):
    status = 403
    title = "Not allowed"
    kind = "forbidden"


class NotFound(Problem):
    status = 404
    title = "Not found"
    kind = "not-found"


class InvalidId(NotFound):
    kind = "invalid-id"


class UnknownRoute(NotFound):
    kind = "no-such-route"


class MissingPath(NotFound):
    kind = "no-path-yet"


class WrongMethod(Problem):
    status = 405
    title = "Method Not Allowed"
    kind = "method-not-allowed"


class Conflict(Problem):
    status = 409
    title = "Conflict"
    kind = "conflict"


class IdTaken(Conflict):
    kind = "id-already-used"


class Erased(Conflict):
    kind = "officer-erased"


class PreconditionFailed(Problem):
    status = 412
    title = "Stale revision"
    kind = "precondition-failed"


class TooSlow(Problem):
    status = 408
    title = "Body too slow"
    kind = "body-too-slow"


class TooLarge(Problem):
    status = 413
    title = "Body too large"
    kind = "body-too-large"


class Unsupported(Problem):
    status = 415
    title = "Unsupported body"
    kind = "unsupported-body"


class _Later(Problem):
    """A temporary rejection: the answer always says when to try again."""

    def __init__(self, detail: str, field: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, field, retry_after=retry_after)


class TooManyRequests(_Later):
    status = 429
    title = "Too many requests"
    kind = "too-many-requests"


class Unavailable(_Later):
    status = 503
    title = "Temporarily unavailable"
    kind = "unavailable"


class Overloaded(Unavailable):
    """The service has as many active requests as it can handle, and has done nothing for this one."""

    kind = "overloaded"


PROBLEMS: tuple[type[Problem], ...] = (
    *(Problem, InvalidInput, UnknownName, Malformed, Unauthorized, Forbidden, NotFound, InvalidId, UnknownRoute),
    *(MissingPath, WrongMethod, Conflict, IdTaken, Erased, PreconditionFailed, TooSlow, TooLarge, Unsupported),
    *(TooManyRequests, Unavailable, Overloaded),
)
"""Every error that is answered; of those with the same status the general one comes first."""

TITLES: dict[int, str] = {kind.status: kind.title for kind in PROBLEMS}
"""{status: the title of a problem with this status}."""


def type_of(kind: str) -> str:
    """Return the `type` of an answer for the `kind` of a Problem: a reference that identifies it, with no page behind.

    RFC 9457 (3.1.1) advises a reference with the whole path, which means the same wherever it is resolved.
    """
    return f"/problems/{kind}"


ProblemType = Annotated[str, Meta(extra_json_schema={"enum": [type_of(problem.kind) for problem in PROBLEMS]})]
"""The `type` of an answer; the OpenAPI documents list the values."""


class Warned(Struct, frozen=True):
    """A warning about an accepted request: it refers to something that the catalog does not have (yet)."""

    field: str
    detail: str


class Rejected(Exception):
    """An event that cannot be accepted, however often it is read; the consumer sends it to the dead-letter topic.

    The text is the reason, which the dead letter holds.
    """
