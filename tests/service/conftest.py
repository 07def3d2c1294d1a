"""What is compiled is compiled before the first test, so that no test waits for it."""

import pytest

from services.recommender.warming import warm_up


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile where tests are to be run; it takes long only once."""
    if session.items and not session.config.option.collectonly:
        warm_up()
