"""Assessment: officers and the evidence of their skills.

owns    officers (one document each: profile, evidence, outbox), the archive of old evidence, item banks, adaptive
        sessions, xAPI statements with their mapping, and reports of imports
reads   `catalog.state`, for the frameworks
emits   `assessment.completed.v1`, `officer.changed.v1`, `officer.erased.v1` on `assessment.profiles`
serves  PUT, PATCH, GET, DELETE /v1/officers/{officer_id} · GET …/profile, …/self-assessment ·
        POST, GET …/assessments, …/sessions, …/shares · POST /v1/officers:import · POST /v1/assessments:import, and
        reports of imports · drafts and versions of item banks at /v1/item-banks · /xapi and /v1/xapi-mapping

model → item_bank · measurement → fusion → scoring → profile · calibration · framework_replica → store → intake
      → sessions · registration · xapi → imports → api/ · consumer → __main__
`python -m services.assessment` serves; `python -m services.assessment republish` announces every officer again.
"""
