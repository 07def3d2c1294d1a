"""The portal: the web pages and the live stream of officers' paths.

owns     open streams; each keeps only the newest path that was not sent yet
reads    `recommender.paths`, every partition from its end, without a group: each replica reads every new path
emits    nothing
serves   the pages and their files (`/static`), `/session`, `/v1/officers/{officer_id}/live` (SSE), `/v1/system`,
         `/docs` (the services' API documents), and `/api/*`, forwarded to the owning service
calls    the recommender for the stored path when a stream opens; every replica for its state, for an admin

connections · replicas · compression · consumer · api/ (live, session, forwarding, page, system, documents) · pages/
(the browser's part) · __main__
"""
