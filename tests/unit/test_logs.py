"""A log line is one JSON object, whatever is in the record, and holds no key and no password."""

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from shared import logs
from shared.logs import DuplicateLines, JsonLines, frames_of, handle_line


class Unwilling:
    """Cannot be written."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def fail(error: Exception) -> None:
    raise error


def line_of(message: Any, *args: Any, **extra: Any) -> dict[str, Any]:
    """Return the one line that a record becomes."""
    written = io.BytesIO()
    logger = logging.Logger("test")  # noqa: LOG001 - not one of the tree: only this handler is to see it
    logger.addHandler(JsonLines(written))
    logger.error(message, *args, **extra)
    (line,) = written.getvalue().splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("message", "args", "fields"),
    [
        ("plain", (), {}),
        ("two\nlines\r\n", (), {}),
        ("half a character \udcff", (), {}),
        ("%s", ("\udcff\ud800",), {}),
        ("%d", ("no number",), {}),
        ("%s and %s", ("one",), {}),
        ("100 % of %s", (), {}),
        (b"bytes", (), {}),
        ("field", (), {"half": "\udcff", "bytes": b"\xff", "number": 2**80, "nan": float("nan")}),
        ("field", (), {"unwilling": Unwilling()}),
        ("field", (), {"deep": {"\udcff": [Unwilling(), {1, 2}]}}),
        ("field", (), {"\udcff": 1}),
    ],
)
def test_a_line_is_one_json_object(message: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
    assert line_of(message, *args, extra={"fields": fields})["level"] == "error"


def test_an_exception_with_an_unpaired_surrogate_is_logged() -> None:
    try:
        fail(ValueError("\udcff"))
    except ValueError:
        assert "ValueError" in line_of("failed", exc_info=True)["error"]


@pytest.mark.parametrize(
    "text",
    [
        "key 0123456789abcdef.planted-secret-planted-secret-planted-secr here",
        "Bearer 0123456789abcdef.planted-secret-planted-secret-planted-secr",
        "two lines\n0123456789abcdef.planted-secret-planted-secret-planted-secr\n",
        "key_0123456789abcdef.planted-secret-planted-secret-planted-secr",
        "mongodb://somebody:planted@mongodb:27017/?replicaSet=rs0",
        "mongodb+srv://planted:planted@example.org",
        "https://planted@example.org/x",
    ],
)
def test_keys_and_passwords_are_redacted(text: str) -> None:
    for line in (line_of(text), line_of("%s", text), line_of("x", extra={"fields": {"a": [text]}})):
        assert "planted" not in str(line)
        assert "[secret]" in str(line)
    try:
        fail(ConnectionError(text))
    except ConnectionError:
        assert "planted" not in line_of("failed", exc_info=True)["error"].splitlines()[-1]


def test_texts_that_only_resemble_a_key_are_kept() -> None:
    assert line_of("0123456789abcdef.short")["message"] == "0123456789abcdef.short"
    assert line_of("http://127.0.0.1:8101")["message"] == "http://127.0.0.1:8101"


def test_frames_contain_no_messages() -> None:
    words = "sent by a client"
    try:
        try:
            fail(KeyError(words))
        except KeyError as error:
            raise ValueError(words) from error
    except ValueError as error:
        frames = frames_of(error)
    assert "ValueError" in frames
    assert "KeyError" in frames
    assert "test_logs.py" in frames
    assert "sent by" not in frames


class Gathering:
    """A logger whose lines of requests wait; `later`: the functions to be called, and after how many seconds."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.logger = logging.Logger("test")  # noqa: LOG001 - not one of the tree: only this handler is to see it
        self.handler = JsonLines(written := io.BytesIO())
        self.handler.call_later = self.call_later
        self.logger.addHandler(self.handler)
        self._written = written

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.later.append((seconds, call))

    @property
    def messages(self) -> list[str]:
        """The messages that are written."""
        return [json.loads(line)["message"] for line in self._written.getvalue().splitlines()]


def test_lines_of_requests_wait_for_each_other_and_are_written_before_any_other_line() -> None:
    waiting = Gathering()
    handle_line(waiting.logger, "one", {})
    handle_line(waiting.logger, "two", {})
    assert waiting.messages == []
    waiting.logger.error("three")
    assert waiting.messages == ["one", "two", "three"]


def test_lines_that_wait_are_written_after_20_ms_and_set_one_time_together() -> None:
    waiting = Gathering()
    for names in (["one", "two"], ["three"]):
        for name in names:
            handle_line(waiting.logger, name, {})
        [(seconds, write)] = waiting.later
        assert seconds == 0.02
        waiting.later.clear()
        write()
    assert waiting.messages == ["one", "two", "three"]


def test_lines_that_wait_are_written_at_the_end_of_the_process() -> None:
    waiting = Gathering()
    handle_line(waiting.logger, "one", {})
    waiting.handler.flush()  # as `logging.shutdown` does
    assert waiting.messages == ["one"]


def test_the_lines_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_LINES", 3)
    waiting = Gathering()
    for name in ("one", "two", "three", "four"):
        handle_line(waiting.logger, name, {})
    assert waiting.messages == ["one", "two", "three"]


def test_the_handler_of_the_process_lets_lines_wait_once_its_event_loop_runs() -> None:
    root, handler, waiting = logging.getLogger(), JsonLines(io.BytesIO()), Gathering()
    root.addHandler(handler)
    try:
        assert handler.call_later is None
        logs.write_together(waiting.call_later)
        assert handler.call_later == waiting.call_later
    finally:
        root.removeHandler(handler)


def test_a_repeated_line_of_the_kafka_client_is_written_once_in_ten_seconds_with_their_number() -> None:
    duplicates = DuplicateLines()

    def passes(second: float, node: int, logger: str = "aiokafka.client") -> tuple[bool, dict[str, int]]:
        values = {"name": logger, "msg": "Unable connect to node %s", "args": (node,), "created": second}
        record = logging.makeLogRecord(values)
        return duplicates.filter(record), getattr(record, "fields", {})

    assert passes(100, 1) == (True, {})
    assert [passes(second, 1) for second in (100.1, 105, 109.9)] == [(False, {})] * 3
    assert passes(105, 2) == (True, {})
    assert [passes(105, 1, "services.recommender") for _ in range(2)] == [(True, {})] * 2
    assert passes(110, 1) == (True, {"count": 3})
    assert passes(111, 1) == (False, {})
    assert passes(50, 1) == (True, {"count": 1}), "the clock was set back"


def test_lines_of_the_kafka_client_that_all_differ_take_little_memory() -> None:
    duplicates = DuplicateLines()
    for number in range(5000):
        assert duplicates.filter(logging.makeLogRecord({"name": "aiokafka", "msg": f"request {number}"}))
    assert len(duplicates._passed) <= 1000
