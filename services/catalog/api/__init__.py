"""The table of the catalog's routes: method, path, handler, roles, request and answers of each."""

from typing import Any

from services.catalog.api.courses import get_course, list_courses, patch_course, put_course, withdraw_course
from services.catalog.api.drafts import (
    DraftPut,
    FrameworkVersions,
    ListVersions,
    approve_draft,
    comment_draft,
    delete_draft,
    get_draft,
    list_versions,
    publish_draft,
    put_draft,
    review_draft,
    show_impact,
)
from services.catalog.api.exporting import COURSE_FILES, ExportCourses, export_courses
from services.catalog.api.framework_import import (
    FILE_LIMIT,
    NOT_HELD,
    ExportFramework,
    FrameworkFile,
    FrameworkImport,
    ImportFramework,
    RefusedImport,
    export_framework,
    import_framework,
)
from services.catalog.api.frameworks import get_framework, list_frameworks, patch_framework, put_framework
from services.catalog.api.health import show_health
from services.catalog.api.importing import CourseImportList, import_courses
from services.catalog.api.matches import (
    confirm_many,
    confirm_matches,
    correct_many,
    correct_matches,
    list_matches,
    reject_many,
    reject_matches,
    show_matches,
)
from services.catalog.drafts import CommentDraft, FrameworkDraft, FrameworkImpact, ProposeDraft, SignDraft
from services.catalog.frameworks import FORMATS
from services.catalog.health import CatalogHealth
from services.catalog.match_requests import (
    CorrectCourseMatches,
    CorrectMatches,
    CourseMatches,
    DecideCourseMatches,
    DecideMatches,
    ListMatches,
    MatchPage,
    MatchResults,
)
from services.catalog.model import (
    CourseImportReport,
    CoursePage,
    CoursePut,
    FrameworkList,
    FrameworkPut,
    ImportCourses,
    ListCourses,
    ListFrameworks,
    ShowFramework,
)
from shared.auth import ADMINS, EDITORS, PLATFORMS, SIGNED_IN, Policy
from shared.domain import Course, Framework
from shared.imports.rows import ListImports, ListRows, RowPage, RowResult
from shared.imports.streaming import REPORT_PLACE, list_import_rows, list_imports, show_import
from shared.routes import FILE_NAME, IF_ABSENT, IF_MATCH, IF_NONE_MATCH, MERGE_PATCH, Handler, MergePatch, Route

_FRAMEWORK_LIMIT = 32 * 1024 * 1024
_COURSE = "/v1/courses/{course_id}"
_FRAMEWORK = "/v1/frameworks/{framework_id}"
_DRAFT = f"{_FRAMEWORK}/draft"
_DRAFT_STEPS: list[tuple[str, Handler, Any]] = [
    ("review", review_draft, SignDraft),
    ("approve", approve_draft, SignDraft),
    ("comment", comment_draft, CommentDraft),
]
_PUT_COURSE = {200: CoursePut, 201: CoursePut}
_PUT_FRAMEWORK = {200: FrameworkPut, 201: FrameworkPut}
_NDJSON = "application/x-ndjson"
_GUARDS = [IF_MATCH, IF_ABSENT]
_COURSE_EXAMPLE = {
    "id": "access-for-all",
    "title": {"th": "บริการดิจิทัลที่ทุกคนเข้าถึงได้", "en": "Digital Access for All"},
    "provider": {"th": "สถาบันตัวอย่าง", "en": "Example Institute"},
    "hours": 6,
    "languages": ["th"],
    "teaches": [{"framework": "th-digital-2018", "skill": "dlit-access", "from": 2, "to": 3}],
    "requires": [
        {"any": [{"course": "digital-basics"}, {"framework": "th-digital-2018", "skill": "dlit-safety", "level": 1}]}
    ],
    "url": "https://example.org/courses/access-for-all",
    "completions": {"started": 1200, "completed": 960},
    "rating": {"mean": 4.4, "count": 310},
}
_FRAMEWORK_EXAMPLE = {
    "id": "agency-skills",
    "title": {"th": "ทักษะของหน่วยงาน", "en": "Skills of the agency"},
    "scale": [
        {"level": 0, "title": {"th": "ไม่มี", "en": "None"}},
        {"level": 1, "title": {"th": "พื้นฐาน", "en": "Basic"}},
        {"level": 2, "title": {"th": "ชำนาญ", "en": "Proficient"}},
    ],
    "areas": [{"id": "records", "title": {"th": "งานสารบรรณ", "en": "Records"}}],
    "skills": [{"id": "archiving", "area": "records", "title": {"th": "การจัดเก็บเอกสาร", "en": "Archiving"}}],
    "job_groups": [{"id": "clerks", "title": {"th": "งานธุรการ", "en": "Clerks"}}],
    "requirements": [{"job_group": "clerks", "skill": "archiving", "level": 2, "weight": 1.5}],
}
_NAMED = {"framework": "th-digital-2018", "skill": "dt-analytics"}
_RIGHT = {"right": {"skill": "dt-analytics", "from": 1, "to": 2}}
_OF_COURSE = {"course": "data-basics"}


def _matches(path: str, handler: Handler, body: type, answers: type, example: dict[str, Any]) -> Route:
    """Return the route of a decision on matches."""
    one = path.startswith(_COURSE)
    return Route(
        "POST",
        path,
        handler,
        EDITORS,
        body=body,
        example={"matches": [example]},
        headers=[IF_MATCH] if one else [],
        answers={200: answers},
        problems=[409] if one else [],
    )


_EXPORTERS = Policy(EDITORS.roles | PLATFORMS.roles)

ROUTES = [
    Route(
        "PUT",
        _COURSE,
        put_course,
        EDITORS,
        body=Course,
        example=_COURSE_EXAMPLE,
        headers=_GUARDS,
        answers=_PUT_COURSE,
    ),
    Route(
        "PATCH",
        _COURSE,
        patch_course,
        EDITORS,
        body=MergePatch,
        example={"hours": 4.5, "title": {"en": "Access for All"}, "url": None},
        accepts=MERGE_PATCH,
        headers=[IF_MATCH],
        answers={200: CoursePut},
        problems=[409],
    ),
    Route(
        "GET", _COURSE, get_course, SIGNED_IN, headers=[IF_NONE_MATCH], answers={200: Course, 304: None}, problems=[409]
    ),
    Route("DELETE", _COURSE, withdraw_course, EDITORS, headers=[IF_MATCH], answers={204: None}),
    Route("GET", "/v1/courses", list_courses, SIGNED_IN, query=ListCourses, answers={200: CoursePage}),
    Route(
        "POST",
        "/v1/courses:import",
        import_courses,
        EDITORS,
        body=Course,
        example=_COURSE_EXAMPLE,
        query=ImportCourses,
        answers={200: (RowResult, CourseImportReport)},
        problems=[409],
        streams=True,
        accepts=_NDJSON,
        produces=_NDJSON,
        sets=[REPORT_PLACE],
    ),
    Route(
        "GET",
        "/v1/courses:export",
        export_courses,
        _EXPORTERS,
        query=ExportCourses,
        answers={200: Course},
        streams=True,
        produces=[kind.partition(";")[0] for kind in COURSE_FILES.values()],
        sets=[FILE_NAME],
    ),
    Route("GET", "/v1/imports", list_imports, EDITORS, query=ListImports, answers={200: CourseImportList}),
    Route("GET", "/v1/imports/{import_id}", show_import, EDITORS, answers={200: CourseImportReport}),
    Route("GET", "/v1/imports/{import_id}/rows", list_import_rows, EDITORS, query=ListRows, answers={200: RowPage}),
    Route(
        "PUT",
        _FRAMEWORK,
        put_framework,
        ADMINS,
        body=Framework,
        example=_FRAMEWORK_EXAMPLE,
        headers=_GUARDS,
        answers=_PUT_FRAMEWORK,
        problems=[409],
        limit=_FRAMEWORK_LIMIT,
    ),
    Route(
        "PATCH",
        _FRAMEWORK,
        patch_framework,
        ADMINS,
        body=MergePatch,
        example={"description": {"th": "ฉบับปรับปรุง", "en": "Revised"}},
        accepts=MERGE_PATCH,
        headers=[IF_MATCH],
        answers={200: FrameworkPut},
        problems=[409],
        limit=_FRAMEWORK_LIMIT,
    ),
    Route(
        "POST",
        "/v1/frameworks:import",
        import_framework,
        ADMINS,
        body=FrameworkFile,
        example="role,skill,level\nclerk,archiving,2\n",
        query=ImportFramework,
        headers=_GUARDS,
        answers={200: FrameworkImport, 201: FrameworkImport, 422: RefusedImport},
        problems=[409],
        accepts="text/csv",
        limit=FILE_LIMIT,
    ),
    Route(
        "GET",
        f"{_FRAMEWORK}:export",
        export_framework,
        SIGNED_IN,
        query=ExportFramework,
        answers={200: None},
        produces=sorted({form.accepts[0] for form in FORMATS.values()}),
        sets=[FILE_NAME, NOT_HELD],
    ),
    Route(
        "PUT",
        _DRAFT,
        put_draft,
        EDITORS,
        body=ProposeDraft,
        example={"framework": _FRAMEWORK_EXAMPLE, "by": "S. Wongsuwan", "comment": "after the circular of 2027"},
        headers=_GUARDS,
        answers={200: DraftPut, 201: DraftPut},
        problems=[409],
        limit=_FRAMEWORK_LIMIT,
    ),
    Route("GET", _DRAFT, get_draft, EDITORS, headers=[IF_NONE_MATCH], answers={200: FrameworkDraft, 304: None}),
    Route("DELETE", _DRAFT, delete_draft, EDITORS, headers=[IF_MATCH], answers={204: None}),
    *(
        Route(
            "POST",
            f"{_DRAFT}:{name}",
            handler,
            EDITORS,
            body=shape,
            example={"by": "P. Chaiyasit", "comment": "as agreed on 4 March"},
            headers=[IF_MATCH],
            answers={200: DraftPut},
            problems=[409],
        )
        for name, handler, shape in _DRAFT_STEPS
    ),
    Route(
        "POST",
        f"{_DRAFT}:publish",
        publish_draft,
        EDITORS,
        headers=[IF_MATCH],
        answers={200: FrameworkPut},
        problems=[409, 413],
    ),
    Route("GET", f"{_FRAMEWORK}:impact", show_impact, EDITORS, answers={200: FrameworkImpact}),
    Route(
        "GET", f"{_FRAMEWORK}/versions", list_versions, SIGNED_IN, query=ListVersions, answers={200: FrameworkVersions}
    ),
    Route(
        "GET",
        _FRAMEWORK,
        get_framework,
        SIGNED_IN,
        query=ShowFramework,
        headers=[IF_NONE_MATCH],
        answers={200: Framework, 304: None},
        problems=[409],
    ),
    Route("GET", "/v1/frameworks", list_frameworks, SIGNED_IN, query=ListFrameworks, answers={200: FrameworkList}),
    Route(
        "GET",
        f"{_COURSE}/matches",
        show_matches,
        EDITORS,
        headers=[IF_NONE_MATCH],
        answers={200: CourseMatches, 304: None},
        problems=[409],
    ),
    _matches(f"{_COURSE}/matches:confirm", confirm_matches, DecideMatches, CourseMatches, _NAMED),
    _matches(f"{_COURSE}/matches:reject", reject_matches, DecideMatches, CourseMatches, _NAMED),
    _matches(f"{_COURSE}/matches:correct", correct_matches, CorrectMatches, CourseMatches, _NAMED | _RIGHT),
    Route("GET", "/v1/matches", list_matches, EDITORS, query=ListMatches, answers={200: MatchPage}),
    _matches("/v1/matches:confirm", confirm_many, DecideCourseMatches, MatchResults, _OF_COURSE | _NAMED),
    _matches("/v1/matches:reject", reject_many, DecideCourseMatches, MatchResults, _OF_COURSE | _NAMED),
    _matches("/v1/matches:correct", correct_many, CorrectCourseMatches, MatchResults, _OF_COURSE | _NAMED | _RIGHT),
    Route("GET", "/v1/catalog/health", show_health, EDITORS, answers={200: CatalogHealth}, reads=True),
]
