"""Every command as a process: called wrongly, interrupted, or with nobody who reads its output."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.processes import ROOT

FRAMEWORK = ROOT / "deploy/seed/frameworks/th-digital-2018.json"
CHECK = ["services.catalog", "import-framework", str(FRAMEWORK), "--format", "json", "--dry-run"]
COURSES = ["services.catalog", "check", str(ROOT / "deploy/seed/courses.ndjson")]
ITEMS = ["services.assessment", "check", str(ROOT / "deploy/seed/item_banks/th-digital-2018.json")]
PROGRAMS = ["assessment", "catalog", "portal", "recommender"]
NOWHERE = "127.0.0.1:1"
SETTINGS = {
    "API_KEY_PEPPER": "pepper of these tests",
    "MONGODB_URI": f"mongodb://{NOWHERE}/?serverSelectionTimeoutMS=300",
    "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
    "CATALOG_URL": f"http://{NOWHERE}",
    "ASSESSMENT_URL": f"http://{NOWHERE}",
    "RECOMMENDER_URL": f"http://{NOWHERE}",
}


def run(
    argv: list[str], environment: dict[str, str] | None = None, line: str = "{}", directory: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command, in a line of the shell where `{}` stands for it; no setting comes from outside."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = line.format(subprocess.list2cmdline([sys.executable, "-m", *argv]))
    found = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT)} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in found.stdout + found.stderr, found.stderr
    assert "Exception ignored" not in found.stderr, found.stderr
    return found


@pytest.mark.parametrize("service", PROGRAMS)
def test_help_and_unknown_commands_need_no_settings(service: str) -> None:
    got = run([f"services.{service}", "--help"])
    assert (got.returncode, got.stderr) == (0, "")
    assert f"python -m services.{service}" in got.stdout
    for words in (["nonsense"], ["republish", "x"]):
        got = run([f"services.{service}", *words])
        assert got.returncode == 2
        assert f"there is no command '{' '.join(words)}'" in got.stderr
        assert f"python -m services.{service}" in got.stderr


@pytest.mark.parametrize("argv", [["deploy.topics"], ["services.recommender", "recompute"]])
def test_help_does_nothing_else(argv: list[str]) -> None:
    assert run([*argv, "--help"], SETTINGS).stdout.startswith("usage: ")
    got = run([*argv, "--nonsense"], SETTINGS)
    assert got.returncode == 2
    assert "usage: " in got.stderr


@pytest.mark.parametrize("argv", [CHECK, COURSES, ITEMS])
@pytest.mark.parametrize("shell", ["{} | true", "{} | head -c 1", "{} >&-", "{} 2>&-"])
def test_a_command_with_a_closed_output_ends_normally(argv: list[str], shell: str) -> None:
    assert run(argv, line=shell).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("argv", [CHECK, COURSES, ITEMS])
def test_output_that_cannot_be_written_is_a_failure(argv: list[str]) -> None:
    got = run(argv, line="{} > /dev/full")
    assert (got.returncode, got.stderr) == (2, "the answer cannot be written: No space left on device\n")


def test_characters_that_a_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "courses.csv").write_text("ชื่อหลักสูตร\nพลเมืองดิจิทัล\n", encoding="utf-8")
    got = run(["services.catalog", "check", "courses.csv"], {"PYTHONIOENCODING": "ascii"}, directory=tmp_path)
    assert got.returncode == 0
    assert "\\u0e0a\\u0e37\\u0e48\\u0e2d" in got.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ["deploy.topics"],
        ["shared.keys", "list"],
        ["services.catalog", "republish"],
        ["services.recommender", "recompute", "x", "--tenant", "t"],
        ["services.recommender"],
        COURSES,
    ],
)
async def test_ctrl_c_while_a_command_loads_its_modules_prints_one_word(argv: list[str]) -> None:
    program = (  # what is imported next after the package of the command raises the signal, in the middle of loading
        "import runpy, signal, sys, os\n"
        "class Press:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'argparse' or name.startswith('shared.'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Press())\n"
        f"sys.argv = {argv!r}\n"
        f"runpy.run_module({argv[0]!r}, run_name='__main__', alter_sys=True)\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=ROOT, stderr=asyncio.subprocess.PIPE, env=os.environ | SETTINGS
    )
    _, errors = await process.communicate()
    assert errors == b"interrupted\n"
    assert process.returncode in (-signal.SIGINT, 130)


def test_errors_distinguish_between_the_file_and_the_service(tmp_path: Path) -> None:
    (tmp_path / "courses.csv").mkdir()
    (tmp_path / "good.csv").write_text("title\nA\n")
    key = {"CATALOG_KEY": "a.b", "ASSESSMENT_KEY": "a.b"}
    for argv in (["services.catalog", "import", "--map", "guess"], ["services.assessment", "import-results"]):
        got = run([*argv, "courses.csv"], directory=tmp_path, environment=SETTINGS | key)
        assert (got.returncode, got.stdout) == (2, f"{argv[1]}: courses.csv: Is a directory\n")
        got = run([*argv, "nowhere.csv"], directory=tmp_path, environment=SETTINGS | key)
        assert (got.returncode, got.stdout) == (2, f"{argv[1]}: nowhere.csv: No such file or directory\n")
        got = run([*argv, "good.csv"], directory=tmp_path, environment=SETTINGS | key)
        assert got.returncode == 2
        assert f"The service at http://{NOWHERE}/v1/" in got.stdout


EXPORT, OFFICERS = ["services.catalog", "export", "x.csv"], ["services.assessment", "import-officers", "x.csv"]


@pytest.mark.parametrize(
    ("argv", "address"),
    [
        *((EXPORT, one) for one in ("nonsense", "ftp://x", "http://", "http://[::1", "http://127.0.0.1:99999", "x:1")),
        (OFFICERS, "nonsense"),
    ],
)
def test_an_invalid_address_is_named(argv: list[str], address: str) -> None:
    got = run([*argv, "--url", address])
    assert got.returncode == 2
    assert f"argument --url: is to be an address such as http://127.0.0.1:8102, not {address!r}" in got.stderr


def test_a_key_that_fits_no_header_is_rejected_by_its_variable() -> None:
    for key in ("a\x01b", "ไทย"):
        got = run(["services.catalog", "export", "x.csv"], {"CATALOG_KEY": key})
        assert (got.returncode, got.stdout) == (2, "export: CATALOG_KEY holds characters that no API key has\n")


def test_a_replay_without_a_broker_fails_with_a_message_and_leaves_nothing_open() -> None:
    got = run(["services.recommender", "replay"], SETTINGS)
    assert got.returncode == 1
    assert "replay: Kafka: " in got.stderr
    assert "Unclosed" not in got.stderr
