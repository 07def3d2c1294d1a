"""All tunable numbers of the planner. Changing any of them may change paths: see `ALGORITHM` in `inputs`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannerParams:
    """Tunable numbers. They are constants of the compiled code, and so fixed for a process."""

    # what a course costs
    rating_weight: float = 0.1
    """Ratings lower or raise a cost by this share at most."""
    rating_prior_count: int = 20
    """With this number of ratings, they have half of their weight."""
    max_cost_factor: int = 100
    """The hours of a course are multiplied by this at most, however few complete it."""

    # the index
    champions: int = 4
    """Champions per skill, level reached and set of languages, of each of two measures: lowest cost, cost per level."""
    champions_from: int = 20_000
    """Courses of a catalog above which only champions are searched."""
    merge_threshold: int = 512
    """Changed courses kept beside a base segment; one more, and they become part of a new base."""
    max_cost_profiles: int = 32
    """Cost profiles cached per base segment."""

    # candidates
    top_by_cost: int = 2
    """Cheapest candidates kept per gap and level reached."""
    top_by_density: int = 24
    """Candidates of the highest value per cost kept, for each of two exponents of the cost."""
    flat_exponent: float = 0.4
    """The second exponent of the cost in that ranking; the first is 1."""
    cost_tolerance: int = 4
    """An achiever of a condition is kept if it costs at most 1 / `cost_tolerance` more than the cheapest one."""
    every_branch_below: int = 256
    """Selected courses below which every reachable branch of their conditions is kept, in rounds, whatever it costs."""
    max_shared: int = 24
    """Further courses kept; each costs less than the cheapest achievers of all conditions that it satisfies."""

    # the search
    exponents: tuple[float, ...] = (1.0, 0.8, 0.6, 0.4, 0.1)
    """Exponents of the cost in the greedy passes; the best of their paths is improved."""
    max_passes: int = 2
    """Passes of the local search over the courses of a path."""
    max_starts: int = 24
    """Courses whose closure is tried as the start of a path."""
    max_paired: int = 8
    """The first of these courses; each pair of them is also tried together."""
    beam_gaps: int = 2
    """Gaps that the targets raise in the mean, from which a beam search follows the discrepancy search."""
    beam_width: int = 16
    """Paths that the beam search extends at a time."""
    beam_starts: int = 8
    """Starts by which it extends each of these paths."""
    max_exchanged: int = 16
    """In a path of up to this many courses, each is left out in turn for the closure of a start."""
    budget_shares: int = 8
    """Each greedy pass may spend 1 / `budget_shares` of the visits; all starts half of what is left then, the exchanges
    the rest; the discrepancy or beam search half of what those leave."""
    max_visits: int = 3_000_000
    """Courses visited in the search of one plan (0.1 to 0.2 s); the search then ends with the best path so far."""
    trace_visits: int = 1_000_000
    """Courses visited for the order and the runners-up of a path."""
    preference_floor: int = 90
    """Per cent of the value without preferences that a path with preferences must reach."""
    change_threshold: int = 101
    """Per cent of the value of the previous path below which a new one does not replace it."""
    runners_up: int = 3
    """Runners-up recorded per pick."""

    # minimum closures and refinement
    max_looked: int = 500
    """Courses visited in the search for a minimum closure of one goal; after that, the shortest one found counts."""
    max_looked_together: int = 100
    """The same limit for several goals together, of which few closures can be proved minimal."""
    max_pruned: int = 40
    """In a closure of up to this many courses, leaving out each of them is tried."""
    max_changes: int = 12
    """Extensions tried on one path."""


PARAMS = PlannerParams()
