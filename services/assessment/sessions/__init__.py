"""Adaptive sessions: an officer answers the most informative items until the levels are precise enough.

model → item_pool → adaptive (pure) → store (MongoDB) → open_banks → runner (requests and time limits)
"""
