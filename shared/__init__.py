"""What the services have in common: words, events and errors (pure), and the shells around HTTP, MongoDB and Kafka.

pure    skills · paths · events · errors · texts · preconditions · decoding
shells  settings · logs · app, shell, routes, openapi (HTTP) · auth, keys · mongo, outbox (the relay) · kafka · metrics

`shared` never imports a service.
"""

VERSION = "0.2.0"
"""The release that these sources are; a test holds it to pyproject.toml."""
