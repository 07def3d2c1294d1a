"""The catalog as arrays, for compiled code."""
