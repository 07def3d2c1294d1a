"""The facts that columns hold, by their names in Thai or English. Pure.

fact_of("ชื่อหลักสูตร / Course name")     Column("title")
fact_of("ระยะเวลา (นาที)")               Column("duration", "นาที"): a bare number in it counts minutes
fact_of("Remarks")                       None
"""

import re
from functools import lru_cache
from typing import NamedTuple

from services.catalog.importers.durations import UNITS_OF_PERIODS, UNITS_OF_TIME
from services.catalog.importers.facts import FACTS
from shared.texts import folded

NAMES: dict[str, str] = {
    "id": "id,course id,courseid,course_id,item id,content urn,urn,uuid,course uuid",
    "code": "code,course code,coursecode,course number,shortname,short name,รหัส,รหัสวิชา,รหัสหลักสูตร,รหัสรายวิชา,course key,catalog course,รหัสคอร์ส",
    "title": "title,name,course,course name,course title,fullname,full name,long name,item title,ชื่อ,ชื่อวิชา,ชื่อรายวิชา,ชื่อหลักสูตร,หลักสูตร,รายวิชา,catalog course title,content title,course fullname,displayname,display name,dc title,ชื่อเรื่อง,ชื่อคอร์ส,คอร์ส,ชื่อหลักสูตรอบรม,ชื่อหลักสูตรฝึกอบรม,หัวข้อหลักสูตร,ชื่อโครงการ,ชื่อโครงการฝึกอบรม,ชื่อโครงการอบรม,โครงการฝึกอบรม,ชื่อการอบรม,หัวข้ออบรม,หัวข้อการอบรม",
    "title_th": "title th,title thai,thai title,name th,thai name,ชื่อไทย,ชื่อภาษาไทย,ชื่อหลักสูตร ไทย,ชื่อวิชา ไทย,ชื่อหลักสูตรภาษาไทย,ชื่อวิชาภาษาไทย,ชื่อรายวิชาภาษาไทย",
    "title_en": "title en,title english,english title,name en,english name,ชื่ออังกฤษ,ชื่อภาษาอังกฤษ,ชื่อหลักสูตร อังกฤษ,ชื่อวิชา อังกฤษ,ชื่อหลักสูตรภาษาอังกฤษ,ชื่อวิชาภาษาอังกฤษ,ชื่อรายวิชาภาษาอังกฤษ",
    "provider": "provider,org,institution,university,university name,university industry partner,partner,organization,organisation,school,publisher,หน่วยงาน,สถาบัน,ผู้จัด,มหาวิทยาลัย,หน่วยงานเจ้าของหลักสูตร,สถาบันการศึกษา,provider name,owners,owner,organizations,institutions,offered by,vendor,dc publisher,ผู้จัดอบรม,หน่วยงานผู้จัด,หน่วยงานที่จัด,หน่วยงานที่รับผิดชอบ,ผู้รับผิดชอบ,ผู้ให้บริการ,สถาบันผู้จัด,เจ้าของหลักสูตร,สถาบันผู้พัฒนา,สถาบันเจ้าของรายวิชา,หน่วยงานผู้พัฒนา,ผู้พัฒนาหลักสูตร",
    "provider_th": "provider th,institution th",
    "provider_en": "provider en,institution en",
    "hours": "hours,hour,learning hours,estimated learning hours,total hours,ชั่วโมง,จำนวนชั่วโมง,ชั่วโมงเรียน,จำนวนชั่วโมงเรียนรู้,จำนวนชั่วโมงเรียน,จำนวนชั่วโมงอบรม,ชั่วโมงอบรม,ชั่วโมงการเรียนรู้,contact hours,จำนวนชั่วโมงรวม,ชั่วโมงรวม",
    "duration": "duration,time required,length,estimated time,workload,effort,ระยะเวลา,ระยะเวลาเรียน,เวลาเรียน,content length,estimated content length,video length,runtime,time to complete,course duration,course length,ระยะเวลาอบรม,ระยะเวลาการอบรม,ระยะเวลาฝึกอบรม,estimated learning time,learning time,total length,total duration,effort hours,ระยะเวลาที่ใช้เรียน",
    "languages": "language,languages,course language,in language,lang,ภาษา,ภาษาที่ใช้,primary language,locale,content language,audio language,dc language,dc language iso,ภาษาที่สอน,ภาษาที่ใช้สอน",
    "level": "level,difficulty,course level,educational level,course difficulty,difficulty level,ระดับ,ระดับความยาก,level type,skill level,ระดับหลักสูตร,ระดับเนื้อหา",
    "tags": "tags,tag,skills,skill,course skills,associatedskills,associated skills,skills covered,skills learned,keywords,keyword,topics,topic,subject,subjects,category,categories,sub category,subcategory,teaches,ทักษะ,หมวดหมู่,หมวด,คำสำคัญ,กลุ่มวิชา,domain,domains,sub domain,subdomain,primary subject,primary category,dc subject,หมวดหมู่หลักสูตร,ประเภทหลักสูตร,กลุ่มหลักสูตร,ทักษะที่ได้รับ,ทักษะดิจิทัล,skills gained,skill names,skills you will gain,what skills you will gain,category path,category name,กลุ่มทักษะ,หมวดวิชา",
    "prerequisites": "prerequisites,prerequisite,course prerequisites,entry requirements,วิชาบังคับก่อน,เงื่อนไขก่อนเรียน,เงื่อนไขรายวิชา,พื้นฐานที่ต้องมี",
    "description": "description,short description,summary,about,course description,abstract,รายละเอียด,คำอธิบาย,คำอธิบายรายวิชา,เนื้อหา,overview,course summary,dc description,dc description abstract,คำอธิบายหลักสูตร,รายละเอียดหลักสูตร,คำอธิบายโดยย่อ,about this course,about the course,headline,full description,เนื้อหาโดยสังเขป,เนื้อหาหลักสูตร,สาระสำคัญ",
    "url": "url,link,course url,course link,website,ลิงก์,ลิงค์,เว็บไซต์,course page,landing page,marketing url,dc identifier uri,ลิงก์หลักสูตร,ลิงค์หลักสูตร,url หลักสูตร,เว็บไซต์หลักสูตร,deep link,course web address,ลิงก์รายวิชา,ลิงค์รายวิชา,ลิงก์เข้าเรียน,ลิงค์เข้าเรียน",
    "modality": "modality,mode,course mode,course format,delivery,delivery method,รูปแบบ,รูปแบบการเรียน,วิธีการเรียน,รูปแบบการอบรม,รูปแบบการจัดอบรม,รูปแบบการสอน,วิธีการอบรม,วิธีการฝึกอบรม,ช่องทางการเรียน",
    "starts": "starts,start,start date,startdate,วันที่เริ่ม,วันเริ่ม,วันเริ่มเรียน,course start date,วันเริ่มต้น,วันที่เริ่มต้น,วันที่เริ่มเรียน,วันที่เริ่มอบรม,วันเริ่มอบรม,วันที่อบรม,วันอบรม,วันที่จัดอบรม,ช่วงเวลาอบรม,dates",
    "ends": "ends,end,end date,enddate,expires,valid until,วันที่สิ้นสุด,วันสิ้นสุด,สิ้นสุด,course end date,วันที่สิ้นสุดการอบรม,วันที่สิ้นสุดอบรม,วันสิ้นสุดการอบรม,วันสิ้นสุดอบรม",
    "rating": "rating,course rating,stars,คะแนน,avg rating,average rating",
    "rating_count": "rating count,reviewcount,review count,reviews,ratings,number of ratings,num reviews,number of reviews,no of reviews,num ratings",
    "accredited_against": "accredited against,accreditation,การรับรอง",
    "offered": "offered,status,course status,visible,published,is published,active,is active,availability,available,is available,enabled,course availability,enrollment status,enrolment status,registration status,course state,publish status,published state,lifecycle status,workflow state,สถานะ,สถานะหลักสูตร,สถานะการรับสมัคร,การรับสมัคร,สถานะการเปิดรับสมัคร,สถานะรายวิชา,สถานะคอร์ส,การเผยแพร่,เผยแพร่,available ind,row status",
    "duration_unit": "duration unit,duration units,duration type,unit of duration,time unit,length unit,หน่วยเวลา,หน่วยของเวลา,หน่วยระยะเวลา",
    "weeks": "weeks,weeks to complete,number of weeks,จำนวนสัปดาห์",
    "weekly_hours": "hours per week,hours a week,weekly hours,effort hours per week,min effort,ชั่วโมงต่อสัปดาห์,จำนวนชั่วโมงต่อสัปดาห์",
    "weekly_hours_most": "max effort",
    "hidden": "hidden,is hidden,archived,is archived,deleted,is deleted,retired,is retired,ซ่อน,ซ่อนหลักสูตร,obsolete,is obsolete,discontinued",
}

_LESS_SURE = frozenset(
    folded(name)
    for name in (
        "headline", "about this course", "about the course", "contact hours", "learning time", "deep link", "dates",
        "ชื่อโครงการ", "ชื่อโครงการฝึกอบรม", "ชื่อโครงการอบรม", "โครงการฝึกอบรม", "สาระสำคัญ", "ผู้พัฒนาหลักสูตร", "หน่วยงานผู้พัฒนา",
        "สถาบันผู้พัฒนา", "วันที่อบรม", "วันอบรม", "วันที่จัดอบรม", "ช่วงเวลาอบรม",
    )
)  # fmt: skip
"""Names that may stand beside the usual name of their fact and mean something near it: a slogan, a project, a part."""

_FACT_OF = {folded(name): fact for fact, names in NAMES.items() for name in names.split(",")}
_CLOCK = r"h{1,2}:m{1,2}(?::s{1,2})?"
_UNIT = rf"(?P<unit>{UNITS_OF_TIME}|{_CLOCK})\.?"
_WITH_UNIT = re.compile(
    rf"(?P<name>.+?)(?:\s*[(\[]\s*(?:in\s|หน่วย\s?:?|เป็น)?\s*{_UNIT}\s*[)\]]|[\s_,:-]+(?:in[\s_]+)?{_UNIT.replace('unit', 'other')})"
)
_THAI_AMOUNT = re.compile(
    rf"(?:จำนวน|ระยะเวลา|เวลา)\s*[(\[]?\s*{_UNIT}\s*[)\]]?(?:\s*(?:ที่)?(?:อบรม|เรียน|เรียนรู้|ฝึกอบรม|การอบรม|การเรียนรู้))?"
)
_OF_A_COURSE = re.compile(r"(?:course|training|learning|content|item|activity)[\s_.]+(?P<name>.+)")
"""What a name says before that of the fact: `Training Title`."""

_WORD_IN_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARTS = re.compile(r"\s*[/|\n()\[\]]\s*")
_LANGUAGES = {
    **dict.fromkeys(("th", "tha", "thai", "ไทย", "ภาษาไทย", "ภาษา ไทย"), "th"),
    **dict.fromkeys(("en", "eng", "english", "อังกฤษ", "ภาษาอังกฤษ"), "en"),
}


class Column(NamedTuple):
    """What a column holds: a fact, and for a time the unit of its bare numbers, empty if the name says none.

    `partly`: other words stand beside the name of the fact, or the name is less sure (`_LESS_SURE`); a column that has
    only the usual name is taken first.
    """

    fact: str
    unit: str = ""
    partly: bool = False


@lru_cache(maxsize=4096)
def fact_of(name: str) -> Column | None:
    """Return what a column of this name usually holds; None if it is not known."""
    if fact := _known(name):
        return Column(fact, partly=folded(name) in _LESS_SURE)
    words = _WORD_IN_CAMEL_CASE.sub(" ", name)
    if fact := _known(words):
        return Column(fact)
    plain = folded(words)
    if (found := _OF_A_COURSE.fullmatch(plain)) and (fact := _known(found["name"])):
        return Column(fact, partly=True)
    if found := _THAI_AMOUNT.fullmatch(plain):
        return Column("duration", found["unit"])
    if (found := _WITH_UNIT.fullmatch(plain)) and _is_counted(found["name"], unit := found["unit"] or found["other"]):
        return Column("duration", "" if re.fullmatch(_CLOCK, unit) else unit)
    parts = [part for part in _PARTS.split(plain) if part]
    languages = {language for part in parts if (language := _LANGUAGES.get(part))}
    if len(languages) == 1 and len(parts) == 2 and (fact := _known(parts[0])) in ("title", "provider", "description"):  # noqa: PLR2004 - a name and its language
        return Column(f"{fact}_{languages.pop()}")
    facts = {fact for part in parts if (fact := _known(part))}
    is_time = any(re.fullmatch(UNITS_OF_TIME, part) for part in parts)
    same = all(map(_known, parts))
    if len(parts) < 2 or len(facts) != 1 or (is_time and not same) or not _known(parts[0]):  # noqa: PLR2004 - a name and another one
        return None
    return Column(facts.pop(), partly=not same)


def _is_counted(name: str, unit: str) -> bool:
    """Return whether a column of this name counts the unit; hours beside a week or a day are a pace."""
    fact = _known(name)
    return (
        fact == "duration"
        or bool(_THAI_AMOUNT.fullmatch(name))
        or (fact == "hours" and not re.fullmatch(UNITS_OF_PERIODS, unit))
    )


def _known(name: str) -> str | None:
    key = folded(re.sub(r"[\s_()\[\]./:?*-]+", " ", re.sub(r"(?<=[a-z])\(s\)|['’]", "", name, flags=re.IGNORECASE)))
    fact = key.replace(" ", "_") if key.replace(" ", "_") in FACTS else _FACT_OF.get(key)
    return "tags" if fact == "teaches" and key != "teaches" else fact
