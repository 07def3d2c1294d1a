"""The addresses of one service behind the portal, and the order in which to try them."""

import time
from collections.abc import Callable, Sequence

AVOIDED_SECONDS = 5.0
"""How long an address that did not answer is tried only after the others."""


class Replicas:
    """The addresses of one service, used in rotation; one that did not answer comes last for a few seconds."""

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._urls = list(urls)
        self._clock = clock
        self._failed: dict[str, float] = {}
        self._turn = 0

    def in_order(self) -> list[str]:
        """Return every address, in the order in which to try them."""
        self._turn = (self._turn + 1) % len(self._urls)
        turned = [*self._urls[self._turn :], *self._urls[: self._turn]]
        horizon = self._clock() - AVOIDED_SECONDS
        return sorted(turned, key=lambda url: self._failed.get(url, horizon) > horizon)

    def failed(self, url: str) -> None:
        """Record that an address did not answer."""
        self._failed[url] = self._clock()

    def answered(self, url: str) -> None:
        """Record that an address answered."""
        self._failed.pop(url, None)
