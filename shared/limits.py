"""Admission control, rate limits, and the client's address behind a proxy. Pure: no I/O, no clock.

    admission = Admission(limits)
    slot = admission.enter()                     # raises Overloaded at once if too many requests are active
    slot.claim("key-id", limits.share_of("officer"))          # raises Overloaded over one key's share
    slot.hold(len(piece))                        # bytes of a body; raises Overloaded over the limit of all bodies
    slot.leave()                                 # always; repeated calls change nothing

    rates = Buckets(rate=20, burst=100)
    spend(rates, "key-id", now, "requests of this key")       # raises TooManyRequests, saying when to try again

All memory is bounded: the least recently used buckets are dropped.
"""

import ipaddress
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.errors import Overloaded, TooManyRequests

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT = re.compile(r"(\d+(?:\.\d+){3}):\d+|\[([^\]]+)\](?::\d+)?")  # as some balancers write addresses
_MAPPED_PREFIX = 96
"""The bits before an IPv4 address in its IPv6 form, `::ffff:10.0.0.1`."""
_REMEMBERED = 10_000
_BURST_SECONDS = 5
_OFFICERS_SHARE = 8
_TIMES_DETACHED = 4
_RETRY_SECONDS = 1
_LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process. The defaults are those of the settings, which explain each."""

    concurrent_requests: int = 64
    buffered_body_bytes: int = 64 * 2**20
    body_seconds: float = 20.0
    connections_per_address: int = 2000
    rate_per_key: int = 1000
    rate_per_officer: int = 20
    rate_per_address: int = 100
    trusted_proxies: Sequence[Network] = ()

    def share_of(self, role: str) -> int:
        """Return how many requests of one key may be active: a person an eighth of all, a system three quarters."""
        if role in ("officer", "supervisor", "analyst", "viewer"):
            return max(1, self.concurrent_requests // _OFFICERS_SHARE)
        return max(1, self.concurrent_requests * 3 // 4)


# --- active requests -------------------------------------------------------------------------------------------------


class Admission:
    """Counts active requests and detached ones: streams, and requests that wait in a queue with limits of its own."""

    def __init__(self, limits: Limits) -> None:
        self.active = 0
        self.detached = 0
        self.bytes = 0
        self._limits = limits
        self._many = limits.share_of("platform") // 2
        self._by_key: Counter[tuple[str, bool]] = Counter()
        self._at_share: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether requests may be rejected now: a key has used its share, or half of a system's share is active.

        Fewer leave room for as many again in one moment.
        """
        return self.active >= self._many or bool(self._at_share)

    def rejection(self, key: str | None) -> Overloaded | None:
        """Return why a request of this key that counts as active would be rejected now; None if it would not."""
        if self.active >= self._limits.concurrent_requests:
            return _all_taken()
        return _share_taken(self._by_key[key, False]) if key is not None and key in self._at_share else None

    def enter(self, waited: float = 0.0, reserved: "Slot | None" = None) -> "Slot":
        """Admit one more request, which has already `waited` so many seconds. `reserved`: the place it has already.

        Raises Overloaded at once if too many requests are active, or if this one has waited too long: then the process
        is behind, and rejecting it shortens the wait of later ones.
        """
        if waited > _LONGEST_WAIT_SECONDS:
            raise _all_taken()
        if reserved is not None:
            return reserved
        if self.active >= self._limits.concurrent_requests:
            raise _all_taken()
        self.active += 1
        return Slot(self)

    def _claimed(self, key: str, share: int, *, detached: bool) -> None:
        place = key, detached
        if self._by_key[place] >= share:
            raise _share_taken(share)
        self._by_key[place] += 1
        if self._by_key[place] >= share and not detached:
            self._at_share.add(key)

    def _left(self, key: str, *, detached: bool) -> None:
        place = key, detached
        self._by_key[place] -= 1
        if not detached:
            self._at_share.discard(key)
        if self._by_key[place] <= 0:
            del self._by_key[place]

    def _held(self, size: int) -> None:
        if self.bytes + size > self._limits.buffered_body_bytes:
            raise Overloaded("the service holds as many bytes of bodies as it can", retry_after=_RETRY_SECONDS)
        self.bytes += size


def _all_taken() -> Overloaded:
    return Overloaded("the service is already handling as many requests as it can", retry_after=_RETRY_SECONDS)


def _share_taken(share: int) -> Overloaded:
    return Overloaded(f"{share} requests of this key are being handled; the rest is reserved for others")


class Slot:
    """The place of one admitted request."""

    __slots__ = ("_admission", "_bytes", "_detached", "_key", "_left", "kept")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._key: str | None = None
        self._detached = False
        self._bytes = 0
        self._left = False
        self.kept = False
        """Whether something other than the request gives the place back."""

    def claim(self, key: str, share: int, *, detached: bool = False) -> None:
        """Count the request as one of this key. Raises Overloaded if the key has `share` requests already.

        `detached`: do not count it as active, but as a stream or as work in a queue that has limits of its own; of
        these a key may have four times `share`.
        """
        self._admission._claimed(key, share * _TIMES_DETACHED if detached else share, detached=detached)  # noqa: SLF001 - parts of one concept
        self._key = key
        if detached:
            self._detached = True
            self._admission.active -= 1
            self._admission.detached += 1

    @property
    def claimed(self) -> bool:
        """Whether the request counts as one of a key."""
        return self._key is not None

    def hold(self, size: int) -> None:
        """Count bytes of the body that are kept in memory. Raises Overloaded over the limit of all bodies together."""
        self._admission._held(size)  # noqa: SLF001 - parts of one concept
        self._bytes += size

    def leave(self) -> None:
        """Release the place and the bytes of the request; repeated calls change nothing."""
        if self._left:
            return
        self._left = True
        self._admission.bytes -= self._bytes
        if self._detached:
            self._admission.detached -= 1
        else:
            self._admission.active -= 1
        if self._key is not None:
            self._admission._left(self._key, detached=self._detached)  # noqa: SLF001 - parts of one concept


# --- rates -----------------------------------------------------------------------------------------------------------


class Buckets:
    """Token buckets by name: each gets `rate` tokens per second, up to `burst`.

    `owner`: what a bucket belongs to, as `RateLimit` names it. Beyond `capacity`, the least recently used bucket is
    dropped; when it is used again, it is full.
    """

    def __init__(
        self, rate: float, burst: float | None = None, capacity: int = _REMEMBERED, owner: str = "key"
    ) -> None:
        self._rate = rate
        self._burst = burst or rate * _BURST_SECONDS
        self._owner = owner
        self.policy = f'"{owner}";q={int(self._burst)};w={math.ceil(self._burst / rate)}'
        """The value of `RateLimit-Policy`: how many tokens a full bucket has, and in how many seconds it fills."""
        self._capacity = capacity
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take a token if there is one and return 0; otherwise return the seconds until there is. `now`: monotonic."""
        tokens = self._tokens(name, now)
        if tokens < 1:
            return (1 - tokens) / self._rate
        self._left[name] = tokens - 1, now
        self._left.move_to_end(name)
        if len(self._left) > self._capacity:
            self._left.popitem(last=False)
        return 0.0

    def left(self, name: str, now: float) -> str:
        """Return the value of `RateLimit`: the tokens of a bucket, and the seconds until it is full."""
        tokens = self._tokens(name, now)
        return f'"{self._owner}";r={int(tokens)};t={math.ceil((self._burst - tokens) / self._rate)}'

    def _tokens(self, name: str, now: float) -> float:
        tokens, since = self._left.get(name, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._rate)


def spend(buckets: Buckets, name: str, now: float, what: str) -> None:
    """Take a token. Raises TooManyRequests, with `what` and Retry-After, if none is left."""
    if wait := buckets.take(name, now):
        raise TooManyRequests(f"too many {what}", retry_after=math.ceil(wait))


# --- addresses -------------------------------------------------------------------------------------------------------


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks in a comma-separated text, IPv4-mapped IPv6 as IPv4. Raises ValueError."""
    return tuple(_plain_network(part.strip()) for part in text.split(",") if part.strip())


def _plain_network(text: str) -> Network:
    network = ipaddress.ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))


def plain_address(address: str) -> str:
    """Return an address in canonical form, without a port, IPv4-mapped IPv6 as IPv4; other texts unchanged."""
    if ":" not in address:
        return address
    if with_port := _WITH_PORT.fullmatch(address):
        address = with_port[1] or with_port[2]
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or found)


def counted_as(address: str) -> str:
    """Return the name under which an address is counted: for IPv6 its /64 network, which belongs to one subscriber."""
    return str(ipaddress.IPv6Network((address, 64), strict=False)) if _is_ipv6(address) else address


def _is_ipv6(address: str) -> bool:
    try:
        return ":" in address and bool(ipaddress.IPv6Address(address))
    except ValueError:
        return False


def is_trusted(address: str, trusted: Iterable[Network]) -> bool:
    """Return whether an address is that of a proxy whose `X-Forwarded-For` counts."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in trusted)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Return the client's address: the peer, or behind trusted proxies the last forwarded address that is not trusted.

    `forwarded`: the values of `X-Forwarded-For`, which are ignored if the peer is not trusted.
    """
    peer = plain_address(peer)
    if not forwarded or not is_trusted(peer, trusted):
        return peer
    for part in reversed([one.strip() for one in forwarded.split(",") if one.strip()]):
        address = plain_address(part)
        try:
            ipaddress.ip_address(address)
        except ValueError:
            break
        if not is_trusted(address, trusted):
            return address
        peer = address
    return peer
