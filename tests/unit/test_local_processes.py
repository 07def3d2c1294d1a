"""Child processes of the local stack: they report why they failed, and never outlive their parent."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.processes import ROOT, CannotStart, Child, until

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
PARENT = """
import sys, time
from contextlib import suppress
from pathlib import Path
from deploy.local.processes import Child
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


async def test_a_child_that_is_killed_can_be_started_again(tmp_path: Path) -> None:
    child = Child("sleeper", SLEEP, tmp_path / "log")
    child.start()
    first = child.pid
    child.kill()
    assert (child.running, child.returncode) == (False, -signal.SIGKILL)
    child.start()
    assert child.running
    assert child.pid != first
    await child.stop()
    assert child.returncode == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = Child("deaf", [sys.executable, "-c", deaf], tmp_path / "log")
    child.start()

    async def listening() -> bool:
        return "deaf" in child.tail()

    await until(listening, child, 10, "deaf")
    await child.stop(grace=0.1)
    assert child.returncode == -signal.SIGKILL


async def test_a_child_that_ends_early_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child("catalog", [sys.executable, "-c", "print('no such setting'); raise SystemExit(2)"], tmp_path / "log")
    child.start()

    async def never() -> bool:
        return False

    with pytest.raises(CannotStart, match=r"(?s)catalog ended before it was ready.*status 2.*no such setting"):
        await until(never, child, 10, "catalog")


async def test_a_missing_library_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    said = "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    child = Child("MongoDB", [sys.executable, "-c", f"print({said!r}); raise SystemExit(127)"], tmp_path / "log")
    child.start()

    async def never() -> bool:
        return False

    with pytest.raises(CannotStart, match=r"^The library libcurl\.so\.4 is missing: .*apt install libcurl4"):
        await until(never, child, 10, "MongoDB")


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot run /no/such/program"):
        Child("x", ["/no/such/program"], tmp_path / "log").start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed process")
def test_the_children_of_a_killed_parent_are_gone(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    while _alive(child):  # the time limit of the test ends a wait in vain
        time.sleep(0.02)


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
with open(sys.argv[1], "w") as note:
    print(os.getpid(), file=note)
time.sleep(600)
"""

RUNS_IT = """
import asyncio, pathlib, sys
from deploy.local.__main__ import _finish
from deploy.local.pages import Node
program = pathlib.Path(sys.argv[1])
node = Node(pathlib.Path(sys.executable), program)
sys.exit(_finish(asyncio.to_thread(node.script, program, sys.argv[2])))
"""


def test_ctrl_c_ends_a_command_that_does_not_obey_it(tmp_path: Path) -> None:
    program, note = tmp_path / "program", tmp_path / "pid"
    program.write_text(STUBBORN)
    with subprocess.Popen([sys.executable, "-c", RUNS_IT, program, note], cwd=ROOT) as parent:
        while not note.exists() or not note.read_text().endswith("\n"):  # the time limit of the test ends it
            time.sleep(0.02)
        child = int(note.read_text())
        try:
            parent.send_signal(signal.SIGINT)
            assert parent.wait(60) == 130
            assert not _alive(child)
        finally:
            parent.kill()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_full_disk_gives_a_clear_message() -> None:
    code = "import sys; from deploy.local import __main__ as it\nasync def full(): raise OSError(28, 'No space left')\n"
    argv = [sys.executable, "-c", code + "sys.exit(it._finish(full()))"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr.strip().startswith("The disk is full: free some 2 GB")) == (1, True)


def test_a_file_named_like_the_local_directory_gives_a_clear_message(tmp_path: Path) -> None:
    for package in ("deploy", "shared"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "services").symlink_to(ROOT / "services")
    (tmp_path / ".local").write_text("mine")
    argv = [sys.executable, "-m", "deploy.local", "lock"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert re.match(r"`\.local\S*` is a file, and a directory is needed there", done.stderr.strip())
    assert (tmp_path / ".local").read_text() == "mine"
