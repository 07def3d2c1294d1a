"""Logs: one JSON line per record on standard error."""

import logging
import sys
import time
from functools import lru_cache
from typing import BinaryIO

import msgspec


class JsonLines(logging.Handler):
    """Writes a record as one JSON line; what stands in `extra={"fields": {...}}` stands beside the message."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line at once, so that none is lost with the process."""
        try:
            self._stream.write(self._line(record))
            self._stream.flush()
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> bytes:
        line = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = logging.Formatter().formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=repr) + b"\n"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def configure(level: str) -> None:
    """Log at this level and above, to standard error, and quieten what speaks too much."""
    logging.basicConfig(level=level, handlers=[JsonLines(sys.stderr.buffer)], force=True)
    # Not written, so not asked for with every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in ("aiokafka", "pymongo", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
