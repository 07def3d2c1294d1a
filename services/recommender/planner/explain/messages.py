"""The words of a path: templates in Thai and English, filled with the very numbers that stand in its fields."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import UNSET, Struct

from services.recommender.inputs import MICRO, Inputs, SkillTarget
from services.recommender.planner.exact.residual import GapBlocker, MissingHours
from shared.paths import Closes, Note, Reason
from shared.skills import Course, Prerequisite, Text

NAMED_UNLOCKS = 2
OFTEN_LEFT = 10
"""Points by which what is usually closed falls short of the whole, from which on both are said."""

NOTABLY = 1.25
"""A weight this many times the mean of the requirements counts as high; its inverse as low."""

_IMPORTANCE = {
    "high": ("ความสำคัญสูง", "high importance"),
    "usual": ("ความสำคัญปกติ", "usual importance"),
    "low": ("ความสำคัญรอง", "lower importance"),
}


class Unlock(Struct, frozen=True):
    """A later course that cannot be entered without this step, and the condition that this step makes true.

    `condition` None: it is needed by way of other steps or of several branches.
    """

    course: str
    title: Text
    condition: Prerequisite | None
    skill: Text | None


class Whole(Struct, frozen=True):
    """What a path comes to: courses, hours, whole per cent of the gap closed, skills left below; see LearningPath.

    `usually`: per cent closed as courses are usually completed; `small`: skills that are below by less than an
    assessment could tell; `finishing`: the path before stands as it was promised.
    """

    courses: int
    hours: float
    closed: int
    usually: int
    left: int
    over: float | None = None
    short: MissingHours | None = None
    kept: bool = False
    limited: bool = False
    small: int = 0
    finishing: bool = False


def number(value: float) -> str:
    """Return a number as people write it: at most two decimals, none that say nothing."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def in_thai(text: Text) -> str:
    """Return the Thai words, or the English where there are none."""
    return f"«{text.th or text.en}»"


def in_english(text: Text) -> str:
    """Return the English words, or the Thai where there are none."""
    return f"“{text.en or text.th}”"


def hours_in_english(hours: float) -> str:
    """Return `1 hour`, `2.5 hours`."""
    return f"{number(hours)} hour{'' if number(hours) == '1' else 's'}"


def importance(want: SkillTarget, wants: Mapping[str, SkillTarget]) -> tuple[str, str]:
    """Return a weight in words, Thai and English, beside the other requirements of the same officer."""
    mean = sum(other.weight for other in wants.values()) / len(wants)
    grade = "high" if want.weight >= NOTABLY * mean else "low" if want.weight * NOTABLY <= mean else "usual"
    return _IMPORTANCE[grade]


_SEEDS = {
    "started": ("หลักสูตรที่เริ่มเรียนแล้ว ", "Already started. "),
    "mandatory": ("หลักสูตรบังคับหรือพื้นฐานของหลักสูตรบังคับ ", "Mandatory, or what a mandatory course needs. "),
    "pinned": ("หลักสูตรที่เลือกเก็บไว้หรือพื้นฐานของหลักสูตรนั้น ", "Pinned, or what a pinned course needs. "),
}


def step_reason(
    closes: Sequence[Closes],
    unlocks: Sequence[Unlock],
    hours: float,
    wants: Mapping[str, SkillTarget],
    seed: str | None = None,
) -> Reason:
    """Return why a course stands in the path: what brought it in, what it closes, what it unlocks, what it takes."""
    thai = " และ".join(_closes_in_thai(row, wants) for row in closes)
    english = " and ".join(_closes_in_english(row, wants) for row in closes)
    if unlocks:
        named = sorted(unlocks, key=lambda it: it.condition is None)[:NAMED_UNLOCKS]
        more = len(unlocks) - len(named)
        doors = " และ ".join(f"{in_thai(it.title)} ({_needs_in_thai(it, closes)})" for it in named)
        doors += f" และอีก {more} หลักสูตร" if more else ""
        thai += f" และเป็นพื้นฐานของ {doors}" if closes else f"อยู่ในเส้นทางเพราะเป็นพื้นฐานของ {doors}"
        doors = " and ".join(f"{in_english(it.title)} ({_needs_in_english(it, closes)})" for it in named)
        doors += f" and {more} more" if more else ""
        english += f"; also unlocks {doors}" if closes else f"included because it unlocks {doors}"
    english = f"{english[:1].upper()}{english[1:]}. " if english else ""
    brought = _SEEDS[seed] if seed else ("", "")
    thai = f"{thai} " if thai else ""
    return Reason(
        f"{brought[0]}{thai}ใช้เวลา {number(hours)} ชั่วโมง", f"{brought[1]}{english}Takes {hours_in_english(hours)}."
    )


def _closes_in_thai(row: Closes, wants: Mapping[str, SkillTarget]) -> str:
    verb = "ปิดช่องว่าง" if row.to_level >= row.required else "ลดช่องว่าง"
    doubt = "" if wants[row.skill].assessed else " ยังไม่ได้ประเมิน"
    return (
        f"{verb} {in_thai(row.title)} จากระดับ {number(row.from_level)} เป็น {number(row.to_level)} "
        f"(ต้องการ {number(row.required)} {importance(wants[row.skill], wants)[0]}{doubt})"
    )


def _closes_in_english(row: Closes, wants: Mapping[str, SkillTarget]) -> str:
    verb = "closes" if row.to_level >= row.required else "narrows"
    doubt = "" if wants[row.skill].assessed else ", not assessed yet"
    return (
        f"{verb} the gap in {in_english(row.title)} from level {number(row.from_level)} to {number(row.to_level)} "
        f"({number(row.required)} required, {importance(wants[row.skill], wants)[1]}{doubt})"
    )


def _needs_in_thai(unlock: Unlock, closes: Sequence[Closes]) -> str:
    if unlock.condition is None:
        return "ในเส้นทางนี้ หากไม่เรียนหลักสูตรนี้จะเข้าเรียนไม่ได้"
    if unlock.condition.level is UNSET:
        return "ต้องเรียนหลักสูตรนี้ก่อน"
    skill = in_thai(unlock.skill) if unlock.skill else f"«{unlock.condition.skill}»"
    name = "" if [row.skill for row in closes] == [unlock.condition.skill] else f" {skill} "
    return f"ต้องมี{name}ระดับ {number(unlock.condition.level)} ขึ้นไป"


def _needs_in_english(unlock: Unlock, closes: Sequence[Closes]) -> str:
    if unlock.condition is None:
        return "in this path it cannot be entered otherwise"
    if unlock.condition.level is UNSET:
        return "this course must come first"
    skill = in_english(unlock.skill) if unlock.skill else f"“{unlock.condition.skill}”"
    name = "" if [row.skill for row in closes] == [unlock.condition.skill] else f"{skill} at "
    return f"needs {name}level {number(unlock.condition.level)} or above"


_BARRED = {
    "language": ("ไม่มีในภาษาที่เลือกไว้", "not in a language that was chosen"),
    "rule": ("ถูกกันไว้ตามเงื่อนไขที่ตั้งไว้", "a rule keeps it out"),
    "feedback": ("แจ้งไว้ว่าไม่เกี่ยวข้อง", "it was marked as not relevant"),
}


def open_reason(want: SkillTarget, reached: float, obstacle: GapBlocker) -> Reason:
    """Return why a requirement stays open, with the numbers that say how far."""
    th, en = in_thai(want.skill.title), in_english(want.skill.title)
    above_th = f"{th} สูงกว่าระดับ {number(reached)} (ต้องการ {number(want.required)})"
    above_en = f"{en} above level {number(reached)} ({number(want.required)} required)"
    if obstacle.nearest is None:
        return Reason(f"ยังไม่มีหลักสูตรอื่นที่สอน {above_th}", f"No further course teaches {above_en}.")
    next_th, next_en = in_thai(obstacle.nearest), in_english(obstacle.nearest)
    if obstacle.cause == "kept":
        return Reason(
            f"มีหลักสูตร {next_th} ที่สอน {above_th} และเวลายังพอ แต่คงเส้นทางที่กำลังเรียนไว้ตามเดิม หากต้องการเรียน "
            "ให้เลือกเก็บหลักสูตรนี้ไว้ หรือรับการประเมินเพื่อจัดเส้นทางต่อไป",
            f"{next_en} teaches {above_en} and fits, but the path that is being studied stays as it was promised; pin "
            "the course to add it, or be assessed for the next path.",
        )
    but = _but(obstacle)
    return Reason(f"มีหลักสูตร {next_th} ที่สอน {above_th} แต่{but.th}", f"{next_en} teaches {above_en}, but {but.en}.")


def _but(obstacle: GapBlocker) -> Reason:
    """Return why the nearest course is not in the path, as half a sentence."""
    if obstacle.cause == "excluded":
        return Reason(*_BARRED[obstacle.exclusion])
    if obstacle.cause == "prerequisite":
        return Reason("ต้องมีพื้นฐานก่อน ซึ่งยังไม่มีหลักสูตรใดพาไปถึงได้", "it has prerequisites that no available course leads to")
    if obstacle.short:
        return _too_long(obstacle.short)
    if obstacle.steps:
        return Reason("จำนวนหลักสูตรในเส้นทางครบตามที่กำหนดไว้แล้ว", "the path may hold no more courses")
    if obstacle.kept:
        return Reason("คงเส้นทางเดิมไว้ เพราะช่วยเพิ่มได้น้อย", "the path before is kept, as this would not add notably to it")
    return Reason("ช่วยได้น้อยมากเมื่อเทียบกับเวลาเรียน", "adds next to nothing for its hours")


def _too_long(short: MissingHours) -> Reason:
    needed, left, missing = number(short.needed), number(short.left), number(short.missing)
    hours = hours_in_english(short.needed)
    if short.proved:
        return Reason(
            f"ต้องใช้อีก {needed} ชั่วโมงรวมหลักสูตรพื้นฐาน เวลาเหลือ {left} ชั่วโมง ขาดอีก {missing} ชั่วโมง",
            f"takes {hours} with its prerequisites; {left} left, {missing} too few",
        )
    return Reason(
        f"วิธีเรียนที่สั้นที่สุดเท่าที่พบใช้อีก {needed} ชั่วโมงรวมหลักสูตรพื้นฐาน เวลาเหลือ {left} ชั่วโมง ขาดอีกไม่เกิน {missing} ชั่วโมง",
        f"the shortest way found takes {hours} with its prerequisites; {left} left, at most {missing} too few",
    )


def too_small_reason(want: SkillTarget, reached: float) -> Reason:
    """Return why no course is recommended for what is left of a gap."""
    th, en, short = in_thai(want.skill.title), in_english(want.skill.title), number(want.required - reached)
    return Reason(
        f"{th} ต่ำกว่าที่ต้องการ {short} ระดับ ซึ่งน้อยกว่าที่การประเมินจะบอกได้ จึงไม่แนะนำหลักสูตรเพิ่ม",
        f"{en} is short by {short} of a level, less than an assessment could tell; no course is recommended for it.",
    )


_NO_GAP = {
    False: ("ไม่มีช่องว่าง ทักษะถึงระดับที่ต้องการครบทุกข้อแล้ว", "No gap: every required level is met."),
    True: ("ไม่มีช่องว่างที่การประเมินจะบอกได้", "No gap that an assessment could tell."),
}
_NO_COURSE = {
    False: ("ยังไม่มีหลักสูตรที่แนะนำได้สำหรับช่องว่าง", "No course can be recommended yet for"),
    True: ("เรียนครบตามเส้นทางแล้ว ยังไม่ถึงระดับที่ต้องการอีก", "The path is finished, with"),
}


def path_reason(wants: Mapping[str, SkillTarget], whole: Whole) -> Reason:
    """Return what the whole path comes to."""
    if not wants:
        return Reason("กรอบทักษะยังไม่ได้กำหนดระดับที่ต้องการไว้", "The framework requires no level here yet.")
    gaps = sum(want.is_gap for want in wants.values())
    more = _also(whole)
    if not gaps and not whole.courses:
        return Reason(_NO_GAP[whole.small > 0][0] + more.th, _NO_GAP[whole.small > 0][1] + more.en)
    thai, english = "", ""
    if not any(want.assessed for want in wants.values()):
        thai = "เส้นทางชั่วคราว: ยังไม่มีผลประเมิน จึงสมมติว่าทุกทักษะอยู่ที่ครึ่งหนึ่งของระดับที่ต้องการ "
        english = "Provisional: nothing is assessed yet, so every level is assumed to be half of what is required. "
    courses, hours = whole.courses, whole.hours
    if not courses:
        none_th, none_en = _NO_COURSE[whole.finishing]
        thai += f"{none_th} {gaps} ทักษะ ดูเหตุผลของแต่ละทักษะด้านล่าง"
        english += f"{none_en} {_skills(gaps)} below the requirement; each has its reason."
        return Reason(thai + more.th, english + more.en)
    thai += f"เรียน {courses} หลักสูตร รวม {number(hours)} ชั่วโมง ปิดช่องว่างได้ {whole.closed}%"
    english += (
        f"{courses} course{'' if courses == 1 else 's'} in {hours_in_english(hours)} "
        f"{'closes' if courses == 1 else 'close'} {whole.closed}% of the gap"
    )
    if whole.closed - whole.usually > OFTEN_LEFT:
        thai += f" หากเรียนจบทุกหลักสูตร หรือ {whole.usually}% ตามที่ผู้เรียนมักเรียนจบ"
        english += f" if every course is completed, {whole.usually}% as courses are usually completed"
    if left := whole.left:
        return Reason(
            f"{thai} ยังเหลือ {left} ทักษะที่ไม่ถึงระดับที่ต้องการ{more.th}",
            f"{english}; {_skills(left)} {'stays' if left == 1 else 'stay'} below the requirement.{more.en}",
        )
    return Reason(f"{thai} ครบทุกทักษะที่ต้องการ{more.th}", f"{english}; every required level is reached.{more.en}")


def _also(whole: Whole) -> Reason:
    """Return what else is to be known of the whole path; nothing as a rule."""
    thai, english = "", ""
    if whole.small:
        thai += f" อีก {whole.small} ทักษะต่ำกว่าที่ต้องการน้อยกว่าที่การประเมินจะบอกได้"
        english += f" {_skills(whole.small)} short by less than an assessment could tell."
    if whole.over is not None:
        thai += f" เกินเวลาที่มี {number(whole.over)} ชั่วโมง เพราะมีหลักสูตรบังคับหรือที่เริ่มเรียนแล้ว"
        english += f" {hours_in_english(whole.over)} over the budget, because of what is mandatory or started."
    if whole.short is not None:
        most_th, most_en = ("", "") if whole.short.proved else ("ไม่เกิน ", "at most ")
        thai += f" เวลาไม่พอ ขาดอีก{most_th or ' '}{number(whole.short.missing)} ชั่วโมงจึงจะเรียนได้ทั้งหมดที่มีสอน"
        english += f" It does not all fit: short by {most_en}{hours_in_english(whole.short.missing)}."
    if whole.kept:
        thai += " คงเส้นทางเดิมไว้ เพราะเส้นทางใหม่ไม่ดีกว่าอย่างเห็นได้ชัด"
        english += " The path before is kept: no new one closes notably more."
    if whole.limited:
        thai += " การค้นหาถึงขีดจำกัดแล้ว นี่คือเส้นทางที่ดีที่สุดที่พบ"
        english += " The search reached its limit; this is the best path found."
    return Reason(thai, english)


def assess_reason(want: SkillTarget) -> Reason:
    """Return why a skill is to be assessed before it is studied."""
    th, en = in_thai(want.skill.title), in_english(want.skill.title)
    level, sd, required = number(want.level), number(want.sd), number(want.required)
    return Reason(
        f"ควรประเมิน {th} ก่อน ระดับที่เชื่อคือ {level} ± {sd} ต้องการ {required} ช่องว่างส่วนใหญ่เป็นเพียงความไม่แน่นอน",
        f"Assess {en} first: believed to be at {level} ± {sd}, {required} required; most of this gap is only doubt.",
    )


def confirm_reason(want: SkillTarget) -> Reason:
    """Return why a level that completed courses lead to is to be assessed."""
    th, en = in_thai(want.skill.title), in_english(want.skill.title)
    level, measured, sd = number(want.level), number(want.measured), number(want.sd)
    before = (
        (f"ผลประเมินก่อนหน้าคือ {measured} ± {sd}", f"the assessment before found {measured} ± {sd}")
        if want.assessed
        else ("ยังไม่เคยประเมิน", "it was never assessed")
    )
    return Reason(
        f"ควรประเมิน {th} เพื่อยืนยัน ระดับ {level} นับจากหลักสูตรที่เรียนจบ {before[0]}",
        f"Assess {en} to confirm: level {level} is counted from completed courses; {before[1]}.",
    )


def _skills(count: int) -> str:
    return f"{count} skill{'' if count == 1 else 's'}"


LONGEST_CAUSE = 300

Gone = Literal["withdrawn", "unknown"]


def missing_course_cause(inputs: Inputs, course_id: str) -> Gone:
    """Return what is known of a course that is not to be seen: it was offered once, or only its name was ever given."""
    return "withdrawn" if course_id in inputs.previous or course_id in inputs.started else "unknown"


def unknown_completed(inputs: Inputs, find: Callable[[str], Course | None]) -> list[Note]:
    """Return a note on every completed course that is not to be seen, by id."""
    reason = Reason(*_LEFT_OUT["completed_unknown"])
    return [Note(name, "unknown", reason) for name in sorted(inputs.done) if find(name) is None]


def left_out_reason(kind: str, short: MissingHours | None = None) -> Reason:
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
    short: MissingHours | None = None,
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
