"""The routes of the assessment service."""

from services.assessment.api.assessments import list_assessments, show_self_assessment, submit_assessment
from services.assessment.api.common import DEFAULT_FRAMEWORK, INDEX, INTAKE, KEYS, STORE
from services.assessment.api.item_banks import (
    BANK_FILES,
    BANKS,
    FILE_LIMIT,
    PUT_LIMIT,
    BankFile,
    BankImport,
    BankList,
    BankPage,
    BankPut,
    ExportBank,
    ImportBank,
    ListBanks,
    PutItemBank,
    ShowBank,
    delete_draft,
    export_bank,
    get_bank,
    import_bank,
    list_banks,
    publish_bank,
    put_bank,
)
from services.assessment.api.officers import erase_officer, get_officer, patch_officer, put_officer, show_profile
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
from shared.auth import ADMINS, ASSESSORS, PLATFORMS
from shared.domain import Profile
from shared.routes import IDEMPOTENCY_KEY, IF_ABSENT, IF_MATCH, IF_NONE_MATCH, MERGE_PATCH, MergePatch, Route

__all__ = ["BANKS", "BANK_FILES", "DEFAULT_FRAMEWORK", "INDEX", "INTAKE", "KEYS", "ROUTES", "STORE"]

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
_BANK = "/v1/item-banks/{bank_id}"
_ITEM_BANK = {
    "framework": "th-digital-2018",
    "title": {"th": "ชุดข้อประเมินของกรม", "en": "The department's items"},
    "items": [
        {
            "id": "safety-1",
            "skill": "dlit-safety",
            "kind": "choice",
            "level": 1,
            "stem": {"th": "ได้รับลิงก์แปลกจากผู้ไม่รู้จัก ควรทำอย่างไร", "en": "A stranger sends you a link. What do you do?"},
            "options": [
                {"th": "เปิดลิงก์เพื่อดูเนื้อหา", "en": "Open it and look"},
                {"th": "ไม่เปิด และแจ้งผู้ดูแลระบบ", "en": "Leave it and tell the administrator"},
            ],
            "key": 1,
        }
    ],
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
    Route("GET", "/v1/item-banks", list_banks, ADMINS, query=ListBanks, answers={200: BankList}),
    Route(
        "PUT",
        _BANK,
        put_bank,
        ADMINS,
        body=PutItemBank,
        example=_ITEM_BANK,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankPut, 201: BankPut},
        problems=[409, 412],
        limit=PUT_LIMIT,
    ),
    Route(
        "GET",
        _BANK,
        get_bank,
        ADMINS,
        query=ShowBank,
        headers=[IF_NONE_MATCH],
        answers={200: BankPage, 304: None},
    ),
    Route("DELETE", f"{_BANK}/draft", delete_draft, ADMINS, headers=[IF_MATCH], answers={204: None}, problems=[412]),
    Route(
        "POST",
        f"{_BANK}:publish",
        publish_bank,
        ADMINS,
        headers=[IF_MATCH],
        answers={200: BankPut},
        problems=[409, 412],
    ),
    Route(
        "POST",
        f"{_BANK}:import",
        import_bank,
        ADMINS,
        body=BankFile,
        example="id,skill,kind,level,stem_th,stem_en,option1_th,option1_en,option2_th,option2_en,right\n",
        query=ImportBank,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: BankImport},
        problems=[409, 412, 422],
        accepts="text/csv",
        limit=FILE_LIMIT,
    ),
    Route(
        "GET",
        f"{_BANK}:export",
        export_bank,
        ADMINS,
        query=ExportBank,
        answers={200: BankFile},
        produces="application/octet-stream",
    ),
]
