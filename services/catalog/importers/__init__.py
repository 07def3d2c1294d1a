"""Readers of course lists, one file per format; each yields rows and never stops at a bad one."""
