"""The four services. They never import each other: what one needs of another is in the events."""
