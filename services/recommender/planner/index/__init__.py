"""The catalog as arrays: what compiled code reads."""
