"""Recommender: from skill gaps to an ordered, explained learning path.

owns    plans: per officer the latest profile, the feedback, the current path, and past revisions with their inputs;
        rules and supervision policies of tenants; published figures of agencies (database `recommender`)
reads   assessment.profiles (in a consumer group) · catalog.state (all of it, in every replica)
emits   path.recommended.v2 on recommender.paths, key tenant/officer (path.stored.v1 for a path too large to send);
        a tombstone when an officer is erased
serves  an officer's stored path and past ones, why a course is not in it · feedback · stateless recommendations and
        what-if · similar courses · a tenant's rules · an agency's gaps, and the paths of its officers for supervisors ·
        skills that paths leave open (`/v1/open-skills`) · the templates of all sentences (`/v1/messages`)

profile -> value (gaps) -> index and optimizer (path) -> explain (figures, texts) -> validator -> store, with the event
in the same write. `planning` reads, plans and saves for events, changes and feedback, through `plan_pool`, which plans
many officers at a time in threads. `recompute` is an operator's command.
"""
