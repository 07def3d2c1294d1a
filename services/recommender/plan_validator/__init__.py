"""Validates finished paths: an independent simulation that shares no rule with the planner."""
