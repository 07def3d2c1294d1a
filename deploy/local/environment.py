"""Makes `.venv` and installs exactly the locked requirements: `python3 deploy/local/environment.py local|dev`.

It uses only the standard library, and a syntax that an old Python can run, so that it can report an unsuitable version.
A second run does nothing unless the requirements have changed. If the log cannot be written, it is left out.
"""

import errno
import hashlib
import os
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
python3.11 on PATH can be used.
Install one (`apt install python3.11 python3.11-venv`, `dnf install python3.12`, `brew install python@3.13`),
or name it: make PYTHON=/path/to/python3.13 ..."""
NO_VENV = """`{python}` cannot make a virtual environment: its `venv` or `ensurepip` module is missing.
Install it (`apt install python3-venv`, or `python{version}-venv`; `apk add python3 py3-pip`; Fedora and macOS have it),
or name another Python: make PYTHON=/path/to/python3.13 ..."""
DISK_FULL = "The disk is full: free some 2 GB (also where temporary files go), then try again."
NO_TEMPORARY = "No directory for temporary files can be written: check TMPDIR and /tmp, then try again."
FILE_IN_PLACE = "`{path}` is a file, and a directory is needed there. Move it away, then try again."
CHANGED = """A download is not the file that was locked: try again. If this happens again, the package registry serves
another file than deploy/requirements/ names: stop here, and inform the maintainers."""
NOT_TRUSTED = """The certificate of the package registry is not signed by an authority that this Python trusts. If your
network's proxy signs certificates itself, name the file of its authority: PIP_CERT=/path/to/authority.pem make ..."""
UNREACHABLE = "The package registry cannot be reached: check the network and the proxy (HTTPS_PROXY), then try again."
NOT_AVAILABLE = "A locked package is not available for this kind of machine, or from this package registry."
NOT_WRITABLE = "`{path}` may not be written: check who owns it and whether its disk is read-only."
NOT_AS_LOCKED = "Not installed as locked"
SETTINGS = """pip did not install what was asked. A setting of yours prevents it: see `pip config list`
(`target`, `prefix` and `root` are such settings), remove it, then try again."""
NO_NETWORK = (
    "NewConnectionError|ConnectTimeout|name resolution|Name or service not known|nodename nor servname|Read timed out|"
    "Network is unreachable|Connection refused|ConnectionError|ProxyError|SSLError|ReadTimeoutError|Max retries|"
    "from versions: none"
)
CAUSES = {
    "No space left on device|Errno 28|Disk quota exceeded": DISK_FULL,
    "No usable temporary directory": NO_TEMPORARY,
    "DO NOT MATCH THE HASHES": CHANGED,
    NOT_AS_LOCKED: SETTINGS,
    "CERTIFICATE_VERIFY_FAILED": NOT_TRUSTED,
    NO_NETWORK: UNREACHABLE,
    "No matching distribution found|Could not find a version": NOT_AVAILABLE,
    "Permission denied|Errno 13|Read-only file system": NOT_WRITABLE.format(path=".venv"),
}
# The lock determines which packages are installed, and this file where; the user's settings say where they come from.
SOURCES = re.compile(
    "PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CERT|CLIENT_CERT|PROXY|TRUSTED_HOST|TIMEOUT|DEFAULT_TIMEOUT|"
    "RETRIES|CACHE_DIR|NO_CACHE_DIR|CONFIG_FILE|KEYRING_PROVIDER)"
)
INSTALLED = "import importlib.metadata as m; print(*(d.metadata['Name'] + '==' + d.version for d in m.distributions()))"
LEAST_FREE_BYTES = 32 * 2**20  # bytes
output: "list[str]" = []
"""The output of all commands so far, in pieces."""


def main(kind: str) -> int:
    """Make `.venv` with the requirements of a kind (`local` or `dev`), unless it is there; return the exit status."""
    if kind not in KINDS:
        return say("usage: environment.py " + "|".join(KINDS), 2)
    wanted = stamps(kind)
    if is_ready(wanted):
        return 0
    python = find_python()
    if python is None:
        return say(NO_PYTHON.format(found=sys.executable, version=sys.version.split()[0]), 1)
    wait_for_others()
    return 0 if is_ready(wanted) else make(kind, wanted, python)


def make(kind: str, wanted: "list[str]", python: str) -> int:
    """Make `.venv` if it cannot be added to, and install; return the exit status.

    `wanted`: what STAMP is to hold then. `python`: the path of a suitable Python.
    """
    note("", "w")
    held = set(read(STAMP).split())
    if not held or not held <= set(today()) or not runs(venv_python()):
        say("making the virtual environment .venv with " + python)
        shutil.rmtree(str(VENV), ignore_errors=True)
        if VENV.is_file() or (VENV.is_symlink() and not VENV.exists()):
            raise FileExistsError(errno.EEXIST, "", str(VENV))
        if command([python, "-I", "-m", "venv", str(VENV)]):
            return no_venv(python)
    if not install(kind):
        return failed()
    STAMP.write_text("\n".join(wanted) + "\n")
    return say(".venv is ready")


def is_ready(wanted: "list[str]") -> bool:
    """Return whether `.venv` holds the requirements. `wanted`: what STAMP holds then, the hash of the file first."""
    return wanted[0] in read(STAMP).split() and is_suitable(venv_python())


def wait_for_others() -> None:
    """Wait until no other process makes `.venv` of this tree; others then wait until this process ends."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        tree = os.open(str(ROOT), os.O_RDONLY)  # left open: the lock ends with the process
        try:
            fcntl.flock(tree, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process, which makes .venv at this moment")
            fcntl.flock(tree, fcntl.LOCK_EX)
    except (ImportError, OSError):  # some network disks know no locks
        return


def today() -> "list[str]":
    """Return the SHA-256 of each file of locked requirements as it is now."""
    return [hashlib.sha256(read(requirements(kind)).encode()).hexdigest() for kind in KINDS]


def stamps(kind: str) -> "list[str]":
    """Return what STAMP holds after `kind` is installed: the hashes of the requirements files that are fulfilled then.

    These are the file of `kind`, and each file whose packages it includes.
    """
    texts = {name: read(requirements(name)) for name in KINDS}
    pins = {name: set(re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)) for name, text in texts.items()}
    held = [kind] + [name for name in KINDS if name != kind and pins[name] <= pins[kind]]
    return [hashlib.sha256(texts[name].encode()).hexdigest() for name in held]


def find_python() -> "str | None":
    """Return the path of a suitable Python: this one, or else one on PATH; None if there is none."""
    for candidate in [sys.executable, "python3.13", "python3.12", "python3.11"]:
        path = shutil.which(candidate)
        if path and is_suitable(path):
            return path
    return None


def is_suitable(path: "str | Path") -> bool:
    """Return whether the requirements are locked for the version of a Python."""
    try:
        output = subprocess.check_output(
            [str(path), "-c", "import sys; print(*sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
        return OLDEST <= tuple(int(part) for part in output.split()) <= NEWEST
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False


def install(kind: str) -> bool:
    """Install the locked requirements of a kind and nothing else; return whether all are installed as locked."""
    total = len(re.findall(r"^[\w.-]+==", read(requirements(kind)), re.MULTILINE))
    status = command([*pip_install(venv_python()), "-r", str(requirements(kind))], total)
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if status or command([*pip(venv_python()), "check"]):
        return False
    wrong = differing(kind)
    if wrong:
        note(NOT_AS_LOCKED + ": " + ", ".join(wrong) + "\n")
    return not wrong


def pip(python: "str | Path") -> "list[str]":
    """Return the command that runs the pip of a Python."""
    return [str(python), "-I", "-m", "pip", "--disable-pip-version-check"]


def pip_install(python: "str | Path") -> "list[str]":
    """Return the command by which a Python's pip installs only locked wheels, also if the user's pip.conf differs."""
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input", "--no-warn-script-location"]
    return [*pip(python), "install", "--no-user", *options]


def pip_environment() -> "dict[str, str]":
    """Return the environment for pip: of the variables `PIP_...`, only those that say where packages come from."""
    return {name: text for name, text in os.environ.items() if name[:4] != "PIP_" or SOURCES.match(name)}


def differing(kind: str) -> "list[str]":
    """Return the names of locked packages that are missing in `.venv`, or have another version there."""
    output = subprocess.check_output([str(venv_python()), "-I", "-c", INSTALLED]).decode()
    held = {plain(name): version for name, _, version in (pin.partition("==") for pin in output.split())}
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)( ;)?", read(requirements(kind)), re.MULTILINE)
    right = {(plain(name), version) for name, version, _ in pins}  # a package may have one version for each Python
    absent = [name for name, _, marker in pins if not marker and plain(name) not in held]
    return absent + [
        name for name, _, _ in pins if plain(name) in held and (plain(name), held[plain(name)]) not in right
    ]


def plain(name: str) -> str:
    """Return the name of a package in the normalized form of package registries."""
    return re.sub(r"[-_.]+", "-", name).lower()


def progress(line: str, total: int) -> None:
    """Show how far pip is, from a line of its output: on a terminal in one line, elsewhere at every tenth package.

    `total`: the number of packages to fetch.
    """
    count = sum(text.startswith(("Collecting ", "Processing ")) for text in output)
    words = line.split()
    if words[:1] in (["Collecting"], ["Processing"]):
        text = f"fetching {count} of {total}: {words[1].split('==')[0]}"
    elif words[:1] == ["Installing"]:
        text = f"installing {count} packages"
    else:
        return
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()
    elif count % 10 == 0 or words[0] == "Installing":
        say(text)


def command(argv: "list[str]", total: int = 0) -> int:
    """Run a command and log its output; return its exit status, 127 if it cannot run.

    With `total`, the number of packages, it is pip, and its progress is shown.
    """
    none, pipe, same = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    try:
        running = subprocess.Popen(argv, stdin=none, stdout=pipe, stderr=same, cwd=str(ROOT), env=pip_environment())
    except OSError as error:
        note(str(error) + "\n")
        return 127
    for line in running.stdout or []:
        text = line.decode("utf-8", "replace")
        note(text)
        if total:
            progress(text, total)
    return running.wait()


def note(text: str, mode: str = "a") -> None:
    """Add a text to `output`, and write it to the log if that is possible. `mode`: the mode to open the log with."""
    output.append(text)
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open(mode) as log:
            log.write(text)
    except (OSError, UnicodeError):
        return


def no_venv(python: str) -> int:
    """Print why the virtual environment could not be made, and remove what there is of it; return the status 1."""
    known = known_cause()
    shutil.rmtree(str(VENV), ignore_errors=True)
    if known:
        return failed(known)
    version = subprocess.check_output([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return say(NO_VENV.format(python=python, version=version.decode().strip()), 1)


def known_cause() -> "str | None":
    """Return a sentence on why a command failed, from the output so far; None if no known cause is in it."""
    text = "".join(output)
    found = [sentence for pattern, sentence in CAUSES.items() if re.search(pattern, text)]
    if not found and shutil.disk_usage(str(ROOT)).free < LEAST_FREE_BYTES:  # `venv` hides the output of its pip
        found = [DISK_FULL]
    return found[0] if found else None


def failed(known: "str | None" = None) -> int:
    """Print why the requirements were not installed; return the status 1. `known`: the cause, if it is known."""
    sentence = known or known_cause() or "pip failed:\n" + "\n".join("".join(output).splitlines()[-12:])
    logged = output[-1:] and read(LOG).endswith(output[-1])
    return say(sentence + ("\nThe full log: .local/setup.log" if logged else ""), 1)


def sentence_of(error: OSError) -> str:
    """Return a sentence for people on an error of the file system."""
    path = str(error.filename or "")
    path = os.path.relpath(path, str(ROOT)) if path.startswith(str(ROOT) + os.sep) else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NOT_WRITABLE.format(path=path)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return FILE_IN_PLACE.format(path=path)
    return str(error)


def runs(python: Path) -> bool:
    """Return whether a Python exists, has a suitable version, and has pip."""
    if not python.exists() or not is_suitable(python):
        return False
    return subprocess.call([str(python), "-c", "import pip"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def venv_python() -> Path:
    """Return the path of the Python in `.venv`."""
    return VENV / "bin" / "python"


def requirements(kind: str) -> Path:
    """Return the path of the file with the locked requirements of a kind."""
    return ROOT / "deploy" / "requirements" / f"{kind}.txt"


def read(path: Path) -> str:
    """Return the text of a file, empty if the file cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def say(text: str, status: int = 0) -> int:
    """Print a text to the error output, and return `status`."""
    sys.stderr.write(text + "\n")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
    except KeyboardInterrupt:
        sys.exit(say("\nstopped", 130))
    except OSError as error:
        sys.exit(say(sentence_of(error), 1))
