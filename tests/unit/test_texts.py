"""Which texts show something, and which spellings are one name."""

import unicodedata

import pytest

from shared.texts import doubtful_in_id, folded, in_both_languages, shows_something

AGENCY = "สำนักงานพัฒนาน้ำ"


@pytest.mark.parametrize(
    "spelling",
    [
        AGENCY.replace("\u0e33", "\u0e4d\u0e32"),
        AGENCY.replace("\u0e49\u0e33", "\u0e4d\u0e49\u0e32"),  # the tone mark between
        AGENCY.replace("\u0e49\u0e33", "\u0e49\u0e4d\u0e32"),  # the tone mark before
        AGENCY.replace("\u0e49\u0e33", "\u0e33\u0e49"),  # the tone mark after
        AGENCY.replace("\u0e49\u0e33", "\u0e4d\u0e32\u0e49"),
        unicodedata.normalize("NFKD", AGENCY),
        f"  {AGENCY}\n",
        f"\ufeff{AGENCY}\u200b",
        "\u200b".join(AGENCY),
    ],
)
def test_spellings_of_one_thai_name_fold_to_the_same_text(spelling: str) -> None:
    assert spelling != AGENCY
    assert folded(spelling) == folded(AGENCY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OCSC Academy", "ocsc  academy"),
        ("OCSC\u00a0Academy", "OCSC Academy"),
        ("Café", "Cafe\u0301"),
        ("STRASSE", "straße"),
        ("co\u00adop", "coop"),
        ("แผน", "เเผน"),
        ("ที่", "ท\u0e48\u0e35"),
        ("ชั้น", "ช\u0e49\u0e31น"),
        ("ผู้", "ผ\u0e49\u0e39"),
        ("สิทธิ์", "สิทธ\u0e4c\u0e34"),
        ("a\u202eb", "ab"),
    ],
)
def test_spellings_of_one_name_fold_to_the_same_text(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"), [("น้ำ", "นำ"), ("ที่", "ที"), ("ชั่น", "ชั้น"), ("กา", "กำ"), ("ab", "a b"), ("Café", "Cafe"), ("", "a")]
)
def test_different_names_fold_to_different_texts(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("text", ["a", "ก", "\u200bก", "-", "1", "ำ", "😀", "。"])
def test_visible_texts_are_recognised(text: str) -> None:
    assert shows_something(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\u3000", "\u200b\u200d", "\ufeff", "\u00ad", "\u0e34\u0e49", "\u0301", "\u115f\uffa0", "\x00\x1f"],
)
def test_invisible_texts_are_recognised(text: str) -> None:
    assert not shows_something(text)


@pytest.mark.parametrize(
    ("title", "thai", "english"),
    [
        ("ผู้บริหาร / Executives", "ผู้บริหาร", "Executives"),
        ("Executives | ผู้บริหาร", "ผู้บริหาร", "Executives"),
        ("ผู้บริหาร\nExecutives", "ผู้บริหาร", "Executives"),
        ("การคิดเชิงออกแบบ/Design Thinking", "การคิดเชิงออกแบบ", "Design Thinking"),
        ("การตลาด / Marketing / Sales", "การตลาด", "Marketing / Sales"),
        ("บริหาร / จัดการ / Management", "บริหาร / จัดการ", "Management"),
        ("การใช้ Excel / Using Excel", "การใช้ Excel", "Using Excel"),
        ("การพัฒนา UX/UI / UX/UI Development", "การพัฒนา UX/UI", "UX/UI Development"),
    ],
)
def test_a_title_in_both_languages_is_divided(title: str, thai: str, english: str) -> None:
    assert in_both_languages(title) == {"th": thai, "en": english}


@pytest.mark.parametrize(
    "title",
    [
        "TCP/IP", "TCP/IP เบื้องต้น", "AI/ML การใช้งาน", "การใช้งาน AI/ML", "การใช้ Word / Excel",
        "ทักษะ A/B Testing", "บริหาร/จัดการ", "Soft / Hard skills", "ประกันคุณภาพ / QA",
        "หลักสูตรผู้นำ / Online", "หลักสูตรผู้นำ / Batch 2",
        "ภาษาไทย / English", "การบริการ 24/7", "พ.ศ. 2567/2024", "A / ไทย / B", "ไทย / 中文",
        "Excel / PowerPoint สำหรับงาน",
        "/", "ก" + "/a b" * 50_000,
    ],
)  # fmt: skip
def test_another_title_with_a_slash_is_one(title: str) -> None:
    assert in_both_languages(title) == {}


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("101.0", "'101.0' looks like a number that a program wrote with decimals; is '101' meant?"),
        ("101.00", "'101.00' looks like a number that a program wrote with decimals; is '101' meant?"),
        ("\u0421101", "'\u0421101' holds letters that look Latin and are of another script: Cyrillic"),
        ("C\u039f101", "'C\u039f101' holds letters that look Latin and are of another script: Greek"),
        ("CS101", None),
        ("6.041", None),
        ("v1.0", None),
        ("1.10", None),
        ("\u0416\u0410101", None),  # a word in Cyrillic
        ("คพ101", None),
        ("", None),
    ],
)
def test_an_id_that_a_program_or_a_keyboard_changed_is_doubtful(text: str, doubt: str | None) -> None:
    assert doubtful_in_id(text) == doubt
