"""The routes of the catalogue."""

from services.catalog.api.courses import get_course, list_courses, put_course, withdraw_course
from services.catalog.api.entries import HISTORY, STORE
from services.catalog.api.frameworks import get_framework, list_frameworks, put_framework
from services.catalog.api.importing import import_courses
from services.catalog.model import (
    CoursePage,
    CoursePut,
    FrameworkList,
    FrameworkPut,
    ListCourses,
    ListFrameworks,
    RowResult,
    ShowFramework,
)
from shared.auth import ADMINS, EVERYONE
from shared.routes import IF_ABSENT, IF_MATCH, IF_NONE_MATCH, Route
from shared.skills import Course, Framework

__all__ = ["HISTORY", "ROUTES", "STORE"]

_FRAMEWORK_LIMIT = 16 * 1024 * 1024
_COURSE = "/v1/courses/{course_id}"
_FRAMEWORK = "/v1/frameworks/{framework_id}"
_PUT_COURSE = {200: CoursePut, 201: CoursePut}
_PUT_FRAMEWORK = {200: FrameworkPut, 201: FrameworkPut}
_NDJSON = "application/x-ndjson"
_GUARDS = [IF_MATCH, IF_ABSENT]
ROUTES = [
    Route("PUT", _COURSE, put_course, ADMINS, body=Course, headers=_GUARDS, answers=_PUT_COURSE, problems=[412]),
    Route("GET", _COURSE, get_course, EVERYONE, headers=[IF_NONE_MATCH], answers={200: Course, 304: None}),
    Route("DELETE", _COURSE, withdraw_course, ADMINS, headers=[IF_MATCH], answers={204: None}, problems=[412]),
    Route("GET", "/v1/courses", list_courses, EVERYONE, query=ListCourses, answers={200: CoursePage}),
    Route(
        "POST",
        "/v1/courses:import",
        import_courses,
        ADMINS,
        body=Course,
        answers={200: RowResult},
        streams=True,
        accepts=_NDJSON,
        produces=_NDJSON,
    ),
    Route(
        "PUT",
        _FRAMEWORK,
        put_framework,
        ADMINS,
        body=Framework,
        headers=_GUARDS,
        answers=_PUT_FRAMEWORK,
        problems=[412],
        limit=_FRAMEWORK_LIMIT,
    ),
    Route(
        "GET",
        _FRAMEWORK,
        get_framework,
        EVERYONE,
        query=ShowFramework,
        headers=[IF_NONE_MATCH],
        answers={200: Framework, 304: None},
    ),
    Route("GET", "/v1/frameworks", list_frameworks, EVERYONE, query=ListFrameworks, answers={200: FrameworkList}),
]
