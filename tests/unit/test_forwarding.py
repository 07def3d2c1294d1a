"""Which service owns a path that the portal passes on."""

import pytest

from services.portal.api.forwarding import owner_of


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/officers/o1", "assessment"),
        ("/v1/officers/o1/assessments", "assessment"),
        ("/v1/officers/o1/sessions", "assessment"),
        ("/v1/officers/o1/sessions/s1", "assessment"),
        ("/v1/officers/o1/sessions/s1/answers", "assessment"),
        ("/v1/officers/o1/sessions/s1:stop", "assessment"),
        ("/v1/officers/o1/sessions/s1/answers/2", None),
        ("/v1/officers/o1/path", "recommender"),
        ("/v1/officers/o1/paths", "recommender"),
        ("/v1/officers/o1/paths/1", None),
        ("/v1/officers/o1/paths/why-not/c1", None),
        ("/v1/officers/o1/path/why-not/c1", "recommender"),
        ("/v1/officers/o1/feedback", "recommender"),
        ("/v1/recommendations", "recommender"),
        ("/v1/rules", "recommender"),
        ("/v1/agencies", "recommender"),
        ("/v1/agencies/north/gaps", "recommender"),
        ("/v1/courses/c1/similar", "recommender"),
        ("/v1/courses/c1", "catalog"),
        ("/v1/frameworks/fw", "catalog"),
        ("/v1/courses:import", "catalog"),
        ("/v1/imports/i1", "catalog"),
        ("/v1/imports/i1/rows", "catalog"),
        ("/v1/imports", "catalog"),
        ("/v1/assessments/imports", "assessment"),
        ("/v1/imports/i1/rows/2", None),
        ("/v1/officers/o1/path/other", None),
        ("/v1/officers/o1/feedback/x", None),
        ("/v1/agencies/north", None),
        ("/metrics", None),
    ],
)
def test_every_path_has_one_owner_and_nothing_else_is_forwarded(path: str, owner: str | None) -> None:
    assert owner_of(path) == owner
