"""Which texts show something, and which spellings are one name."""

import unicodedata

import pytest

from shared.texts import folded, shows_something

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
