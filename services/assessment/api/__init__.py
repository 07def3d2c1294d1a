"""The routes of the assessment service."""

from services.assessment.api.assessments import list_assessments, show_self_assessment, submit_assessment
from services.assessment.api.common import DEFAULT_FRAMEWORK, INDEX, INTAKE, KEYS, STORE
from services.assessment.api.item_banks import BANK_FILES, BANK_ROUTES, BANKS
from services.assessment.api.officers import erase_officer, get_officer, patch_officer, put_officer, show_profile
from services.assessment.api.sessions import RUNNER, SESSION_ROUTES, SESSIONS
from services.assessment.model import (
    AssessmentAccepted,
    EvidenceList,
    ListEvidence,
    OfficerPut,
    PutOfficer,
    SelfAssessmentForm,
    ShowProfile,
    SkillProfile,
    SubmitAssessment,
)
from shared.auth import ASSESSORS, PLATFORMS
from shared.domain import Profile
from shared.routes import IDEMPOTENCY_KEY, IF_ABSENT, IF_MATCH, IF_NONE_MATCH, MERGE_PATCH, MergePatch, Route

__all__ = [
    "BANKS",
    "BANK_FILES",
    "DEFAULT_FRAMEWORK",
    "INDEX",
    "INTAKE",
    "KEYS",
    "ROUTES",
    "RUNNER",
    "SESSIONS",
    "STORE",
]

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
        problems=[409, 412],
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
        problems=[412, 415],
    ),
    Route("GET", _OFFICER, get_officer, ASSESSORS, headers=[IF_NONE_MATCH], answers={200: Profile, 304: None}),
    Route("GET", f"{_OFFICER}/profile", show_profile, ASSESSORS, query=ShowProfile, answers={200: SkillProfile}),
    Route(
        "DELETE",
        _OFFICER,
        erase_officer,
        PLATFORMS,
        headers=[IF_MATCH],
        answers={204: None},
        problems=[412],
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
    *SESSION_ROUTES,
]
