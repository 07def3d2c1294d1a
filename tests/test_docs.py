"""The documents agree with the code: every setting, event, metric, route and command is documented, no link is dead."""

import ast
import json
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest

from services.assessment.api import ROUTES as ASSESSMENT
from services.catalog.api import ROUTES as CATALOG
from services.portal.api import routes as portal_routes
from services.recommender.api import ROUTES as RECOMMENDER
from shared import VERSION
from shared.app import build_app
from shared.auth import Authenticator
from shared.errors import PROBLEMS, Problem
from shared.events import TYPES, PathRecommended
from shared.metrics import NAMESPACE
from shared.routes import Route
from shared.settings import BY_SERVICE, described

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "deploy" / "seed" / "README.md", *DOCS.rglob("*.md")])
FIRST_PARTS = ("shared", "services", "deploy", "docs", "tests", ".ci")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """Return heading -> the text under it, for headings of the third order, without their backquotes."""
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return {title.strip("` "): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def first_column(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_holds_the_marks_of_an_unresolved_merge(page: Path) -> None:
    assert re.findall(r"^(?:<{7}|>{7}) .*$", page.read_text(encoding="utf-8"), re.MULTILINE) == []


# --- settings, commands ----------------------------------------------------------------------------------------------


def test_every_setting_is_in_the_example() -> None:
    names = {one.name for shape in BY_SERVICE.values() for one in described(shape)}
    documented = set(re.findall(r"^#?([A-Z_]+)=", text_of("deploy/env.example"), re.MULTILINE))
    assert names <= documented | {name.removesuffix("_FILE") for name in documented}


def test_every_setting_that_a_document_names_exists() -> None:
    known = set(re.findall(r"^#?([A-Z_]+)=", text_of("deploy/env.example"), re.MULTILINE))
    known |= {one.name for shape in BY_SERVICE.values() for one in described(shape)}
    named = {name for page in PAGES for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", page.read_text(encoding="utf-8"))}
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deploy").rglob("*.py"))
    assert not {name for name in named - known if f'"{name}"' not in code and name != "ROUTES"}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE))


def test_every_make_target_is_in_the_readme() -> None:
    documented = set(re.findall(r"\bmake ([a-z-]+)", text_of("README.md")))
    assert make_targets() <= documented


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_document_names_exists(page: Path) -> None:
    named = set(
        re.findall(r"[`(]make (?:-s )?([a-z-]+)|^make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {one or other for one, other in named} <= make_targets()


def test_every_command_that_a_document_names_exists() -> None:
    for page in PAGES:
        for module, command in re.findall(
            r"python -m ((?:services|shared|deploy)\.[\w.]+)(?: (?!NAME)([a-z]+))?", page.read_text(encoding="utf-8")
        ):
            place = ROOT / module.replace(".", "/")
            main = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
            if module.endswith((".NAME", ".")):
                continue
            assert main.exists(), f"{page.name}: python -m {module}"
            if command in ("create", "revoke", "list", "republish", "replay", "unpublish"):
                assert f'"{command}"' in main.read_text(encoding="utf-8"), f"{page.name}: {module} {command}"


@pytest.mark.parametrize("page", sorted(ROOT.glob("services/*/__main__.py")), ids=lambda page: page.parent.name)
def test_the_help_of_a_service_has_each_command_on_a_line_of_its_own(page: Path) -> None:
    code = ast.parse(page.read_text(encoding="utf-8"))
    about = ast.get_docstring(code) or ""
    named = [
        key
        for call in ast.walk(code)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "main" and ast.unparse(call.args[0]) == "__doc__"
        for commands in call.args[3:]
        if isinstance(commands, ast.Dict)
        for key in map(ast.literal_eval, filter(None, commands.keys))
    ]
    assert named or page.parent.name == "portal"
    assert [name for name in named if not re.search(rf"^{name}  +\S", about, re.MULTILINE)] == []


# --- events ----------------------------------------------------------------------------------------------------------


def shapes_in(type_: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield every struct that a type holds, at any depth, itself too."""
    seen: set[Any] = set()
    waiting = [type_]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            yield one
            waiting += typing.get_type_hints(one).values()
        elif isinstance(one, UnionType) or typing.get_origin(one) is not None:
            waiting += [part for part in typing.get_args(one) if not isinstance(part, str)]


EVENT_SECTIONS = sections(text_of("docs/events.md"))


@pytest.mark.parametrize("name", TYPES)
def test_every_event_is_described_with_its_fields_and_its_golden_example(name: str) -> None:
    body = EVENT_SECTIONS[name]
    assert first_column(body) == [field.encode_name for field in msgspec.structs.fields(TYPES[name])]
    example = re.search(r"```json\n(.*?)```", body, re.DOTALL)
    assert example
    golden = json.loads(text_of(f"tests/contract/golden/{name}.json"))
    assert json.loads(example[1]) == golden["value"]


def test_the_types_inside_events_are_described_exactly() -> None:
    shapes = {shape.__name__: shape for one in (*TYPES.values(), PathRecommended) for shape in shapes_in(one)}
    inner = {name: shape for name, shape in shapes.items() if shape not in TYPES.values()}
    assert set(EVENT_SECTIONS) == set(inner) | set(TYPES)
    for name, shape in inner.items():
        fields = msgspec.structs.fields(shape)
        assert first_column(EVENT_SECTIONS[name]) == [field.encode_name for field in fields], name
        documented = re.findall(r"^\| `([^`]+)` \(optional\)", EVENT_SECTIONS[name], re.MULTILINE)
        assert documented == [field.encode_name for field in fields if not field.required], name


def test_the_topics_are_those_of_the_list() -> None:
    listed = dict(re.findall(r"- name: (\S+).*\n\s+partitions: (\d+)", text_of("deploy/topics.yaml")))
    documented = dict(re.findall(r"^\| `(\S+)` \| (\d+) \|", text_of("docs/events.md"), re.MULTILINE))
    assert documented == listed


# --- metrics ---------------------------------------------------------------------------------------------------------


def metrics_in_code() -> Iterator[str]:
    """Yield the exposed name of every metric that services or shared make; `count` and `gauge` add the namespace."""
    for path in [*(ROOT / "services").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
                names = [text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z]+(_[a-z]+)+", text)]
                name = f"{NAMESPACE}_{names[0]}" if names and called in ("count", "gauge") else "".join(names[:1])
                if called in ("count", "Counter", "CounterMetricFamily") and names:
                    yield f"{name.removesuffix('_total')}_total"
                elif called in ("gauge", "Gauge", "GaugeMetricFamily", "Histogram", "Summary") and names:
                    yield name


def test_every_metric_is_described_and_every_described_metric_exists() -> None:
    part = text_of("docs/operating.md").split("## What to watch")[1].split("\n## ")[0]
    assert sorted(first_column(part)) == sorted(set(metrics_in_code()))


# --- routes ----------------------------------------------------------------------------------------------------------

TABLES = {
    "assessment": ASSESSMENT,
    "catalog": CATALOG,
    "recommender": RECOMMENDER,
    "portal": portal_routes(*(Mock() for _ in range(6))),
}


def probes() -> set[tuple[str, str]]:
    app = build_app("none", [], Mock(Authenticator))
    found = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    return {(method, path) for method, path in found if method != "HEAD" and not path.startswith(("/docs", "/openapi"))}


def shown(routes: list[Route]) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in routes if not route.hidden}


@pytest.mark.parametrize("service", TABLES)
def test_the_overview_lists_exactly_the_routes_with_their_roles(service: str) -> None:
    rows = re.findall(rf"^\| {service} \| `(\w+) ([^`]+)` \| ([^|]+) \|", text_of("docs/api.md"), re.MULTILINE)
    assert {(method, path) for method, path, _ in rows} == shown(TABLES[service])
    words = {"all": {"admin", "platform", "officer"}, "anybody": set()}
    documented = {
        (method, path): set[str]().union(*(words.get(word, {word}) for word in who.split(", ")))
        for method, path, who in rows
    }
    for route in TABLES[service]:
        if not route.hidden and route.policy:
            assert documented[route.method, route.path] == set(route.policy.roles), route.path


def test_the_overview_lists_the_routes_of_every_service() -> None:
    rows = set(re.findall(r"^\| every service \| `(\w+) ([^`]+)`", text_of("docs/api.md"), re.MULTILINE))
    assert rows == probes()


def test_the_overview_lists_every_problem_type_with_its_status() -> None:
    errors = text_of("docs/api.md").partition("\n## Errors\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", errors, re.MULTILINE)
    assert sorted(rows) == sorted((problem.kind, str(problem.status)) for problem in PROBLEMS)
    assert len({problem.kind for problem in PROBLEMS}) == len(PROBLEMS)


def test_every_error_that_is_answered_is_in_the_table_of_problems() -> None:
    def below(problem: type[Problem]) -> Iterator[type[Problem]]:
        yield problem
        for one in problem.__subclasses__():
            yield from below(one)

    assert {one for one in below(Problem) if not one.__name__.startswith("_")} == {*PROBLEMS}


@pytest.mark.parametrize("service", ["assessment", "catalog", "recommender"])
def test_every_route_is_described_in_the_openapi_document(service: str) -> None:
    for route in TABLES[service]:
        assert (route.handler.__doc__ or "").split("\n")[0].endswith("."), f"{route.method} {route.path}"


# --- links and files -------------------------------------------------------------------------------------------------


def prose(page: Path) -> str:
    """Return a page without its fenced examples."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists_and_contains_the_named_parts(page: Path) -> None:
    """`path/file.py` is a file, `path/file.py:name` a function or class in it, at any depth."""
    for path, name in re.findall(rf"`((?:{'|'.join(map(re.escape, FIRST_PARTS))})/[\w./-]+)(?::(\w+))?`", prose(page)):
        assert (ROOT / path).exists(), path
        if name:
            tree = ast.parse(text_of(path))
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}, f"{path}:{name}"


def folders_of_the_tree() -> dict[str, str]:
    """Return {folder: the text beside it} of the tree in docs/architecture.md, with a folder's folders at its end."""
    tree = re.search(r"^```\n(services/.*?)^```", text_of("docs/architecture.md"), re.DOTALL | re.MULTILINE)
    assert tree
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in tree[1].splitlines():
        if line.startswith(" " * 8):
            found[above[-1][1]] += f" {line.strip()}"
            continue
        indent = len(line) - len(line.lstrip())
        name, _, text = line.strip().partition("/ ")
        above = [one for one in above if one[0] < indent]
        if above:
            found[above[-1][1]] += f" · {name}"
        folder = f"{above[-1][1]}/{name}" if above else name
        found[folder] = text.strip()
        above.append((indent, folder))
    return found


@pytest.mark.parametrize("folder", [one for one in folders_of_the_tree() if one.startswith(("services", "shared"))])
def test_the_tree_names_the_modules_of_a_folder_and_no_others(folder: str) -> None:
    here, text = ROOT / folder, folders_of_the_tree()[folder]
    paths = [*here.glob("*.py"), *(path.parent for path in here.glob("*/__init__.py"))]
    modules = {path.stem for path in paths} - {"__init__", "__main__"}
    assert modules, folder
    assert modules <= set(re.findall(r"\w+", text)), folder
    listed = {one.strip(" /") for one in re.split(r" ·|,", re.sub(r"\(.*?\)|^.*: ", "", text))} - {""}
    assert not [name for name in listed if not (here / name).is_dir() and not (here / f"{name}.py").is_file()]


def test_no_module_has_a_name_that_says_nothing_of_its_contents() -> None:
    empty = {"base", "common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}
    assert not [
        path for part in ("services", "shared", "deploy") for path in (ROOT / part).rglob("*.py") if path.stem in empty
    ]


@pytest.mark.parametrize("service", BY_SERVICE)
def test_the_card_of_a_service_names_every_event_that_it_announces(service: str) -> None:
    events = sections(text_of("docs/events.md"))
    mine = {name for name in TYPES if f"Announced by {service} on" in events[name]}
    assert mine <= set(re.findall(r"[a-z]+\.[a-z]+\.v\d", text_of(f"services/{service}/__init__.py")))


@pytest.mark.parametrize("service", BY_SERVICE)
def test_the_card_of_a_service_names_every_resource_that_it_serves(service: str) -> None:
    card = text_of(f"services/{service}/__init__.py")
    for method, path in sorted(shown(TABLES[service])):
        names = re.findall(r"/([a-z-]+)", path.removeprefix("/v1"))
        for name in names[:2] if names[:1] == ["officers"] else names[:1]:
            assert re.search(rf"[/ ]{name}\b", card), f"{method} {path}"


def test_every_decision_has_its_five_parts() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}. ")
        assert "**Status:**" in text
        for part in ("Context", "Decision", "Consequences", "Rejected alternatives"):
            assert f"\n## {part}\n" in text, f"{page.name}: {part}"


# --- the glossary ----------------------------------------------------------------------------------------------------


def singular(word: str) -> str:
    """Return the singular of an English noun, as far as the names of classes need it."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def public_classes() -> set[str]:
    files = [path for package in ("services", "shared") for path in (ROOT / package).rglob("*.py")]
    nodes = [node for path in files for node in ast.parse(path.read_text(encoding="utf-8")).body]
    return {node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def test_every_public_class_is_named_by_terms_of_the_glossary_or_listed_there() -> None:
    terms, rest = text_of("docs/glossary.md").split("## Plain words of class names")
    plain, own = rest.split("\n## Names of this project")
    words = {singular(word) for term in re.findall(r"^\| ([a-z -]+) \|", terms, re.MULTILINE) for word in term.split()}
    words = {part for word in words for part in (word, *map(singular, word.split("-")))}
    words |= set(re.findall(r"`([a-z]+)`", plain))
    listed = set(re.findall(r"^\| `(\w+)` \|", own, re.MULTILINE))
    strange = {
        name for name in public_classes() if not {singular(w.lower()) for w in re.findall("[A-Z][a-z]*", name)} <= words
    }
    assert not strange - listed, "name these by terms of docs/glossary.md, or add them to its last table"
    assert not listed - strange, "these are gone, or are terms: take them out of the last table of docs/glossary.md"


def test_every_glossary_term_is_unique_and_has_thai_meaning_and_field() -> None:
    terms = text_of("docs/glossary.md").split("## Plain words of class names")[0]
    rows = [line.strip("| ").split(" | ") for line in terms.splitlines() if re.match(r"\| [a-z]", line)]
    rows = [row for row in rows if row[0] != "term"]
    assert len({row[0] for row in rows}) == len(rows) > 0
    for row in rows:
        assert len(row) == 4, row
        assert all(row), row
        assert re.search(r"[\u0e00-\u0e7f]", row[1]), row


def test_the_services_report_the_projects_version() -> None:
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == VERSION
