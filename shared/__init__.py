"""What the services share: data types, events and errors; and the code for HTTP, MongoDB, Kafka and settings.

without I/O   domain · paths · compact_paths · events · cloudevents · messages · errors · texts · decoding
with I/O      settings · logs · process · app, middleware, routes, openapi, api_page (HTTP) · auth, keys ·
              mongo, outbox, relay · kafka · imports · metrics · console

`shared` never imports a service.
"""

import sys
from types import TracebackType

VERSION = "0.3.0"
"""The version of these sources, the same as in pyproject.toml."""


def _without_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught error.

    Report Ctrl-C in one word, because it may come while a program still loads its modules.
    """
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    elif sys.stderr is not None:
        sys.stderr.write("interrupted\n")


sys.excepthook = _without_interrupts
