"""Apache Kafka's jars: fetched once, held against the lock each time, fetched again; a stand-in plays Maven."""

import hashlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import kafka_jars
from deploy.local.kafka_jars import LOCK, POM, find_java, lock_jars, version_of
from deploy.local.processes import CannotStart

# The path of Python may have spaces, which a first line cannot: `sh` reads the second line, Python a string.
MAVEN = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import pathlib, sys, zipfile
here = pathlib.Path(__file__).parent
calls = here / "calls"
with calls.open("a") as file:
    print(*sys.argv[1:], file=file)
if (here / "refuses").exists():
    print((here / "refuses").read_text())
    sys.exit(1)
libs = pathlib.Path(next(arg for arg in sys.argv if arg.startswith("-DoutputDirectory=")).partition("=")[2])
libs.mkdir(parents=True)
with zipfile.ZipFile(libs / "kafka_2.13-9.9.9.jar", "w") as jar:
    jar.writestr(zipfile.ZipInfo("kafka/Kafka.class"), "x" * 1000)  # no clock in it: every fetch brings the same bytes
if (here / "adds").exists():
    (libs / "more-1.0.jar").write_bytes(b"new")
if (here / "damages").exists() and "-Dmaven.repo.local" not in sys.argv[-1]:
    (libs / "kafka_2.13-9.9.9.jar").write_bytes(b"half a fi")
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a stand-in for Maven that is the only one on PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "mvn").write_text(MAVEN.format(python=sys.executable))
    (place / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    lock_jars(print, tmp_path / "locking", tmp_path / "lock")
    (place / "calls").unlink()
    return place


def find_jars(report: Callable[[str], None], cache: Path) -> Path:
    return kafka_jars.find_jars(report, cache, cache.parent / "lock")


def _calls(maven: Path) -> int:
    return len((maven / "calls").read_text().splitlines())


def test_the_jars_are_fetched_once(maven: Path, tmp_path: Path) -> None:
    messages: list[str] = []
    libs = find_jars(messages.append, tmp_path / "cache")
    assert version_of(libs) == "9.9.9"
    assert " -U " in (maven / "calls").read_text()  # else Maven does not ask again for a day for what it did not find
    assert find_jars(messages.append, tmp_path / "cache") == libs
    assert _calls(maven) == 1
    assert len(messages) == 1


@pytest.mark.parametrize("harm", ["truncated", "flipped", "lost", "more"])
def test_a_damaged_jar_is_noticed_and_fetched_again(maven: Path, tmp_path: Path, harm: str) -> None:
    libs = find_jars(print, tmp_path / "cache")
    jar, whole = libs / "kafka_2.13-9.9.9.jar", (libs / "kafka_2.13-9.9.9.jar").read_bytes()
    if harm == "truncated":
        jar.write_bytes(whole[:-20])
    elif harm == "flipped":
        jar.write_bytes(whole[:50] + b"?" + whole[51:])
    elif harm == "lost":
        jar.unlink()
    else:
        (libs / "other-1.0.jar").write_bytes(whole)
    find_jars(print, tmp_path / "cache")
    assert [file.read_bytes() for file in libs.iterdir()] == [whole]
    assert _calls(maven) == 2


def test_a_damaged_maven_repository_is_bypassed(maven: Path, tmp_path: Path) -> None:
    (maven / "damages").touch()
    libs = find_jars(print, tmp_path / "cache")
    assert version_of(libs) == "9.9.9"
    assert "-Dmaven.repo.local" in (maven / "calls").read_text().splitlines()[1]


def test_other_jars_than_the_locked_ones_are_rejected_and_named(maven: Path, tmp_path: Path) -> None:
    (maven / "adds").touch()  # as when a registry resolves one more, or another version
    for _ in range(2):
        with pytest.raises(CannotStart, match=r"other files than the locked ones twice \(more-1.0.jar\)"):
            find_jars(print, tmp_path / "cache")
    assert _calls(maven) == 4


def test_the_lock_is_of_the_version_that_the_pom_names() -> None:
    locked = {jar: digest for digest, jar in (line.split() for line in LOCK.read_text().splitlines())}
    named = re.findall(r"<artifactId>([\w.-]+)</artifactId>\s*<version>([\w.-]+)</version>", POM.read_text())
    jars = {f"{name}-{version}.jar" for name, version in named if name not in ("kafka", "maven-dependency-plugin")}
    assert len(jars) == 2
    assert jars <= set(locked)
    assert {len(digest) for digest in locked.values()} == {len(hashlib.sha256().hexdigest())}


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ("Could not transfer artifact", r"network and Maven's proxy\n(.*\n)?.*keytool -importcert"),
        ("No space left on device", "disk is full"),
    ],
)
def test_a_failed_download_explains_what_to_do(maven: Path, tmp_path: Path, refusal: str, expected: str) -> None:
    (maven / "refuses").write_text(refusal)
    with pytest.raises(CannotStart, match=expected):
        find_jars(print, tmp_path / "cache")


def test_missing_jars_and_java_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").write_text("0  kafka_2.13-9.9.9.jar\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    with pytest.raises(CannotStart, match=r"no `java`.*apt install"):
        find_java()
    with pytest.raises(CannotStart, match=r"no `mvn`.*apt install maven"):
        find_jars(print, tmp_path / "cache")
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(CannotStart, match="KAFKA_HOME="):
        find_jars(print, tmp_path / "cache")


def test_an_old_java_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CannotStart, match="is Java 8: install Java 17"):
        find_java()
