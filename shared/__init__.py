"""What the services share: shapes, events and errors without I/O; and HTTP, MongoDB, Kafka and settings.

without I/O   domain · paths · compact_paths · events · cloudevents · messages · errors · texts · preconditions · decoding
with I/O      settings · logs · app, middleware, routes, openapi (HTTP) · auth, keys · mongo, outbox, relay · kafka ·
              imports · metrics · console

`shared` never imports a service.
"""

VERSION = "0.2.0"
"""The release that these sources are; a test holds it to pyproject.toml."""
