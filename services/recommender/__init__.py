"""Recommender: from skill gaps to an ordered, explained learning path.

owns    plans: per officer the latest profile, the feedback, the path made from them, and past revisions of it with
        all that they were computed from; rules of tenants (database `recommender`)
reads   assessment.profiles (as one of a group) · catalog.state (whole, by every replica)
emits   path.recommended.v1 on recommender.paths, key tenant/officer; a tombstone when an officer is erased
serves  the stored path of an officer, why a course is not in it · feedback · stateless recommendations and what-if ·
        similar courses · a tenant's rules · an agency's gaps

profile -> value (gaps) -> index and optimizer (path) -> explain (figures, texts) -> validator -> store, with the event
in the same write. `planning` reads, plans and saves for events, changes and feedback, by `plan_pool`, which plans many
officers at a time over threads. `recompute` is an operator's command.
"""
