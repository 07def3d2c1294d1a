"""`python -m services.assessment import`, `export` and `check` of item banks."""

import json
from pathlib import Path

import msgspec

from services.assessment.commands import main
from tests.support.assessment import assessment_service
from tests.support.builders import FRAMEWORK, framework, unique
from tests.support.services import Started, run_command

SERVICE = assessment_service


async def command(service: Started, *arguments: str) -> tuple[int, str]:
    environment = {"ASSESSMENT_URL": service.address, "ASSESSMENT_KEY": await service.key("admin", "agency")}
    return await run_command(main, environment, *arguments)


def written(folder: Path, *skills: str) -> str:
    options = [{"th": "ไม่", "en": "no"}, {"th": "ใช่", "en": "yes"}]
    items = [
        {
            "id": f"i{n}",
            "skill": skill,
            "kind": "choice",
            "level": 1,
            "stem": {"th": f"ถาม {n}", "en": f"ask {n}"},
            "options": options,
            "key": n % 2,
        }
        for n, skill in enumerate(skills)
    ]
    path = folder / "items.json"
    path.write_text(json.dumps({"items": items}), encoding="utf-8")
    return str(path)


async def test_a_bank_is_imported_published_and_exported_in_another_format(service: Started, tmp_path: Path) -> None:
    name, given = unique("bank"), written(tmp_path, "reading", "writing")
    code, output = await command(
        service, "import", given, "--bank", name, "--framework", FRAMEWORK, "--title-en", "Mine", "--publish"
    )
    assert (code, output.splitlines()[-1]) == (0, f"{name}: published, version 1")
    table = tmp_path / "items.csv"
    assert (await command(service, "export", str(table), "--bank", name))[0] == 0
    code, output = await command(service, "import", str(table), "--bank", name, "--publish")
    assert (code, output.splitlines()[-1]) == (0, f"{name}: unchanged, version 1")
    code, output = await command(service, "export", str(tmp_path / "x.json"), "--bank", name, "--version", "2")
    assert (code, "no such version" in output) == (2, True)


async def test_rejected_items_are_printed_and_change_the_exit_code(service: Started, tmp_path: Path) -> None:
    given = written(tmp_path, "reading", "cooking")
    code, output = await command(
        service, "import", given, "--bank", unique("b"), "--framework", FRAMEWORK, "--title-en", "M"
    )
    assert code == 1
    assert "skill: framework fw has no skill 'cooking'" in output
    own = tmp_path / "framework.json"
    own.write_bytes(msgspec.json.encode(framework({"reading": 1})))
    code, output = await command(service, "check", given, "--framework-file", str(own))
    assert (code, "no skill 'cooking'" in output) == (1, True)
    code, output = await command(service, "check", given)
    assert (code, "reading" in output) == (0, True)


async def test_a_failed_command_prints_the_reason(service: Started, tmp_path: Path) -> None:
    (tmp_path / "items.txt").write_text("x", encoding="utf-8")
    assert (await command(service, "check", str(tmp_path / "items.txt")))[0] == 2
    assert (await command(service, "check", str(tmp_path / "absent.json")))[0] == 2
    code, output = await command(
        service, "export", str(tmp_path / "o.json"), "--bank", "b", "--url", "http://127.0.0.1:9"
    )
    assert (code, "cannot be reached" in output) == (2, True)
    assert not (tmp_path / "o.json").exists()
