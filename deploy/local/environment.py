"""Makes `.venv` and installs the locked requirements into it: `python3 deploy/local/environment.py local|dev`.

Standard library only, and plain enough for an old Python to run: it has to say what is wrong with it. The second time
is instant, until the requirements change.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / ".requirements"
LOG = ROOT / ".local" / "setup.log"
KINDS = ("local", "dev")
OLDEST, NEWEST = (3, 11), (3, 13)
NO_PYTHON = """This needs Python 3.11, 3.12 or 3.13; `{found}` is Python {version}, and no python3.13, python3.12 or
python3.11 on PATH serves.
Install one (`apt install python3.11 python3.11-venv`, `dnf install python3.12`, `brew install python@3.13`),
or name it: make PYTHON=/path/to/python3.13 ..."""
NO_VENV = """`{python}` cannot make a virtual environment: its `venv` or `ensurepip` module is missing.
Install it (`apt install python3-venv`, or `python{version}-venv`; `apk add python3 py3-pip`; Fedora and macOS have it),
or name another Python: make PYTHON=/path/to/python3.13 ..."""
DISK_FULL = "The disk is full: free some 2 GB (also where temporary files go), then try again."
CHANGED = """A download is not the file that was locked: try again. If it stays so, the package registry serves
another file than the one in deploy/requirements/: do not go on, and tell the maintainers."""
OUT_OF_REACH = "The package registry is out of reach: check the network and the proxy (HTTPS_PROXY), then try again."
NOT_TO_BE_HAD = "A locked package is not to be had for this kind of machine, or from this package registry."
NOT_OURS = "The files of .venv may not be written: check who owns them, or remove .venv."
NO_NETWORK = (
    "NewConnectionError|ConnectTimeout|name resolution|Name or service not known|nodename nor servname|Read timed out|"
    "Network is unreachable|Connection refused|ConnectionError|ProxyError|SSLError|ReadTimeoutError|Max retries|"
    "from versions: none"
)
CAUSES = {
    "No space left on device|Errno 28": DISK_FULL,
    "DO NOT MATCH THE HASHES": CHANGED,
    NO_NETWORK: OUT_OF_REACH,
    "No matching distribution found|Could not find a version": NOT_TO_BE_HAD,
    "Permission denied|Errno 13": NOT_OURS,
}


def main(kind: str) -> int:
    """Make the environment; return the exit status."""
    if kind not in KINDS:
        return say("usage: environment.py " + "|".join(KINDS), 2)
    wanted = stamps(kind)
    if wanted[0] in read(STAMP).split() and serves(venv_python()):
        return 0
    python = find_python()
    if python is None:
        return say(NO_PYTHON.format(found=sys.executable, version=sys.version.split()[0]), 1)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    if not runs(venv_python()):
        say("making the virtual environment .venv with " + python)
        shutil.rmtree(VENV, ignore_errors=True)
        if not logged([python, "-m", "venv", str(VENV)]):
            return no_venv(python)
    if not install(kind):
        return failed()
    STAMP.write_text("\n".join(wanted) + "\n")
    return say(".venv is ready")


def stamps(kind: str) -> "list[str]":
    """Return what to note once `kind` is installed: its own hash, and that of `local` too where it holds all of it."""
    texts = {name: read(requirements(name)) for name in KINDS}
    pins = {name: set(re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)) for name, text in texts.items()}
    held = [kind] + [name for name in KINDS if name != kind and pins[name] <= pins[kind]]
    return [hashlib.sha256(texts[name].encode()).hexdigest() for name in held]


def find_python() -> "str | None":
    """Return a Python that serves: this one, else one on PATH."""
    for candidate in [sys.executable, "python3.13", "python3.12", "python3.11"]:
        path = shutil.which(candidate)
        if path and serves(path):
            return path
    return None


def serves(path: "str | Path") -> bool:
    """Whether a Python is of a version that the requirements are locked for."""
    try:
        said = subprocess.check_output(
            [str(path), "-c", "import sys; print(*sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
        return OLDEST <= tuple(int(part) for part in said.split()) <= NEWEST
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False


def install(kind: str) -> bool:
    """Install the locked requirements, telling how far it is; return whether it went well."""
    total = len(re.findall(r"^[\w.-]+==", read(requirements(kind)), re.MULTILINE))
    argv = [str(venv_python()), "-m", "pip", "install", "--require-hashes", "--no-input", "--disable-pip-version-check"]
    argv += ["--only-binary", ":all:", "--no-warn-script-location", "-r", str(requirements(kind))]
    seen = 0
    with LOG.open("ab") as log:
        pip = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(ROOT))
        for line in pip.stdout or []:
            log.write(line)
            words = line.decode("utf-8", "replace").split()
            if words[:1] == ["Collecting"]:
                seen += 1
                progress(f"fetching {seen} of {total}: {words[1].split('==')[0]}", seen)
            elif words[:1] == ["Installing"]:
                progress(f"installing {seen} packages", 0)
        status = pip.wait()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return status == 0


def progress(text: str, count: int) -> None:
    """Tell how far it is: in place on a terminal, every tenth line elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()
    elif count % 10 == 0:
        say(text)


def logged(argv: "list[str]") -> bool:
    """Run a command, its words into the log; return whether it went well."""
    with LOG.open("ab") as log:
        try:
            return subprocess.call(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=str(ROOT)) == 0
        except OSError:
            return False


def no_venv(python: str) -> int:
    """Say why there is no virtual environment."""
    shutil.rmtree(VENV, ignore_errors=True)
    if "No space left" in read(LOG):
        return say(DISK_FULL, 1)
    version = subprocess.check_output([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return say(NO_VENV.format(python=python, version=version.decode().strip()), 1)


def failed() -> int:
    """Say why the requirements were not installed."""
    text = read(LOG)
    for pattern, sentence in CAUSES.items():
        if re.search(pattern, text):
            return say(sentence + "\nThe whole story: .local/setup.log", 1)
    return say("pip failed:\n" + "\n".join(text.splitlines()[-12:]) + "\nThe whole story: .local/setup.log", 1)


def runs(python: Path) -> bool:
    """Whether the environment's Python is there, is of a version that serves, and has pip."""
    if not python.exists() or not serves(python):
        return False
    return subprocess.call([str(python), "-c", "import pip"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def venv_python() -> Path:
    """Return the path of the environment's Python."""
    return VENV / "bin" / "python"


def requirements(kind: str) -> Path:
    """Return the path of a file of locked requirements."""
    return ROOT / "deploy" / "requirements" / f"{kind}.txt"


def read(path: Path) -> str:
    """Return a file's text, empty where there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def say(text: str, status: int = 0) -> int:
    """Tell the user, and return the status."""
    sys.stderr.write(text + "\n")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
    except KeyboardInterrupt:
        sys.exit(say("\nstopped", 130))
    except OSError as error:
        sys.exit(say(f"cannot set up: {error}", 1))
