"""The links that `make run` prints: one for every role, each with the key of that role."""

from urllib.parse import parse_qs, urlsplit

from deploy.local.keys import Keys, links
from shared.auth import GIVEN_ROLES

KEYS = Keys(
    "a.admin", "e.editor", "p.platform", "s.super&visor#", "y.analyst", "h.head", {"o-1": "1.first", "o-2": "2.second"}
)


def test_every_role_has_a_link_that_holds_its_key_in_the_fragment_and_nowhere_else() -> None:
    found = links("http://127.0.0.1:8100", KEYS, "o-2")
    assert set(found) == set(GIVEN_ROLES)
    parts = {role: urlsplit(link) for role, link in found.items()}
    assert {(part.netloc, part.path, part.query) for part in parts.values()} == {("127.0.0.1:8100", "/", "")}
    held = {role: parse_qs(part.fragment) for role, part in parts.items()}
    assert held == {
        "officer": {"key": ["2.second"]},
        "supervisor": {"key": ["s.super&visor#"]},
        "analyst": {"key": ["y.analyst"]},
        "admin": {"key": ["h.head"]},
        "editor": {"key": ["e.editor"]},
        "platform": {"key": ["p.platform"]},
    }
