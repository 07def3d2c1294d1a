"""The routes of the assessment service."""

from typing import Any

from services.assessment.api.assessments import list_assessments, show_self_assessment, submit_assessment
from services.assessment.api.importing import IMPORTS, REPORT, import_officers, import_results
from services.assessment.api.item_bank_files import BANK_FILE_ROUTES
from services.assessment.api.item_banks import BANK_ROUTES
from services.assessment.api.officers import (
    count_officers,
    erase_officer,
    get_officer,
    patch_officer,
    put_officer,
    show_profile,
)
from services.assessment.api.sessions import SESSION_ROUTES
from services.assessment.api.shares import SHARE_ROUTES
from services.assessment.api.xapi import XAPI_ROUTES
from services.assessment.model import (
    AssessmentAccepted,
    EvidenceList,
    FrameworkOfficers,
    ImportedOfficer,
    ImportedResult,
    ImportResults,
    ImportRows,
    ListEvidence,
    OfficerPut,
    PutOfficer,
    SelfAssessmentForm,
    ShowProfile,
    SkillProfile,
    SubmitAssessment,
)
from shared.auth import ASSESSORS, EDITORS, PLATFORMS
from shared.domain import Profile
from shared.imports.rows import ImportList, ImportReport, ListImports, ListRows, RowPage, RowResult
from shared.imports.streaming import REPORT_PLACE, list_import_rows, list_imports, show_import
from shared.routes import (
    IDEMPOTENCY_KEY,
    IF_ABSENT,
    IF_MATCH,
    IF_NONE_MATCH,
    IMPORT_KEY,
    MERGE_PATCH,
    Handler,
    MergePatch,
    Route,
)

_OFFICER = "/v1/officers/{officer_id}"
_REGISTRATION = {
    "job_group": "service",
    "agency": "dept-a",
    "framework": "th-digital-2018",
    "stage": "early",
    "languages": ["th", "en"],
    "weekly_hours": 2,
    "deadline": "2027-09-30",
}
_ASSESSMENT = {
    "framework": "th-digital-2018",
    "kind": "test",
    "results": [{"skill": "dlit-safety", "level": 1}, {"skill": "ds-service-design", "level": 1.5, "sd": 0.4}],
    "taken_at": "2026-11-02T09:00:00+07:00",
}
_NDJSON = "application/x-ndjson"
_RESULT = {
    "officer": "officer-014",
    "skill": "dlit-safety",
    "level": 2,
    "taken_at": "2026-11-02T09:00:00+07:00",
    "key": "lms-2026-000123",
}


def _import(
    path: str, handler: Handler, body: type, example: dict[str, Any], query: type[ImportRows] = ImportRows
) -> Route:
    """Return the route of an import, which is open to platforms."""
    return Route(
        "POST",
        path,
        handler,
        PLATFORMS,
        body=body,
        example=example,
        query=query,
        headers=[IMPORT_KEY],
        answers={200: (RowResult, ImportReport)},
        problems=[409],
        streams=True,
        accepts=_NDJSON,
        produces=_NDJSON,
        sets=[REPORT_PLACE],
    )


ROUTES = [
    Route(
        "PUT",
        _OFFICER,
        put_officer,
        PLATFORMS,
        body=PutOfficer,
        example=_REGISTRATION,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: OfficerPut, 201: OfficerPut},
        problems=[409],
    ),
    Route(
        "PATCH",
        _OFFICER,
        patch_officer,
        PLATFORMS,
        body=MergePatch,
        example={"weekly_hours": 4, "deadline": None},
        accepts=MERGE_PATCH,
        headers=[IF_MATCH],
        answers={200: OfficerPut},
    ),
    Route("GET", _OFFICER, get_officer, ASSESSORS, headers=[IF_NONE_MATCH], answers={200: Profile, 304: None}),
    Route("GET", "/v1/frameworks/{framework_id}/officers", count_officers, EDITORS, answers={200: FrameworkOfficers}),
    Route("GET", f"{_OFFICER}/profile", show_profile, ASSESSORS, query=ShowProfile, answers={200: SkillProfile}),
    Route(
        "DELETE",
        _OFFICER,
        erase_officer,
        PLATFORMS,
        headers=[IF_MATCH],
        answers={204: None},
    ),
    Route(
        "POST",
        f"{_OFFICER}/assessments",
        submit_assessment,
        ASSESSORS,
        body=SubmitAssessment,
        example=_ASSESSMENT,
        headers=[IDEMPOTENCY_KEY],
        answers={202: AssessmentAccepted},
        problems=[409],
    ),
    Route("GET", f"{_OFFICER}/self-assessment", show_self_assessment, ASSESSORS, answers={200: SelfAssessmentForm}),
    Route(
        "GET", f"{_OFFICER}/assessments", list_assessments, ASSESSORS, query=ListEvidence, answers={200: EvidenceList}
    ),
    *BANK_ROUTES,
    *BANK_FILE_ROUTES,
    *SESSION_ROUTES,
    *SHARE_ROUTES,
    *XAPI_ROUTES,
    _import("/v1/assessments:import", import_results, ImportedResult, _RESULT, ImportResults),
    _import("/v1/officers:import", import_officers, ImportedOfficer, {"officer": "officer-014", **_REGISTRATION}),
    Route("GET", IMPORTS, list_imports, PLATFORMS, query=ListImports, answers={200: ImportList}),
    Route("GET", REPORT, show_import, PLATFORMS, answers={200: ImportReport}),
    Route("GET", f"{REPORT}/rows", list_import_rows, PLATFORMS, query=ListRows, answers={200: RowPage}),
]
