"""Finds Java and the jars of Apache Kafka: those of KAFKA_HOME, or else those that Maven downloads.

Maven downloads the jars once into `.local/kafka/`. They are compared with their locked checksums in `kafka/jars.sha256`
(in the format of `sha256sum`) at each use.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.local.processes import LOCAL, CannotStart, run_command, shown

POM = Path(__file__).parent / "kafka" / "pom.xml"
LOCK = Path(__file__).parent / "kafka" / "jars.sha256"
JAVA_LOCALE = {"LC_ALL": "C.UTF-8"}
"""Variables for every `java`: in the locale C it cannot open a file whose path has letters beyond ASCII."""

_JAVA_NEEDED = 17
_FETCH_SECONDS = 600
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
_GET_JAVA = "install Java 17 or newer (`apt install openjdk-17-jre-headless`, `brew install openjdk`)"
_GET_MAVEN = "install Maven (`apt install maven`, `brew install maven`), or set KAFKA_HOME to an unpacked Apache Kafka"


def find_java() -> Path:
    """Return the path of the `java` in JAVA_HOME, or else on PATH.

    Raises CannotStart if there is none, or if it is older than Java 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    if (java := found or shutil.which("java")) is None:
        raise CannotStart(f"there is no `java`: {_GET_JAVA}")
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotStart(f"`{java} -version` does not run: {_GET_JAVA}") from error
    version = re.search(r'version "(?:1\.)?(\d+)', output)
    if version is None or int(version[1]) < _JAVA_NEEDED:
        raise CannotStart(f"`{java}` is Java {version[1] if version else '?'}: {_GET_JAVA}")
    return Path(java)


def find_jars(report: Callable[[str], None], cache: Path = LOCAL / "kafka", lock: Path = LOCK) -> Path:
    """Return the directory with the jars of Apache Kafka; download them if they are missing. Raises CannotStart.

    `report` prints a download. `cache`: where jars are stored. `lock`: the file with their checksums.
    """
    if home := os.environ.get("KAFKA_HOME"):
        if not any((Path(home) / "libs").glob("kafka_2.*.jar")):
            raise CannotStart(f"KAFKA_HOME={home} holds no libs/kafka_2.*.jar: set it to an unpacked Apache Kafka")
        return Path(home) / "libs"
    place = _place(cache)
    with _alone(place / "lock"):
        if _sums(place / "libs") != lock.read_text():
            _fetch(place, lock.read_text(), report)
    return place / "libs"


def lock_jars(report: Callable[[str], None], cache: Path = LOCAL / "kafka", lock: Path = LOCK) -> None:
    """Download the jars that the POM names, and write their checksums to the file `lock`. Raises CannotStart."""
    place = _place(cache)
    with _alone(place / "lock"):
        _copy(place, [], report)
        lock.write_text(_sums(place / "libs"))


def version_of(jars: Path) -> str:
    """Return the version of Apache Kafka whose jars are in a directory; empty if it has none."""
    return next((jar.stem.partition("-")[2] for jar in jars.glob("kafka_2.*.jar")), "")


def _place(cache: Path) -> Path:
    place = cache / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    return place


def _fetch(place: Path, locked: str, report: Callable[[str], None]) -> None:
    # A damaged jar in the user's own Maven repository would be copied again for ever: the second try has its own.
    for options in ([], [f"-Dmaven.repo.local={place / 'repository'}"]):
        _copy(place, options, report)
        differing = set(_sums(place / "libs").splitlines()) ^ set(locked.splitlines())
        if not differing:
            return
        names = ", ".join(sorted({line.split()[1] for line in differing}))
        report(f"not as locked: {names}; fetching everything again")
    raise CannotStart(
        f"Maven brought other files than the locked ones twice ({names}): try again, or set KAFKA_HOME. If it stays\n"
        f"so, its registry serves another file than {shown(LOCK)} names: inform the maintainers"
    )


def _copy(place: Path, options: list[str], report: Callable[[str], None]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotStart(f"there is no `mvn` to fetch Apache Kafka: {_GET_MAVEN}")
    report("fetching Apache Kafka through Maven (43 MB, once)")
    shutil.rmtree(place / "libs", ignore_errors=True)
    # -U: without it, Maven does not ask again for a day for what it once did not find.
    argv = [maven, "-B", "-C", "-U", "-f", str(POM), _COPY, "-DincludeScope=runtime"]
    argv += [f"-DoutputDirectory={place / 'libs'}", *options]
    log = place / "maven.log"
    with log.open("wb") as out:
        try:
            status, _ = run_command(argv, _FETCH_SECONDS, env={**os.environ, **JAVA_LOCALE}, stdout=out, stderr=out)
        except subprocess.TimeoutExpired as error:
            raise CannotStart(f"Maven did not bring Apache Kafka within {_FETCH_SECONDS} s: try again later") from error
    output = log.read_text(errors="replace")
    if status:
        if "No space left" in output:
            raise CannotStart(f"the disk is full: free some 200 MB for {shown(place)}")
        raise CannotStart(
            f"Maven could not fetch Apache Kafka (its output: {shown(log)}). Check the network and Maven's proxy\n"
            "(~/.m2/settings.xml). If that proxy signs certificates itself, have Java trust its authority:\n"
            "`keytool -importcert -cacerts -file /path/to/authority.pem`. Or set KAFKA_HOME to an unpacked Apache Kafka"
        )


def _sums(libs: Path) -> str:
    """Return the SHA-256 and the name of every jar, as `sha256sum *.jar` prints them; empty without a jar."""
    with contextlib.suppress(OSError):
        return "".join(f"{_digest(jar)}  {jar.name}\n" for jar in sorted(libs.glob("*.jar")))
    return ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock file, so that stacks that start at the same time download once."""
    import fcntl  # noqa: PLC0415 - not on Windows, where the rest of this file still imports

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
