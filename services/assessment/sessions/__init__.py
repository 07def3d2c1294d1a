"""Adaptive sessions: an officer answers the items that tell most, until the levels are sure enough.

model → item_pool → adaptive (pure) → store (MongoDB) → runner (what a request and the clock make of a session)
"""
