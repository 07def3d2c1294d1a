"""How likely a course is completed, and what that and what learners think of it add to its cost."""

from services.recommender.model import LEARNERS_ASSUMED, LEARNERS_COMPLETING, MICRO
from shared.skills import Course

RATING_REACH = 0.1
"""By so much ratings lower or raise a cost at most: an opinion, never more than a tenth."""

RATING_DOUBT = 20
"""So many ratings count half."""

HARDEST = 100 * MICRO
"""A course that next to nobody completes costs its hours a hundred times, no more."""


def completion_rate(course: Course) -> float:
    """Return the probability that a course is completed: the mean of a Beta of what is assumed and what is counted."""
    counts = course.completions
    started, completed = (counts.started, counts.completed) if counts else (0, 0)
    return (completed + LEARNERS_COMPLETING) / (started + LEARNERS_ASSUMED)


def effort_of(course: Course) -> int:
    """Return by what the hours of a course are multiplied, in millionths; 1,000,000 where nothing is known of it."""
    usual, liked = LEARNERS_COMPLETING / LEARNERS_ASSUMED, 1.0
    if rating := course.rating:
        liked += RATING_REACH * (rating.mean - 3) / 2 * rating.count / (rating.count + RATING_DOUBT)
    return min(round(MICRO * (usual / completion_rate(course)) / liked), HARDEST)
