"""Chooses in which order the portal tries the replicas of a service."""

import time
from collections.abc import Callable, Sequence

AVOIDED_SECONDS = 5.0
"""For this time after an address did not answer, it is tried after the other addresses."""


class Replicas:
    """The addresses of the replicas of one service.

    Each request begins with another address. An address that did not answer comes last for a few seconds.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._urls = list(urls)
        self._clock = clock
        self._failed: dict[str, float] = {}
        self._turn = 0

    def in_order(self) -> list[str]:
        """Return all addresses, in the order in which the next request should try them."""
        self._turn = (self._turn + 1) % len(self._urls)
        turned = [*self._urls[self._turn :], *self._urls[: self._turn]]
        horizon = self._clock() - AVOIDED_SECONDS
        return sorted(turned, key=lambda url: self._failed.get(url, horizon) > horizon)

    def failed(self, url: str) -> None:
        """Record that an address did not answer, so that others are tried first for some seconds."""
        self._failed[url] = self._clock()

    def answered(self, url: str) -> None:
        """Record that an address answered, so that it is tried in its turn again."""
        self._failed.pop(url, None)
