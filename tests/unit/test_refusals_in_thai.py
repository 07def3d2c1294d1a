"""Every text with which a service refuses or warns a person on a page has a Thai one in `locales/refusals/th.json`.

The Thai texts of the pages have the terms of the glossary.
"""

import ast
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from shared.decoding import decode, faults
from shared.domain import LocalizedText
from shared.errors import PROBLEMS, InvalidInput, Problem

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "services/portal/pages/locales/refusals/th.json"
SHOWN = {problem.__name__ for problem in PROBLEMS if problem.status in {400, 409, 413, 415, 422}} | {"Warned"}
"""What pages show the text of; for the other statuses they have a sentence of their own."""
NO_PAGE = (
    "services/assessment/api/item_bank_files.py",
    "services/assessment/api/item_banks.py",
    "services/assessment/api/xapi.py",
    "services/assessment/calibrating.py",
    "services/assessment/item_bank/",
    "services/assessment/xapi/",
    "services/catalog/calibrating.py",
    "services/catalog/commands.py",
    "services/catalog/framework_files.py",
    "services/catalog/matching/calibration.py",
    "shared/console.py",
)
"""Commands, and requests that only programs send."""


@cache
def table() -> dict[str, str]:
    return dict(json.loads(TABLE.read_text(encoding="utf-8")))


def _texts(node: ast.expr, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the texts that an expression may be, with `{}` for each value in them."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.IfExp(body=body, orelse=other):
            yield from _texts(body, names)
            yield from _texts(other, names)
        case ast.BinOp(left=left, right=right):
            yield from (a + b for a in _texts(left, names) for b in _texts(right, names))
        case ast.Name(id=name):
            for given in names.get(name, []):
                yield from _texts(given, names)


def _said(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of the refusals and warnings that a module makes, and of what its structs refuse."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called == "InvalidDate":  # the words that are no date stand before it
            yield from ((node.lineno, f"{{}}: {said}") for said in _texts(node.args[0], names))
            continue
        if called in SHOWN:
            text = next((one.value for one in node.keywords if one.arg == "detail"), node.args[called == "Warned"])
        elif called == "_warn":
            text = node.args[1]
        else:
            continue
        for said in _texts(text, names):
            yield node.lineno, said


def _modules() -> list[Path]:
    found = [*ROOT.glob("shared/**/*.py"), *ROOT.glob("services/**/*.py")]
    kept = [one for one in found if "node_modules" not in one.parts]
    return [one for one in kept if not one.relative_to(ROOT).as_posix().startswith(NO_PAGE)]


_WRAPPED = re.compile(r"^\{\}(: |; allowed: )?(\{\})?$")
"""A text that is put together of others only."""


def test_every_text_of_a_refusal_or_a_warning_has_a_thai_one() -> None:
    said = {
        (text, f"{path.relative_to(ROOT)}:{line}")
        for path in _modules()
        for line, text in _said(path)
        if not _WRAPPED.match(text)
    }
    assert len(said) > 150, "the refusals of the services are not found any more"
    known = table().keys()
    missing = sorted((place, text) for text, place in said if not {text, text.partition("; there are: ")[0]} & known)
    assert missing == []


@pytest.mark.parametrize(
    ("term", "other"),
    [
        ("กรอบทักษะ", "กรอบสมรรถนะ"),
        ("คลังข้อประเมิน", "คลังข้อสอบ"),
        ("คลังหลักสูตร", "บัญชีหลักสูตร"),
        ("รหัสเข้าใช้งาน", "คีย์"),
        ("รุ่น", "ฉบับ"),
        ("เจ้าหน้าที่", "รหัสบุคลากร"),
        ("ความเชื่อมั่น", "ความมั่นใจ"),
    ],
)
def test_a_thai_text_has_the_term_of_the_glossary_and_no_other_one(term: str, other: str) -> None:
    assert f"| {term} |" in (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    texts = [ROOT / "shared/templates.json", *(ROOT / "services/portal/pages/locales").rglob("*th.json")]
    assert len(texts) > 5
    assert [str(one) for one in texts if other in one.read_text(encoding="utf-8")] == []


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    share: Annotated[float, Meta(ge=0, le=1)]
    more: Annotated[float, Meta(gt=0, lt=1)] = 0.5


class _Shape(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=3)] | None = None
    count: Annotated[int, Meta(ge=1, le=9)] | None = None
    flag: bool = False
    day: date | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    kind: Literal["a", "b"] = "a"
    parts: Annotated[list[_Part], Meta(min_length=1, max_length=2)] | None = None
    rows: dict[Annotated[str, Meta(max_length=2)], int] | None = None
    title: LocalizedText | None = None
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")] = "x"


def _is_in_table(detail: str) -> bool:
    for english, thai in table().items():
        pattern = re.escape(english).replace(re.escape("{}"), "(.*?)")
        if (found := re.fullmatch(pattern, detail, re.DOTALL)) and len(english.replace("{}", "")) > 1:
            wrapper = english.startswith("{};")
            if not wrapper or _is_in_table(found[1]):
                return bool(thai)
    return False


@pytest.mark.parametrize(
    "given",
    [
        *({"name": ""}, {"name": "long"}, {"name": 1}, {"count": 0}, {"count": 10}, {"count": "1"}, {"count": 1.5}),
        *({"count": 10**30}, {"flag": 1}, {"day": "x"}, {"day": "2569-01-01"}, {"day": "3000-01-01"}, {"day": 3}),
        *({"at": "x"}, {"at": "2026-01-01T00:00:00"}, {"kind": "c"}, {"kind": 1}, {"parts": []}, {"parts": [{}]}),
        *({"parts": [{"share": 2}]}, {"parts": [{"share": 1, "x": 1}]}, {"parts": [{"share": 1, "more": 0}]}),
        *({"parts": [{"share": 1, "more": 1}]}, {"parts": [{"share": 1}] * 3}, {"rows": {"long": 1}}, {"rows": []}),
        *({"title": {}}, {"title": {"th": "\u200b"}}, {"name": "a\x01"}, {"other": 1}, {"parts": [None]}, {"id": "-"}),
        *({"parts": {}}, {"title": "x"}, {"rows": {"a": "x"}}, {"name": True}, {"count": None, "flag": None}),
    ],
    ids=str,
)
def test_what_the_decoder_says_of_a_wrong_value_has_a_thai_text(given: Any) -> None:
    found: list[Problem] = [*faults(given, _Shape)]
    with pytest.raises(InvalidInput) as one:
        decode(msgspec.json.encode(given), _Shape)
    for fault in [*found, one.value]:
        assert _is_in_table(fault.detail), fault.detail


_LONG = b'{"count":' + b"9" * 5000 + b"}"


@pytest.mark.parametrize("body", [b"", b"{", b"{'a'}", b"nul", b'{"a":1} x', b"\xff", _LONG])
def test_what_the_decoder_says_of_a_wrong_body_has_a_thai_text(body: bytes) -> None:
    with pytest.raises(Problem) as one:
        decode(body, _Shape)
    assert _is_in_table(one.value.detail), one.value.detail
