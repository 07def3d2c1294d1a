"""Recommender: from skill gaps to an ordered, explained learning path.

owns    plans: per officer the latest profile and the path made from it (database `recommender`)
reads   assessment.profiles (as one of a group) · catalog.state (whole, by every replica)
emits   path.recommended.v1 on recommender.paths, key tenant/officer; a tombstone when an officer is erased
serves  the stored path of an officer · stateless recommendations

profile -> gaps -> index (match) -> ranking (path) -> reasons -> checker -> store, with the event in the same write.
`planning` is the only loop that reads, plans and saves; `consumer` and `api` both go through it.
"""
