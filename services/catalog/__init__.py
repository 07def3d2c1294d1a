"""Catalog: courses, and the frameworks that measure skills.

owns    courses with their matches, and frameworks (with their outbox: one document each); drafts of frameworks; the
        history of courses and frameworks; reports of imports
reads   `catalog.state`, its own topic: the relay reads it back, and every replica follows it for its search index
emits   on `catalog.state`, stamped by the relay: `course.published.v1`, `course.withdrawn.v1`,
        `framework.published.v1`; of a large framework `framework.published.v2` and its parts, `framework.part.v1`
serves  PUT, PATCH, GET, DELETE /v1/courses/{course_id} · GET /v1/courses, a list or a search ·
        POST /v1/courses:import · GET /v1/courses:export · GET /v1/imports/{import_id} ·
        GET /v1/imports/{import_id}/rows ·
        PUT, PATCH, GET /v1/frameworks/{framework_id} · its versions, and its draft with review and approval · GET
        /v1/frameworks · POST /v1/frameworks:import ·
        GET /v1/courses/{course_id}/matches and :confirm, :reject, :correct · the same for many on /v1/matches ·
        GET /v1/catalog/health

model → matching, matches → entries → store → importers, match_store → imports, matching_loop → api → __main__; the
history is written from what the relay reads back from the topic. `python -m services.catalog` serves; `republish`
announces every entry again, `match` matches again each course that lacks rows in a framework in use, `calibrate` fits
the confidence of matches, `import` and `check` read a file of courses, and `export` writes one.
"""
