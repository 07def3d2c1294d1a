"""What the services have in common: words, events and errors (pure), and the shells around HTTP, MongoDB and Kafka.

pure    skills · paths · events · errors
shells  settings · app (HTTP) · openapi · auth · mongo · outbox (the relay) · kafka

`shared` never imports a service.
"""
