"""The words for what is not in a path: a course that was wanted or asked for, a path that cannot be given yet."""

from collections.abc import Callable
from typing import Literal

from services.recommender.model import MICRO, Inputs
from services.recommender.ranking.reasons import Short, hours_in_english, number
from shared.paths import Note, Reason
from shared.skills import Course

LONGEST_CAUSE = 300

Gone = Literal["withdrawn", "unknown"]


def gone(inputs: Inputs, course_id: str) -> Gone:
    """Return what is known of a course that is not to be seen: it was offered once, or only its name was ever given."""
    return "withdrawn" if course_id in inputs.previous or course_id in inputs.started else "unknown"


def unknown_completed(inputs: Inputs, find: Callable[[str], Course | None]) -> list[Note]:
    """Return a note on every completed course that is not to be seen, by id."""
    reason = Reason(*_LEFT_OUT["completed_unknown"])
    return [Note(name, "unknown", reason) for name in sorted(inputs.done) if find(name) is None]


def left_out_reason(kind: str, short: Short | None = None) -> Reason:
    """Return why a course that was wanted is not in the path. `short`: the hours, where they are what is missing."""
    if kind == "does_not_fit":
        if short is None:
            return Reason(*_LEFT_OUT["no_steps"])
        most_th, most_en = ("", "") if short.proved else ("ไม่เกิน ", "at most ")
        return Reason(
            f"เวลาไม่พอสำหรับหลักสูตรนี้ ขาดอีก{most_th or ' '}{number(short.missing)} ชั่วโมง",
            f"Does not fit: short by {most_en}{hours_in_english(short.missing)}.",
        )
    return Reason(*_LEFT_OUT[kind])


_LEFT_OUT = {
    "withdrawn": ("หลักสูตรนี้ถูกถอนออกจากรายการแล้ว", "This course has been withdrawn."),
    "unknown": (
        "ไม่พบหลักสูตรนี้ในรายการหลักสูตร โปรดตรวจสอบรหัสหลักสูตร",
        "No course of this id is in the catalogue; please check the id.",
    ),
    "completed_unknown": (
        "แจ้งว่าเรียนจบแล้ว แต่ไม่พบหลักสูตรนี้ในรายการหลักสูตร จึงไม่ทราบว่าสอนทักษะใด",
        "Completed, but no course of this id is in the catalogue, so what it teaches is not known.",
    ),
    "excluded": (
        "หลักสูตรนี้ถูกกันไว้ตามเงื่อนไขหรือความเห็นที่แจ้งไว้",
        "This course is kept out by a rule, a language or feedback.",
    ),
    "unreachable": (
        "ต้องมีพื้นฐานก่อน ซึ่งยังไม่มีหลักสูตรใดพาไปถึงได้",
        "It has prerequisites that no available course leads to.",
    ),
    "no_steps": ("จำนวนหลักสูตรในเส้นทางครบตามที่กำหนดไว้แล้ว", "The path may hold no more courses."),
}


def waiting_reason(framework: str, version: int) -> Reason:
    """Return the word to an officer whose framework has not arrived yet."""
    return Reason(
        f"ยังจัดเส้นทางการเรียนรู้ไม่ได้ เพราะกำลังรอกรอบทักษะ {framework} รุ่น {version} เมื่อได้รับแล้วระบบจะจัดให้ทันที",
        f"Waiting for framework {framework}, version {version}; the path is planned as soon as it arrives.",
    )


def refused_reason(why: str) -> Reason:
    """Return the word to an officer for whom no path may be given; `why` is for whoever looks after the system."""
    cause = why if len(why) <= LONGEST_CAUSE else f"{why[:LONGEST_CAUSE]}..."
    return Reason(
        f"ยังจัดเส้นทางการเรียนรู้ให้ไม่ได้ ข้อมูลของคุณยังอยู่ครบถ้วน (สาเหตุ: {cause})",
        f"No path can be given for now; nothing that was entered is lost. Cause: {cause}",
    )


_WHY_NOT = {
    "no_path": (
        "ยังจัดเส้นทางการเรียนรู้ให้ไม่ได้ จึงยังไม่มีการเลือกหลักสูตรใด",
        "No path could be given yet, so no course was chosen or left out.",
    ),
    "in_path": ("หลักสูตรนี้อยู่ในเส้นทางแล้ว", "This course is in the path."),
    "completed": ("เรียนหลักสูตรนี้จบแล้ว", "This course was completed."),
    "kept": (
        "เวลายังพอสำหรับหลักสูตรนี้ แต่คงเส้นทางที่กำลังเรียนไว้ตามเดิม หากต้องการเรียน ให้เลือกเก็บหลักสูตรนี้ไว้",
        "It fits, but the path that is being studied stays as it was promised; pin the course to add it.",
    ),
    "feedback": ("แจ้งไว้ว่าหลักสูตรนี้ไม่เกี่ยวข้อง", "It was marked as not relevant."),
    "language": ("หลักสูตรนี้ไม่มีในภาษาที่เลือกไว้", "It is not offered in a language that was chosen."),
    "rule": ("หลักสูตรนี้ถูกกันไว้ตามเงื่อนไขที่ตั้งไว้", "A rule keeps it out."),
    "unreachable": (
        "ต้องมีพื้นฐานก่อน ซึ่งยังไม่มีหลักสูตรใดพาไปถึงได้",
        "It has prerequisites that no available course leads to.",
    ),
    "nothing_left": (
        "หลักสูตรนี้ไม่ช่วยปิดช่องว่างใดเพิ่มจากเส้นทางที่มีอยู่",
        "It closes no gap beyond what the path closes.",
    ),
}


def why_not_reason(  # noqa: PLR0913 - the numbers of one sentence, given by name
    cause: str,
    *,
    step: int = 0,
    score: float = 0,
    taken: float = 0,
    hours: float = 0,
    proved: bool = True,
    short: Short | None = None,
) -> Reason:
    """Return why a course is not in a path. `score`, `taken`: micro-levels per hour; `hours`: of the shortest way.

    `proved`: no way is shorter. `short`: the hours, where they are what is missing.
    """
    if cause in _WHY_NOT:
        return Reason(*_WHY_NOT[cause])
    if cause == "does_not_fit":
        return left_out_reason(cause, short)
    most_th, most_en = ("", "") if proved else ("ไม่เกิน ", "at most ")
    own, other = number(score / MICRO), number(taken / MICRO)
    thai = f"ดีที่สุดในลำดับที่ {step}: ปิดช่องว่างได้ {own} ระดับต่อชั่วโมง ใช้เวลา {most_th}{number(hours)} ชั่วโมงรวมพื้นฐาน "
    english = (
        f"At best as step {step}: {own} levels per hour, {most_en}{hours_in_english(hours)} with its prerequisites; "
    )
    if cause == "as_a_whole":
        return Reason(
            f"{thai}มากกว่าหลักสูตรที่เลือก ({other}) แต่เส้นทางโดยรวมปิดช่องว่างได้มากกว่าเมื่อไม่มีหลักสูตรนี้",
            f"{english}more than what was taken there ({other}), but the path as a whole closes more without it.",
        )
    return Reason(f"{thai}หลักสูตรที่เลือกได้ {other}", f"{english}what was taken there has {other}.")
