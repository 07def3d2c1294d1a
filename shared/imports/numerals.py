"""Numbers in figures and in words, Thai and English. Pure."""

import re

THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")

LONGEST_WORDS = 300
"""The most characters of a duration, a level or a date; a longer text is prose and is not searched."""

_SPACED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[\u00a0\u2009\u202f'’]\d{3})+(?!\d)|^\s*\d{1,3}(?: \d{3})+(?=[.,]\d+|\s*[^\W\d]*\.?\s*$)"
)
"""A number whose thousands are divided by spaces or apostrophes; plain spaces only where nothing else has a number."""

NUMBER = r"\d+(?:[.,]\d+)*"
_ONE_NUMBER = re.compile(r"\d+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_WORD_NUMBERS = {
    "half an": 0.5, "half a": 0.5, "a half": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
}  # fmt: skip
_WORD = "|".join(sorted(_WORD_NUMBERS, key=len, reverse=True))
_ONES, _TEENS, _TENS = (
    "|".join(word for word, n in _WORD_NUMBERS.items() if n in numbers and word not in ("a", "an"))
    for numbers in (range(1, 10), range(10, 20), range(20, 100))
)
_BELOW_HUNDRED = rf"(?:(?:{_TENS})(?:(?:\s*-\s*|\s+)(?:{_ONES}))?|{_TEENS}|{_ONES})"
WORDS_OF_A_NUMBER = (
    rf"(?<![\w-])(?P<words>(?:(?:(?:a|{_ONES})\s+)?hundred(?:\s+(?:and\s+)?{_BELOW_HUNDRED})?|{_BELOW_HUNDRED})"
    r"(?:\s+and\s+a\s+half)?|half\s+an?|an?\s+half|an?)"
)
"""One number in English words. Two numbers are not added: `a one hour talk`, `three two-hour sessions`."""
NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(word for word, n in _WORD_NUMBERS.items() if n > 1)})\b")
"""The words for numbers other than one, which is also a pronoun."""
_FRACTIONS = {"½|(?<![\\d/])1/2": ".5", "¼|(?<![\\d/])1/4": ".25", "¾|(?<![\\d/])3/4": ".75"}
_THAI_DIGIT_WORDS = {
    "หนึ่ง": 1, "เอ็ด": 1, "สอง": 2, "ยี่": 2, "สาม": 3, "สี่": 4, "ห้า": 5, "หก": 6, "เจ็ด": 7, "แปด": 8, "เก้า": 9,
}  # fmt: skip
_THAI_PLACE_WORDS = {"สิบ": 10, "ร้อย": 100, "พัน": 1000}
_THAI_WORD = "|".join((*_THAI_DIGIT_WORDS, *_THAI_PLACE_WORDS))
THAI_NUMBER = re.compile(rf"(?:{_THAI_WORD})(?:\s?(?:{_THAI_WORD}))*(?![\u0e30-\u0e3a\u0e45-\u0e4e])")
"""A number in Thai words; a vowel after it would make another word of it, such as `สามารถ`."""


_ROUND = {"k": 1000, "m": 1_000_000, "พัน": 1000, "หมื่น": 10_000, "แสน": 100_000, "ล้าน": 1_000_000}
_ROUNDED = re.compile(r"(\d+(?:[.,]\d+)?)\s?(k|m|พัน|หมื่น|แสน|ล้าน)(?![a-z])", re.IGNORECASE)


def without_spaces(text: str) -> str:
    """Return a text in which no space divides the thousands of a number: `1 000 hours` is `1000 hours`."""
    return _SPACED.sub(lambda found: re.sub(r"\D", "", found[0]), text)


_MINUS = re.compile(r"\s*[-−–]\s*[\d๐-๙]")


def number_of(text: str) -> float | None:
    """Return the number in a cell, `4.2stars`, `16,400`, `4,5`, `๑๒`, `สามสิบ`; None if it has none or several.

    None for a number with a minus.
    """
    if _MINUS.match(text):
        return None
    if THAI_NUMBER.fullmatch(text.strip()) and (digits := thai_digits(text)).isdecimal():
        return float(digits)
    found = re.findall(NUMBER, without_spaces(text.translate(THAI_DIGITS)))
    return as_number(found[0]) if len(found) == 1 and _ONE_NUMBER.fullmatch(found[0]) else None


def count_of(text: str) -> int | None:
    """Return the whole number in a cell; None if it has none or several.

    `1.234` and `1,234` are thousands, and `1.2k` is 1200. None for a number with a minus.
    """
    if _MINUS.match(text):
        return None
    if rounded := _ROUNDED.search(text):
        number = number_of(rounded[1])
        return (
            None
            if number is None or len(re.findall(r"\d+(?:[.,]\d+)?", text)) > 1
            else round(number * _ROUND[rounded[2].lower()])
        )
    digits = re.findall(NUMBER, without_spaces(text.translate(THAI_DIGITS)))
    if len(digits) == 1 and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits[0]):
        return int(re.sub(r"[.,]", "", digits[0]))
    number = number_of(text)
    return None if number is None else int(number)


def as_number(text: str) -> float:
    """Return the number that figures state; a comma separates thousands, or decimals if it cannot separate thousands.

    `1,200` is 1200, `1,5` is 1.5, `1.234,5` is 1234.5.
    """
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", text):
        return float(text.replace(".", "").replace(",", "."))
    whole, _, rest = text.replace(",", ".").partition(".")
    return float(f"{whole}.{rest.replace('.', '')}") if rest else float(whole)


def with_decimals(text: str) -> str:
    """Return a text with fractions as decimals: `1½` and `1 1/2` become `1.5`."""
    for sign, decimals in _FRACTIONS.items():
        text = re.sub(rf"(\d*)\s?(?:{sign})(?![\d/])", lambda found: f"{int(found[1] or 0)}{decimals}", text)  # noqa: B023 - used at once
    return text


def thai_digits(words: str) -> str:
    """Return a number in Thai words as digits; `สองสาม`, two or three, becomes the range `2-3`."""
    whole, digits = 0, list[int]()
    for word in re.findall(_THAI_WORD, words):
        if place := _THAI_PLACE_WORDS.get(word):
            whole += (digits.pop() if digits else 1) * place
        else:
            digits.append(_THAI_DIGIT_WORDS[word])
    if len(digits) > 1:
        return "-".join(str(whole + digit) for digit in digits)
    return str(whole + sum(digits))


def english_digits(words: str) -> str:
    """Return a number in English words as digits: `twenty-five`, `one hundred and twenty`."""
    number = 0.0
    for word in re.findall(rf"\b(?:{_WORD})\b", words):
        value = _WORD_NUMBERS[word]
        number = (number or 1) * value if word == "hundred" else number + value
    return f"{number:g}"
