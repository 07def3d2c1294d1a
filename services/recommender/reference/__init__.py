"""The rule of docs/ranking.md in plain Python: the same learning path as the planner, byte for byte.

Needs neither numpy nor numba.
"""

from services.recommender.reference.rule import recommend

__all__ = ["recommend"]
