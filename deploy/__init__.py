"""What is needed to run the services on a machine: the image, topics, starter data and the local stack."""

import shared  # noqa: F401 - first of all: how Ctrl-C is reported while the other modules are loaded
