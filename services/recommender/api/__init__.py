"""The routes of the recommender."""

from services.recommender.api.agencies import Agencies, AgencyView, AskGaps, ListAgencies, get_gaps, list_agencies
from services.recommender.api.context import (
    CATALOG,
    FEEDBACK_HANDLER,
    FIRST_GROUPS,
    MIN_GROUP,
    PLAN_POOL,
    RENDERED,
    RULES_CHANGED,
    STORE,
    TODAY,
    TOKEN_KEY,
    VIEWERS,
    WORK_QUEUE,
    today_in,
)
from services.recommender.api.explanations import (
    AskSimilar,
    SimilarCourses,
    WhyNotAnswer,
    similar_courses,
    why_not,
)
from services.recommender.api.feedback import (
    FeedbackPage,
    FeedbackTaken,
    GiveFeedback,
    ListFeedback,
    get_feedback,
    give_feedback,
)
from services.recommender.api.open_skills import OpenSkills, list_open_skills
from services.recommender.api.paths import (
    AskPath,
    ListPaths,
    Messages,
    PathRevisions,
    StoredPath,
    get_messages,
    get_path,
    list_paths,
)
from services.recommender.api.recommendations import Recommendation, RecommendationRequest, recommend
from services.recommender.api.rules import PutRules, Rules, RulesPut, get_rules, patch_rules, put_rules
from services.recommender.api.supervision import (
    ListOfficerPaths,
    OfficerPaths,
    SupervisionPolicy,
    get_supervision,
    list_officer_paths,
    put_supervision,
)
from shared.auth import ADMINS, ANALYSTS, ASSESSORS, EDITORS, EVERYONE, OVERSEERS, PLATFORMS, READERS
from shared.routes import (
    ACCEPT_LANGUAGE,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    MERGE_PATCH,
    AskWords,
    MergePatch,
    Route,
)

__all__ = [
    "CATALOG",
    "FEEDBACK_HANDLER",
    "FIRST_GROUPS",
    "MIN_GROUP",
    "PLAN_POOL",
    "RENDERED",
    "ROUTES",
    "RULES_CHANGED",
    "STORE",
    "TODAY",
    "TOKEN_KEY",
    "VIEWERS",
    "WORK_QUEUE",
    "today_in",
]

_PATH = "/v1/officers/{officer_id}/path"
_FEEDBACK = "/v1/officers/{officer_id}/feedback"
_HELD = [IF_NONE_MATCH]
_RULES_EXAMPLE = {
    "rules": [
        {"field": "provider", "values": ["สถาบันตัวอย่าง"], "bias": 2},
        {"field": "modality", "values": ["classroom"], "bias": 0},
    ],
    "mandatory": ["personal-data-law"],
}
_REQUEST_EXAMPLE = {
    "framework": "th-digital-2018",
    "target": {"dlit-safety": 3},
    "levels": {"dlit-safety": 1, "dlit-access": {"level": 2, "sd": 0.5}},
    "budget_hours": 20,
}
ROUTES = [
    Route(
        "GET",
        _PATH,
        get_path,
        READERS,
        query=AskPath,
        headers=[*_HELD, ACCEPT_LANGUAGE],
        answers={200: StoredPath, 304: None},
        problems=[503],
    ),
    Route(
        "GET", "/v1/officers/{officer_id}/paths", list_paths, EVERYONE, query=ListPaths, answers={200: PathRevisions}
    ),
    Route("GET", "/v1/messages", get_messages, EVERYONE, query=AskWords, answers={200: Messages}),
    Route(
        "GET",
        _PATH + "/why-not/{course_id}",
        why_not,
        EVERYONE,
        query=AskWords,
        headers=[ACCEPT_LANGUAGE],
        answers={200: WhyNotAnswer},
        problems=[429, 503],
        apart=True,
    ),
    Route(
        "POST",
        _FEEDBACK,
        give_feedback,
        EVERYONE,
        body=GiveFeedback,
        example={"course": "access-for-all", "action": "completed", "at": "2026-11-20T16:30:00+07:00"},
        headers=[IDEMPOTENCY_KEY],
        answers={200: FeedbackTaken},
        problems=[409, 429, 503],
    ),
    Route("GET", _FEEDBACK, get_feedback, EVERYONE, query=ListFeedback, answers={200: FeedbackPage}),
    Route(
        "POST",
        "/v1/recommendations",
        recommend,
        EVERYONE,
        query=AskWords,
        body=RecommendationRequest,
        headers=[ACCEPT_LANGUAGE],
        example=_REQUEST_EXAMPLE,
        answers={200: Recommendation},
        problems=[404, 429, 503],
        reads=True,
        apart=True,
    ),
    Route(
        "GET",
        "/v1/courses/{course_id}/similar",
        similar_courses,
        EVERYONE,
        query=AskSimilar,
        answers={200: SimilarCourses},
        problems=[429, 503],
        apart=True,
    ),
    Route(
        "PUT",
        "/v1/rules",
        put_rules,
        ADMINS,
        body=PutRules,
        example=_RULES_EXAMPLE,
        headers=[IF_MATCH],
        answers={200: RulesPut},
        problems=[412],
    ),
    Route(
        "PATCH",
        "/v1/rules",
        patch_rules,
        ADMINS,
        body=MergePatch,
        example={"mandatory": ["personal-data-law"]},
        accepts=MERGE_PATCH,
        headers=[IF_MATCH],
        answers={200: RulesPut},
        problems=[412, 415],
    ),
    Route("GET", "/v1/rules", get_rules, PLATFORMS, headers=_HELD, answers={200: Rules, 304: None}),
    Route(
        "PUT",
        "/v1/supervision",
        put_supervision,
        ADMINS,
        body=SupervisionPolicy,
        example={"paths": "shared"},
        answers={200: SupervisionPolicy},
    ),
    Route("GET", "/v1/supervision", get_supervision, ASSESSORS, answers={200: SupervisionPolicy}),
    Route(
        "GET",
        "/v1/agencies/{agency_id}/paths",
        list_officer_paths,
        OVERSEERS,
        query=ListOfficerPaths,
        answers={200: OfficerPaths},
    ),
    Route("GET", "/v1/open-skills", list_open_skills, EDITORS, answers={200: OpenSkills}, problems=[503]),
    Route("GET", "/v1/agencies", list_agencies, ANALYSTS, query=ListAgencies, answers={200: Agencies}),
    Route(
        "GET",
        "/v1/agencies/{agency_id}/gaps",
        get_gaps,
        ANALYSTS,
        query=AskGaps,
        answers={200: AgencyView},
        problems=[429, 503],
    ),
]
