"""The auditor: the value of the planner's paths compared with an exact solver, the baselines and the gates.

    make evaluate                               every gate; a table, .local/evaluation.json, docs/evaluation.md
    python -m tests.evaluation --quick          the same rows on small samples, about two minutes; leaves docs/ alone

    generate, officers, real    the worlds: catalogs and officers
    problem                     one officer before one catalog, in the auditor's own reading of the rules
    exact, baselines            other ways to choose courses for that problem
    quality, truth, pace, index measurements
    gates, report, pictures     what they come to

Nothing here is used by a service, and of the planner only its public entry is used.
"""
