"""A framework that is written in a format and read again is the same, as far as the format holds it."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.frameworks import FORMATS, Options, Source, read, write
from services.catalog.frameworks.texts import identifier
from shared.domain import (
    Area,
    Framework,
    JobGroup,
    LocalizedText,
    Prose,
    Relation,
    Requirement,
    ScaleLevel,
    Skill,
    Stage,
)

AT = datetime(2026, 11, 2, tzinfo=UTC)
SIGNS = "ab-Z09 .&;</>é,\"'\n=|#"
THAI = f"{SIGNS}กขคำเแ้่๑"
SEEDS = st.integers(0, 2**32)


HTML = ("<b>", "</table>", "&amp;", "&lt;br&gt;", "<!--", "-->")


def words(chance: Random, signs: str = THAI) -> str:
    return "".join(chance.choices(signs, k=chance.randrange(20)))


def written(chance: Random, signs: str = THAI) -> str:
    """Return some words in which some HTML may stand, as in the title of a skill of web pages."""
    return f"{words(chance, signs)}{chance.choice(['', '', *HTML])}{words(chance, signs)}"


def text(chance: Random, shape: type[Any] = LocalizedText) -> Any:
    languages = chance.choice([("th", "en"), ("th",), ("en",)])
    given = {"th": f"ก{written(chance)}".strip(), "en": f"e{written(chance, SIGNS)}".strip()}
    return shape(**{language: given[language] for language in languages})


def ids(chance: Random) -> list[str]:
    found = {f"i{words(chance, 'abYZ09._-')}".lower() for _ in range(chance.randint(1, 4))}
    return [name.replace("y", "Y") for name in found]


def level(chance: Random, top: float = 100) -> float:
    return min(top, chance.choice([round(chance.uniform(0, top), 6), float(chance.randint(0, 9))]))


def made(seed: int, *, rich: bool) -> Framework:
    """Return some framework; `rich`: with everything that a framework can hold."""
    chance = Random(seed)  # noqa: S311 - the same for the same seed
    groups, stages = ids(chance), ids(chance)
    scale = sorted({0.0, 1.0, level(chance), level(chance)})
    prose = (lambda: chance.choice([None, text(chance, Prose)])) if rich else lambda: None
    areas = [Area(name, text(chance), prose()) for name in ids(chance)]
    skills = [
        Skill(
            name,
            chance.choice(areas).id,
            text(chance),
            chance.choice([None, f"c{written(chance)}".strip()]),
            [text(chance) for _ in range(chance.randrange(3))] if rich else [],
            [ScaleLevel(chance.choice(scale), text(chance))] if rich else [],
            prose(),
        )
        for name in ids(chance)
    ]
    required = {
        (chance.choice(groups), chance.choice(skills).id, chance.choice([None, *stages]))
        for _ in range(chance.randrange(6))
    }
    relations = []
    if rich and len(skills) > 1:
        relations = [Relation("precedes", skills[0].id, skills[1].id), Relation("exact_match", skills[0].id, "urn:x:1")]
    return Framework(
        id=ids(chance)[0],
        title=text(chance),
        scale=[ScaleLevel(level, text(chance)) for level in scale],
        areas=areas,
        skills=skills,
        job_groups=[JobGroup(name, text(chance), prose()) for name in groups],
        requirements=[
            Requirement(group, skill, level(chance, scale[-1]), stage, level(chance) or 1.0)
            for group, skill, stage in sorted(required, key=str)
        ],
        stages=[Stage(name, text(chance)) for name in stages],
        description=text(chance) if rich else None,
        relations=relations,
    )


def again(name: str, framework: Framework) -> Framework:
    written = write(name, framework, AT)
    reading = read(name, [Source("file", written.data)], Options(id=framework.id, title=framework.title))
    assert reading.framework, reading.faults
    assert [fault for fault in reading.faults if fault.verdict != "changed"] == []
    return reading.framework


@settings(max_examples=60, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("name", ["json", "case-1.1"])
def test_a_lossless_format_returns_everything(name: str, seed: int) -> None:
    framework = made(seed, rich=True)
    assert write(name, framework, AT).not_held == []
    assert again(name, framework) == framework


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_table_returns_everything_except_descriptions(seed: int) -> None:
    framework = made(seed, rich=False)
    assert [lost.what for lost in write("csv", framework, AT).not_held] == ["id, title or description of the framework"]
    assert again("csv", framework) == framework


@settings(max_examples=60, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "onet"])
def test_a_second_round_trip_loses_nothing_more(name: str, seed: int) -> None:
    framework = made(seed, rich=True)
    once = again(name, framework)
    assert again(name, once) == once
    assert [skill.title.en or skill.title.th for skill in once.skills] == [
        skill.title.en or skill.title.th for skill in framework.skills
    ]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_every_text_becomes_a_stable_identifier(words: str) -> None:
    name = identifier(words)
    assert msgspec.convert({"id": name, "title": {"en": "x"}}, Area).id == name
    assert identifier(name) == name == identifier(f" {words} ")


def test_names_that_differ_only_in_punctuation_get_different_identifiers() -> None:
    names = [identifier(words) for words in ("C", "C++", "C#", "ขับเคลื่อน (Digital)", "นำทาง (Digital)", "Data analysis")]
    assert len(set(names)) == len(names)
    assert names[-1] == "data-analysis" == identifier("data  Analysis")
