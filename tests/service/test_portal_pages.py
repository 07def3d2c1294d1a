"""The portal serves built pages under a strict policy, with cache lifetimes; without them it gives the reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.portal.api.page import read_assets
from shared import limits
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, running_portal

SCRIPT = "export const word = 'a word';\n" * 50


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as the build leaves one, with files in it that are none of the page's."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "static").mkdir()
    (folder / "static" / "main-abc.js").write_text(SCRIPT)
    (folder / "static" / "font-abc.woff2").write_bytes(bytes(range(256)))
    (folder / "static" / "main-abc.js.map").write_text("{}")
    (folder / "static" / "notes.txt").write_text("not for readers")
    (folder / ".complete").write_text("hash")
    return folder


@pytest.fixture(scope="module")
async def pages(stage: tuple[PortalSettings, Owner], built: Path) -> AsyncIterator[Portal]:
    async with running_portal(*stage, pages=built) as portal:
        yield portal


async def test_each_file_has_a_strict_policy_and_is_not_sent_twice(pages: Portal) -> None:
    immutable = "public, max-age=31536000, immutable"
    for target, kind, caching in [
        ("/", "text/html", "no-cache"),
        ("/static/main-abc.js", "text/javascript", immutable),
        ("/static/font-abc.woff2", "font/woff2", immutable),
    ]:
        async with pages.session.get(pages.url + target) as answer:
            assert (answer.status, answer.content_type, answer.headers["Cache-Control"]) == (200, kind, caching)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "data:" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            tag = answer.headers["ETag"]
        async with pages.session.get(pages.url + target, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, answer.headers["Cache-Control"], await answer.read()) == (304, caching, b"")
        async with pages.session.head(pages.url + target) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_the_pages_are_served_while_other_requests_are_refused(
    pages: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_LONGEST_WAIT_SECONDS", -1.0)  # every request has waited too long
    for target, status in (("/session/start", 503), ("/", 200), ("/static/main-abc.js", 200)):
        async with pages.session.get(pages.url + target) as answer:
            assert answer.status == status, target


async def test_text_is_compressed_for_clients_that_accept_it(pages: Portal) -> None:
    sizes = {}
    for encoding in ("gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        async with pages.session.get(f"{pages.url}/static/main-abc.js", headers=headers) as answer:
            assert await answer.text() == SCRIPT
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers.get("Content-Encoding") == (None if encoding == "identity" else encoding)
            sizes[encoding] = int(answer.headers["Content-Length"])
    assert sizes["gzip"] < sizes["identity"] / 5


async def test_only_the_files_of_the_page_are_served(pages: Portal) -> None:
    for target in ("nothing.js", "..%2Findex.html", "../index.html", "index.html", "notes.txt", "main-abc.js.map", ""):
        async with pages.session.get(f"{pages.url}/static/{target}") as answer:
            assert answer.status == 404, target


async def test_without_built_pages_the_address_explains_it_and_the_rest_works(portal: Portal) -> None:
    async with portal.session.get(f"{portal.url}/") as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (503, "text/plain")
        assert answer.headers["Cache-Control"] == "no-store"
    assert "make pages" in text
    assert any("\u0e00" <= letter <= "\u0e7f" for letter in text)
    async with portal.session.get(f"{portal.url}/static/page.js") as answer:
        assert answer.status == 404
    await portal.until_ready()


def test_a_folder_without_an_index_counts_as_not_built(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "half.js").write_text("built halfway")
    assert read_assets(tmp_path) == {}
