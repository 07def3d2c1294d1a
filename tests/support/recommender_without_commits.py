"""The recommender as one test starts it: it handles events and saves plans, but never commits its offsets."""

import runpy
from typing import Any

from shared.kafka import GroupConsumer


async def _commit(*_: Any) -> None:
    pass


if __name__ == "__main__":
    assert callable(GroupConsumer._commit)
    setattr(GroupConsumer, "_commit", _commit)  # noqa: B010 - to mypy an assignment would be another signature
    runpy.run_module("services.recommender", run_name="__main__", alter_sys=True)
