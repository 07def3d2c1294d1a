"""The four services. They never import each other: what one needs of another is in the events."""

import shared  # noqa: F401 - first of all: how Ctrl-C is reported while the other modules are loaded
