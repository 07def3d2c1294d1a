"""All tunable numbers of the planner. Changing any of them may change paths: see `ALGORITHM` in `inputs`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannerParams:
    """Tunable numbers. They are constants of the compiled code, so they cannot change while a process runs."""

    # what a course costs
    rating_weight: float = 0.1
    """The most by which ratings lower or raise a cost, as a share of it."""
    rating_prior_count: int = 20
    """With this number of ratings, they have half of their weight."""
    max_cost_factor: int = 100
    """The hours of a course are multiplied by this at most, however few complete it."""

    # the index
    champions: int = 4
    """Champions per skill, level reached and set of languages, by each of two measures: cost, and cost per level."""
    champions_from: int = 20_000
    """If a catalog has more courses than this, only champions are searched."""
    merge_threshold: int = 512
    """The most changed courses that are kept beside a base segment.

    With one more, all of them become part of a new base.
    """
    max_cost_profiles: int = 32
    """The most cost profiles that are cached per base segment."""
    max_overlays: int = 64
    """The most tenants with few courses of their own whose catalogs are kept. Another one is made in milliseconds."""

    # candidates
    top_by_cost: int = 2
    """For each gap and level, the shortlist has this number of the cheapest candidates."""
    top_by_density: int = 24
    """For each exponent of the cost, the shortlist has this number of the best candidates by value per closure cost.

    A small instance has as many by value per cost of the course alone.
    """
    flat_exponent: float = 0.4
    """The second exponent of the closure cost for `top_by_density`; the first is 1."""
    cost_tolerance: int = 4
    """An achiever of a condition is kept if it costs at most 1 / `cost_tolerance` more than the cheapest one."""
    small_instance: int = 256
    """If fewer courses than this are selected, the best candidates by value per cost of their own are added.

    While fewer are selected, all reachable branches of their conditions are kept, at any cost.
    """
    max_shared: int = 24
    """The most further courses kept.

    Each costs less than the cheapest achievers of all conditions that it satisfies.
    """

    # the search
    exponents: tuple[float, ...] = (1.0, 0.8, 0.6, 0.4, 0.1)
    """Exponents of the cost in the greedy passes; the best path of all passes is improved."""
    max_passes: int = 2
    """The most passes of the local search over the courses of a path."""
    max_starts: int = 24
    """The most courses whose closures are tried as the start of a path."""
    max_paired: int = 8
    """Each pair of this number of first starts is also tried together."""
    beam_gaps: float = 1.5
    """A beam search follows the discrepancy search if the targets raise at least this number of gaps on average."""
    beam_width: int = 16
    """The most paths that the beam search extends at a time."""
    beam_starts: int = 16
    """The most starts that the beam search tries at the end of each path."""
    budget_shares: int = 8
    """Each greedy pass may use 1 / `budget_shares` of the visits.

    Of the visits left then, all starts together may use half, and the exchanges the rest; of those left after these,
    the discrepancy search and the beam search may each use half.
    """
    max_visits: int = 3_000_000
    """The most courses visited in the search of one plan (0.1 to 0.2 s).

    The search then ends with the best path so far.
    """
    trace_visits: int = 1_000_000
    """The most courses visited to find the order and the runners-up of a path."""
    preference_floor: int = 90
    """A path with preferences must have this percentage of its value without preferences."""
    change_threshold: int = 101
    """A new path replaces the previous one only if it has at least this percentage of its value."""
    runners_up: int = 3
    """The most runners-up recorded for each pick."""

    # minimum closures and refinement
    max_looked: int = 500
    """The most courses visited in the search for a minimum closure of one goal; then the shortest one found counts."""
    max_looked_together: int = 100
    """The same limit for several goals together; few of their closures can be proved minimal."""
    max_pruned: int = 40
    """If a closure has at most this many courses, it is searched for courses that are not needed."""
    max_changes: int = 12
    """The most extensions that are tried on one path."""

    def shortlist_exponents(self, max_steps: int | None) -> tuple[float, ...]:
        """Return the exponents of the closure cost for `top_by_density`; 0 is one if the courses are limited."""
        return (1.0, self.flat_exponent) if max_steps is None else (1.0, self.flat_exponent, 0.0)


PARAMS = PlannerParams()
