"""`make setup`: exactly the lock whatever is published, instant the second time, plain words when it cannot be."""

import base64
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import environment
from deploy.local.processes import ROOT

SCRIPT = ROOT / "deploy" / "local" / "environment.py"
PROJECT = """[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["plain"]
[project.optional-dependencies]
local = ["tool", "twice<1.5; python_version < '3.13'", "twice>=1.5; python_version >= '3.13'"]
calibration = ["tool"]
dev = ["cov", "elsewhere; sys_platform == 'win32'"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with the script and requirements that need nothing."""
    (tmp_path / "deploy" / "local").mkdir(parents=True)
    (tmp_path / "deploy" / "requirements").mkdir()
    shutil.copy(SCRIPT, tmp_path / "deploy" / "local")
    for kind in ("local", "dev"):
        _lock(tmp_path, kind).write_text("# nothing\n")
    return tmp_path


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree with a directory of wheels, and what `make lock` locks of them.

    As pytest-cov does, `cov` needs an extra of another package: the lock names the package without the extra.
    """
    place = tmp_path_factory.mktemp("first-day")
    (place / "deploy" / "requirements").mkdir(parents=True)
    (place / "index").mkdir()
    _publish(place / "index", "1.0")
    shutil.copy(ROOT / "Makefile", place)
    (place / "pyproject.toml").write_text(PROJECT)
    uv = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(place / "index"), "UV_CACHE_DIR": str(place / "uv")}
    (place / ".venv").symlink_to(sys.prefix)  # make splits a path with spaces
    argv = ["make", "-o", "setup", "lock"]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False, env={**os.environ, **uv})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "measure[" not in _lock(place, "dev").read_text()
    return place


@pytest.fixture
def index(tree: Path, first_day: Path) -> Path:
    """Have the tree hold the lock of the first day; return the directory of wheels that serves as the registry."""
    shutil.copytree(first_day / "deploy", tree / "deploy", dirs_exist_ok=True)
    return Path(shutil.copytree(first_day / "index", tree / "index"))


@pytest.fixture(scope="module")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("environment") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    return place


@pytest.fixture
def ready(tree: Path, new_environment: Path) -> Path:
    """Return the tree with an environment that holds nothing and is not made again: `dev` is noted as installed."""
    shutil.copytree(new_environment, tree / ".venv", symlinks=True)
    (tree / ".venv" / ".requirements").write_text(hashlib.sha256(_lock(tree, "dev").read_bytes()).hexdigest())
    return tree


def _publish(place: Path, version: str) -> None:
    _wheel(place, "plain", version)
    _wheel(place, "tool", version, "plain")
    _wheel(place, "measure", version, "measured; extra == 'toml'")
    _wheel(place, "measured", version)
    _wheel(place, "cov", version, "measure[toml]>=0.1", "tool")
    _wheel(place, "elsewhere", version)
    _wheel(place, "twice", version)
    _wheel(place, "twice", version.replace(".0", ".5"))


def _wheel(place: Path, name: str, version: str, *needs: str) -> None:
    """Make a wheel of one module."""
    info = f"{name}-{version}.dist-info"
    extra = "Provides-Extra: toml\n" if any("extra ==" in need for need in needs) else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extra}"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {need}\n" for need in needs),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    sums = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()}
    record = "".join(f"{path},sha256={digest.decode().rstrip('=')},\n" for path, digest in sums.items())
    with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


def _lock(tree: Path, kind: str) -> Path:
    return tree / "deploy" / "requirements" / f"{kind}.txt"


def _run(tree: Path, kind: str = "local", python: str = sys.executable, **environment: str) -> tuple[int, str]:
    argv = [python, str(tree / "deploy" / "local" / "environment.py"), kind]
    home = tree / "home"
    home.mkdir(exist_ok=True)
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tree / "index"), "HOME": str(home)}
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, **nowhere, **environment}
    )
    return done.returncode, done.stdout + done.stderr


def _held(tree: Path) -> set[str]:
    """Return what the environment holds besides what every new one holds."""
    code = "import importlib.metadata as m; print(*(d.metadata['Name'] + '==' + d.version for d in m.distributions()))"
    output = subprocess.check_output([tree / ".venv" / "bin" / "python", "-I", "-c", code], text=True)
    return {pin for pin in output.split() if pin.partition("==")[0] not in ("pip", "setuptools")}


def _twice() -> str:
    return "twice==1.0" if sys.version_info < (3, 13) else "twice==1.5"


def _pythons() -> list[str]:
    """Return each Python of this machine that serves; with each comes another pip."""
    beside = [str(path) for path in Path(sys.base_prefix).parent.glob("3.1[123]*/bin/python")]
    found: dict[str, str] = {}
    for name in [sys.executable, "python3.11", "python3.12", "python3.13", *beside]:
        code = "import sys, venv, ensurepip; print(*sys.version_info[:2], ensurepip.version())"
        if shutil.which(name):
            done = subprocess.run([name, "-c", code], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found.setdefault(done.stdout.strip(), name)
    return list(found.values())


LOCKED = {"plain==1.0", "tool==1.0", "measure==1.0", "measured==1.0", "cov==1.0"}


@pytest.mark.parametrize("python", _pythons())
def test_an_install_takes_exactly_the_lock_whatever_was_published_later(tree: Path, index: Path, python: str) -> None:
    _publish(index, "2.0")
    status, output = _run(tree, "dev", python)
    assert (status, output.splitlines()[-1]) == (0, ".venv is ready"), output
    assert _held(tree) - {"twice==1.0", "twice==1.5"} == LOCKED
    assert len(_held(tree)) == len(LOCKED) + 1
    assert _run(tree, "dev", python) == (0, "")


def test_new_packages_are_added_and_removed_ones_are_uninstalled(tree: Path, index: Path, ready: Path) -> None:
    assert _run(tree, "local")[0] == 0
    assert _held(tree) == {"plain==1.0", "tool==1.0", _twice()}
    assert "making the virtual environment" not in _run(tree, "dev")[1]
    assert _held(tree) == {*LOCKED, _twice()}
    _lock(tree, "dev").write_text(_lock(tree, "local").read_text() + "# fewer\n")
    status, output = _run(tree, "dev")
    assert (status, "making the virtual environment" in output) == (0, True)
    assert _held(tree) == {"plain==1.0", "tool==1.0", _twice()}


def test_an_incomplete_lock_is_rejected(tree: Path, index: Path, ready: Path) -> None:
    whole = _lock(tree, "local").read_text()
    _lock(tree, "local").write_text(re.sub(r"plain==1.0(.|\n)*?(?=^\w)", "", whole, flags=re.MULTILINE))
    for _ in range(2):
        status, output = _run(tree, "local")
        assert (status, "tool 1.0 requires plain" in output) == (1, True), output


def test_another_file_than_the_locked_one_is_rejected(tree: Path, index: Path, ready: Path) -> None:
    _wheel(index, "plain", "1.0", "tool")
    status, output = _run(tree, "local")
    assert (status, "not the file that was locked" in output) == (1, True)


def test_user_settings_of_pip_do_not_change_the_installation(tree: Path, index: Path, ready: Path) -> None:
    beside = tree / "beside"
    beside.mkdir()
    shutil.unpack_archive(index / "plain-1.0-py3-none-any.whl", beside, "zip")
    (tree / "constraint.txt").write_text("plain<1\n")
    settings = {"PIP_CONSTRAINT": str(tree / "constraint.txt"), "PIP_PRE": "1", "PIP_USER": "1"}
    settings |= dict.fromkeys(("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"), str(beside))
    assert _run(tree, "local", **settings)[0] == 0
    assert _held(tree) == {"plain==1.0", "tool==1.0", _twice()}


def test_a_pip_conf_that_asks_for_the_home_does_not_prevent_the_installation(
    tree: Path, index: Path, ready: Path
) -> None:
    (tree / "pip.conf").write_text("[install]\nuser = true\n")
    assert _run(tree, "local", PIP_CONFIG_FILE=str(tree / "pip.conf"))[0] == 0


def test_a_pip_setting_that_redirects_the_install_is_named(tree: Path, index: Path, ready: Path) -> None:
    (tree / "pip.conf").write_text(f"[install]\ntarget = {tree / 'elsewhere'}\n")
    status, output = _run(tree, "local", PIP_CONFIG_FILE=str(tree / "pip.conf"))
    assert (status, "pip config list" in output) == (1, True)


def test_a_second_run_does_nothing_until_the_requirements_change(tree: Path, ready: Path) -> None:
    assert _run(tree, "dev") == (0, "")
    assert _run(tree, "local") == (0, "")  # dev holds all of local
    _lock(tree, "local").write_text("# still nothing\n")
    assert ".venv is ready" in _run(tree, "local")[1]


def test_two_processes_make_the_environment_one_after_the_other(tree: Path, index: Path, ready: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Registry(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            go_on.wait(30)
            super().do_GET()

    for name, wheel in [(wheel.name.partition("-")[0], wheel) for wheel in index.glob("*-1.*.whl")]:
        (tree / "served" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, tree / "served" / name)
    handler = functools.partial(Registry, directory=str(tree / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        registry = {
            "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/",
            "PIP_NO_INDEX": "",
            "PIP_FIND_LINKS": "",
        }
        argv = [sys.executable, str(tree / "deploy" / "local" / "environment.py"), "local"]
        environ = {**os.environ, **registry, "HOME": str(tree)}
        first = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environ)
        try:
            assert asked.wait(60)
            second = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environ)
            assert second.stderr is not None
            said = second.stderr.readline()
        finally:
            go_on.set()
            outputs = [one.communicate()[1] for one in (first, second)]
            server.shutdown()
    assert (said, outputs[1]) == ("waiting for another process, which makes .venv at this moment\n", "")
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert _held(tree) == {"plain==1.0", "tool==1.0", _twice()}


def test_make_hides_variables_that_would_change_the_python_of_the_environment() -> None:
    hidden = {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    argv, rule, environ = ["make", "-f", "Makefile", "-f", "-", "shown"], "shown:\n\t@env\n", {**os.environ, **hidden}
    done = subprocess.run(argv, cwd=ROOT, input=rule, capture_output=True, text=True, check=True, env=environ)
    assert "PATH=" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.endswith("=/nowhere")] == []


def test_an_unreachable_registry_is_named(tree: Path, ready: Path) -> None:
    _lock(tree, "local").write_text(f"absent==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_FIND_LINKS": "", "PIP_NO_INDEX": ""}
    status, output = _run(tree, **nowhere)
    assert status == 1
    assert "registry cannot be reached" in output
    assert "Traceback" not in output


def test_a_python_that_is_too_old_is_named(tree: Path) -> None:
    script = tree / "deploy" / "local" / "environment.py"
    script.write_text(
        script.read_text().replace("OLDEST, NEWEST = (3, 11), (3, 13)", "OLDEST, NEWEST = (9, 1), (9, 2)")
    )
    status, output = _run(tree)
    assert status == 1
    assert f"is Python {sys.version.split()[0]}" in output
    assert "apt install" in output


def test_a_python_without_venv_is_named(tree: Path) -> None:
    script = tree / "deploy" / "local" / "environment.py"
    script.write_text(script.read_text().replace('"-m", "venv", str(VENV)', '"-m", "no_such_venv", str(VENV)'))
    status, output = _run(tree)
    assert status == 1
    assert "apt install python3-venv" in output
    assert not (tree / ".venv").exists()


FULL = "The disk is full: free some 2 GB"


@pytest.fixture
def small_disk(tree: Path) -> Iterator[Path]:
    """Mount a disk of 12 MB over the tree's directory `disk`."""
    disk = tree / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here: that takes root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def _fill(disk: Path) -> None:
    with (disk / "fill").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def _moved(tree: Path, disk: Path) -> Path:
    """Return the tree's copy on the small disk."""
    shutil.copytree(tree / "deploy", disk / "deploy")
    return disk


def _only_sentence(output: str, sentence: str) -> None:
    assert sentence in output
    assert "Traceback" not in output
    assert "Errno" not in output


@pytest.mark.parametrize("full_before", [True, False], ids=["full at first", "full in the middle"])
def test_a_full_disk_is_named_even_if_the_log_cannot_be_written(
    tree: Path, small_disk: Path, full_before: bool
) -> None:
    moved = _moved(tree, small_disk)
    if full_before:
        _fill(small_disk)
    script = str(moved / "deploy" / "local" / "environment.py")
    done = subprocess.run([sys.executable, script, "local"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    _only_sentence(done.stderr, FULL)


def test_a_disk_that_is_full_only_when_the_stamp_is_written_is_named(tree: Path, ready: Path, small_disk: Path) -> None:
    _lock(tree, "local").write_text("# still nothing\n")
    script = tree / "deploy" / "local" / "environment.py"
    _fill(small_disk)
    script.write_text(script.read_text().replace('VENV / ".requirements"', f'Path("{small_disk}") / "stamp"'))
    status, output = _run(tree)
    assert status == 1
    _only_sentence(output, FULL)


def test_a_full_disk_for_temporary_files_is_named(ready: Path, tmp_path: Path, small_disk: Path) -> None:
    wheel = tmp_path / "served" / "plain" / "plain-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(os.urandom(16 << 20))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    _lock(ready, "local").write_text(f"plain==1.0 \\\n    --hash=sha256:{digest}\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        status, output = _run(ready, PIP_INDEX_URL=url, PIP_NO_INDEX="", PIP_FIND_LINKS="", TMPDIR=str(small_disk))
        server.shutdown()
    assert status == 1
    _only_sentence(output, FULL)


def test_a_read_only_disk_is_named(tree: Path, small_disk: Path) -> None:
    moved = _moved(tree, small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    script = str(moved / "deploy" / "local" / "environment.py")
    done = subprocess.run([sys.executable, script, "local"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    _only_sentence(done.stderr, "`.venv` may not be written")


def test_a_file_named_like_the_environment_is_named(tree: Path) -> None:
    (tree / ".venv").write_text("mine")
    status, output = _run(tree)
    assert status == 1
    _only_sentence(output, "`.venv` is a file, and a directory is needed there")
    assert (tree / ".venv").read_text() == "mine"


def test_a_broken_link_is_named(tree: Path) -> None:
    (tree / ".venv").symlink_to(tree / "gone")
    status, output = _run(tree)
    assert status == 1
    _only_sentence(output, "`.venv` is a file, and a directory is needed there")


def test_the_environment_is_made_even_if_the_log_cannot_be_written(tree: Path, ready: Path) -> None:
    _lock(tree, "local").write_text("# still nothing\n")
    (tree / ".local").write_text("mine")
    assert _run(tree) == (0, ".venv is ready\n")
    assert (tree / ".local").read_text() == "mine"


def test_a_log_that_was_not_written_is_not_mentioned(tree: Path, ready: Path) -> None:
    (tree / ".local").write_text("mine")
    _lock(tree, "local").write_text(f"absent==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    status, output = _run(tree)
    assert (status, "setup.log" in output) == (1, False)


def test_a_registry_behind_a_certificate_that_is_not_trusted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Retrying after 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
    monkeypatch.setattr(environment, "output", [said, "No matching distribution found (from versions: none)"])
    cause = environment.known_cause()
    assert cause is not None
    assert "PIP_CERT=" in cause


def test_every_command_that_a_message_names_is_on_one_line() -> None:
    messages = {name: text for name, text in vars(environment).items() if name.isupper() and isinstance(text, str)}
    assert "brew install python@3.13" in messages["NO_PYTHON"]
    assert [name for name, text in messages.items() if any(line.count("`") % 2 for line in text.splitlines())] == []
