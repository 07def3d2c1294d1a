"""The portal: the officers' page and the live stream of their paths.

owns     open connections, one slot each: the latest path wins
reads    `recommender.paths`, every partition from its end, without a group: each replica sees every new path
emits    nothing
serves   the page, `/session`, `/v1/officers/{officer_id}/live` (SSE), `/v1/system`, `/docs` (the services'
         API documents), and `/api/*`, forwarded to the owning service
asks     the recommender for the stored path when a stream opens; every replica how it is, where an admin asks

connections · replicas · consumer · api/ (live, session, forwarding, page, system, documents)
· pages/ (what browsers show) · __main__
"""
