"""Logs: one JSON line per record on standard error, for any contents; API keys and passwords are masked."""

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

_SECRETS = (
    # An API key, maybe cut: its id may be read. It begins with the dot, for which a search is fastest.
    (re.compile(rb"\.(?<=[0-9a-f]{16}\.)[A-Za-z0-9_-]{16,}"), rb".[secret]"),
    (re.compile(rb"://[^/@\s\"]*@"), rb"://[secret]@"),  # name and password of a connection string
)


CallLater = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""


class DuplicateLines(logging.Filter):
    """Writes a line of the Kafka client once in ten seconds; its `count` is the number of equal lines left out since.

    While no broker answers, the client repeats the same few lines many times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written; a repeated line of the Kafka client is counted instead."""
        if not record.name.startswith("aiokafka"):
            return True
        line = record.name, _message(record)
        passed, left_out = self._passed.get(line, (float("-inf"), 0))
        if passed <= record.created < passed + _SAME_LINE_SECONDS:  # a clock that was set back hides nothing
            self._passed[line] = passed, left_out + 1
            return False
        if len(self._passed) >= _LINES_KNOWN:
            self._passed.clear()
        self._passed[line] = record.created, 0
        if left_out:
            record.fields = {"count": left_out}
        return True


_SAME_LINE_SECONDS = 10
_LINES_KNOWN = 1000


class JsonLines(logging.Handler):
    """Writes a record as one JSON line; `extra={"fields": {...}}` adds fields to the line.

    Most lines are written at once, so that none of them is lost if the process dies. Those of `handle_line` (the access
    log) are collected and written together if `call_later` of the event loop is set, because every write makes the
    event loop wait for the interpreter lock.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.call_later: CallLater | None = None
        self._stream = stream
        self._lines: list[bytes] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line after the lines that wait, or let it wait with them."""
        self._lines.append(self.line(record))
        if not self._may_wait(record):
            self.flush()

    def _may_wait(self, record: logging.LogRecord) -> bool:
        """Return whether a line may wait; if it is the first one that waits, set the time at which it is written."""
        if self.call_later is None or not hasattr(record, _MAY_WAIT) or len(self._lines) >= _MOST_LINES:
            return False
        if len(self._lines) == 1:
            self.call_later(_TOGETHER_SECONDS, self.flush)
        return True

    def flush(self) -> None:
        """Write the lines that wait."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write(b"".join(lines))
                self._stream.flush()
        except (OSError, ValueError):  # standard error is full or closed: there is nowhere to say so
            pass
        finally:
            self.release()

    def line(self, record: logging.LogRecord) -> bytes:
        """Return the record as one JSON object with a line end."""
        line = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = logging.Formatter().formatException(record.exc_info)
        try:
            written = msgspec.json.encode(line, enc_hook=repr)
        except Exception:  # noqa: BLE001 - text with half a character, a key that is none: written as far as can be
            written = msgspec.json.encode({_plain(name): _plain(value) for name, value in line.items()})
        return without_secrets(written) + b"\n"


def without_secrets(written: bytes) -> bytes:
    """Return a text in which what looks like an API key, or like a password in a connection string, is masked."""
    for secret, instead in _SECRETS:
        written = secret.sub(instead, written)
    return written


def frames_of(error: BaseException) -> str:
    """Return the types and code lines of an exception and its causes, without messages, which may contain any data."""
    causes: list[str] = []
    one: BaseException | None = error
    while one is not None and len(causes) < _LONGEST_CHAIN:
        causes.append("".join(traceback.format_tb(one.__traceback__)) + type(one).__qualname__)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\ncaused by:\n".join(causes)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit are a mistake, and no reason to lose the line
        return str(record.msg)


def _plain(value: object) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - a broken record must not end logging
        text = type(value).__name__
    return text.encode("utf-8", "backslashreplace").decode()


_LONGEST_CHAIN = 5


def handle_line(logger: logging.Logger, message: str, fields: Mapping[str, object]) -> None:
    """Log a line of level `info` with these fields, in a tenth of the time of `logger.info`.

    For lines that every request causes, in the event loop. The place in the code, which `logger.info` looks for, is
    left out, and the line may wait for others (`write_together`).
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    record.__dict__.update(_LINE, name=logger.name, msg=message, created=now, msecs=now % 1 * 1000, fields=fields)
    logger.handle(record)


_MAY_WAIT = "may_wait"
_MOST_LINES = 1000
_TOGETHER_SECONDS = 0.02
_LINE = {**vars(logging.LogRecord("", logging.INFO, "", 0, "", None, None)), _MAY_WAIT: True}


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def configure(level: str) -> None:
    """Log at this level and above to standard error, and raise the level of loggers that write too much."""
    handler = JsonLines(sys.stderr.buffer)
    handler.addFilter(DuplicateLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Not written, so not computed for every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.captureWarnings(capture=True)
    sys.excepthook = _ended_by
    threading.excepthook = _thread_ended_by
    for name in ("aiokafka", "pymongo", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def write_together(call_later: CallLater) -> None:
    """Let lines of `handle_line` wait for others, at most 20 ms, from now on. `call_later`: that of the event loop."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, JsonLines):
            handler.call_later = call_later


def _ended_by(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("the process ends", exc_info=(kind, error, trace))


def _thread_ended_by(ended: Any) -> None:
    if ended.exc_value is not None and not issubclass(ended.exc_type, SystemExit):
        logging.getLogger(__name__).error(
            "a thread ended", exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback)
        )
