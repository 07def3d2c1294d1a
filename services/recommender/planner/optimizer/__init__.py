"""Which courses a path holds, and in which order. Compiled."""
