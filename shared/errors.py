"""Errors by what went wrong; one middleware turns them into problem+json (RFC 9457).

Problem
├── InvalidInput          422  the request is understood and wrong; names the field
├── Malformed             400  the body is not JSON, a header is missing or unreadable
├── Unauthorized          401  no credential, or one that is unknown or expired
├── Forbidden             403  a credential whose role may not do this
├── NotFound              404  it does not exist or belongs to somebody else: the caller cannot tell which
├── Conflict              409  an idempotency key used again with another body
├── PreconditionFailed    412  a stale `If-Match`
├── TooSlow               408  the body did not arrive within its time
├── TooLarge              413  the body is over the route's limit
├── Unsupported           415  a content coding or media type that the route does not read
├── TooManyRequests       429  one caller exceeds its share; Retry-After says when to try again
├── Unavailable           503  MongoDB, Kafka or another service does not answer; trying again may help
└── Overloaded            503  the service has too many active requests; Retry-After says when to try again

Rejected                       an event that can never be accepted: sent to the dead-letter topic
"""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct


class Problem(Exception):
    """An error answer. `field` names the part of the request that is wrong.

    `texts`: the message in Thai and English, {language: sentence}, if a person is to read it. `retry_after`: whole
    seconds after which the same request may succeed, sent as `Retry-After`; None: unknown.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

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


class Malformed(Problem):
    status = 400
    title = "Malformed request"


class Unauthorized(Problem):
    status = 401
    title = "Not signed in"


class Forbidden(Problem):
    status = 403
    title = "Not allowed"


class NotFound(Problem):
    status = 404
    title = "Not found"


class Conflict(Problem):
    status = 409
    title = "Conflict"


class PreconditionFailed(Problem):
    status = 412
    title = "Stale revision"


class TooSlow(Problem):
    status = 408
    title = "Body too slow"


class TooLarge(Problem):
    status = 413
    title = "Body too large"


class Unsupported(Problem):
    status = 415
    title = "Unsupported body"


class _Later(Problem):
    """A temporary rejection: the answer always says when to try again."""

    def __init__(self, detail: str, field: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, field, retry_after=retry_after)


class TooManyRequests(_Later):
    status = 429
    title = "Too many requests"


class Unavailable(_Later):
    status = 503
    title = "Temporarily unavailable"


class Overloaded(Unavailable):
    """The service has as many active requests as it can handle."""


TITLES: dict[int, str] = {
    kind.status: kind.title
    for kind in (
        *(Problem, InvalidInput, Malformed, Unauthorized, Forbidden, NotFound, Conflict, PreconditionFailed),
        *(TooSlow, TooLarge, Unsupported, TooManyRequests, Unavailable),
    )
}
"""{status: the title of a problem with this status}."""


class Warned(Struct, frozen=True):
    """A warning about an accepted request: it refers to something that the catalog does not have (yet)."""

    field: str
    detail: str


class Rejected(Exception):
    """An event that cannot be accepted, however often it is read; the consumer sends it to the dead-letter topic.

    The text is the reason, which the dead letter holds.
    """
