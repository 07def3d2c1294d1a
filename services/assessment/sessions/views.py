"""Represents a session in answers: as a step, in full, or as a row of a list. Pure."""

from datetime import datetime

from services.assessment.model import assessment_id_of
from services.assessment.sessions.adaptive import Sitting, measures, seconds_left
from services.assessment.sessions.model import (
    AskedItem,
    Session,
    SessionDetail,
    SessionEnding,
    SessionItem,
    SessionResult,
    SessionRow,
    SessionStep,
    SessionSummary,
    submission_key,
)
from shared.domain import LocalizedText

ENDINGS: dict[SessionEnding, LocalizedText] = {
    "complete": LocalizedText(
        "ประเมินครบทุกทักษะเท่าที่ข้อประเมินที่มีจะวัดได้แล้ว", "Every skill was asked about as far as the items can tell."
    ),
    "item_limit": LocalizedText("ตอบครบจำนวนข้อที่กำหนดแล้ว", "The number of items that was set is reached."),
    "time_limit": LocalizedText("หมดเวลาที่กำหนดแล้ว", "The time that was set has passed."),
    "stopped": LocalizedText("หยุดการประเมินตามที่ขอ", "The session was stopped on request."),
    "left": LocalizedText("ไม่มีการตอบต่อ จึงปิดการประเมิน", "No answer came any more, so the session was ended."),
}
_FEW_ITEMS = LocalizedText(
    "คลังข้อประเมินมีข้อไม่พอที่จะประเมิน {count} ทักษะให้แม่นยำกว่านี้",
    "The item bank has too few items to measure {count} of the skills more surely.",
)


def step_of(sitting: Sitting, now: datetime) -> SessionStep:
    """Return a session's next item or its result, with its progress."""
    session = sitting.session
    return SessionStep(
        session=session.plan.id,
        officer=session.plan.officer,
        status="finished" if session.end else "open",
        item=_item(sitting, now),
        progress=_progress(session),
        result=_result(session),
    )


def detail_of(sitting: Sitting, now: datetime) -> SessionDetail:
    """Return a whole session: the items asked, the estimate of each level, and the item to answer or the result."""
    session, plan = sitting.session, sitting.plan
    return SessionDetail(
        session=plan.id,
        officer=plan.officer,
        status="finished" if session.end else "open",
        framework=plan.framework,
        bank=plan.bank,
        bank_version=plan.bank_version,
        started_at=plan.started_at,
        item=_item(sitting, now),
        progress=_progress(session),
        asked=[
            AskedItem(i, one.item, one.skill, one.response, one.answered_at) for i, one in enumerate(session.answers, 1)
        ],
        skills=session.end.skills if session.end else measures(sitting),
        result=_result(session),
    )


def row_of(session: Session) -> SessionRow:
    """Return the row of a session in a list."""
    return SessionRow(
        session=session.plan.id,
        status="finished" if session.end else "open",
        framework=session.plan.framework,
        started_at=session.plan.started_at,
        answered=sum(one.response is not None for one in session.answers),
        ending=session.end.ending if session.end else None,
        profile_sequence=session.profile_sequence,
    )


def _item(sitting: Sitting, now: datetime) -> SessionItem | None:
    session = sitting.session
    if session.current is None:
        return None
    item = sitting.pool.items[session.current.item]
    left = seconds_left(session, now)
    return SessionItem(
        id=item.id,
        sequence=len(session.answers) + 1,
        skill=item.skill,
        kind=item.kind,
        stem=item.stem,
        options=item.options,
        seconds_left=None if left is None else max(round(left, 3), 0.0),
    )


def _progress(session: Session) -> SessionSummary:
    return SessionSummary(
        shown=len(session.answers) + (session.current is not None),
        answered=sum(one.response is not None for one in session.answers),
        max_items=session.plan.max_items,
        skills_measured=len(session.stopped),
        skills=len(session.plan.skills),
    )


def _result(session: Session) -> SessionResult | None:
    end, plan = session.end, session.plan
    if end is None:
        return None
    measured = any(one.level is not None for one in end.skills)
    return SessionResult(
        ending=end.ending,
        explanation=_explanation(session),
        ended_at=end.ended_at,
        skills=end.skills,
        not_precise=[one.skill for one in end.skills if not one.precise and one.reason != "decided"],
        assessment_id=assessment_id_of(plan.tenant, plan.officer, submission_key(plan)) if measured else None,
        profile_sequence=session.profile_sequence,
        accepted=session.settled,
    )


def _explanation(session: Session) -> LocalizedText:
    if session.end is None:
        raise ValueError("a session that goes on has no explanation")
    text = ENDINGS[session.end.ending]
    short = sum(one.reason in ("no_items_left", "little_to_gain") and not one.precise for one in session.end.skills)
    if not short:
        return text
    few_th, few_en = str(_FEW_ITEMS.th).format(count=short), str(_FEW_ITEMS.en).format(count=short)
    return LocalizedText(f"{text.th} {few_th}", f"{text.en} {few_en}")
