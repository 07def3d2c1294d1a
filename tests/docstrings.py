"""Draws 25 public docstrings of `services/` and `shared/` for a review of their wording.

    python -m tests.docstrings [SEED]

Prints the seed, then the place and the text of each docstring. The same seed draws the same ones from the same code.
"""

import ast
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
DRAWN = 25
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def public_docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring of a file: of the module, and of public classes and functions."""
    waiting: list[ast.Module | ast.ClassDef] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        holder = waiting.pop()
        members = [node for node in holder.body if isinstance(node, DEFINITIONS) and not node.name.startswith("_")]
        waiting += [node for node in members if isinstance(node, ast.ClassDef)]
        for node in (holder, *(node for node in members if not isinstance(node, ast.ClassDef))):
            if text := ast.get_docstring(node):
                yield node.body[0].lineno, text


def main(arguments: list[str]) -> None:
    """Print the docstrings that a seed draws; without a seed, choose one."""
    seed = int(arguments[0]) if arguments else time.time_ns() % 1_000_000
    paths = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py"))
    found = [(path, line, text) for path in paths for line, text in sorted(public_docstrings(path))]
    drawn = Random(seed).sample(found, DRAWN)  # noqa: S311 - a sample, not a secret
    sys.stdout.write(f"seed {seed}: {DRAWN} of {len(found)} docstrings\n")
    for path, line, text in drawn:
        sys.stdout.write(f"\n{path.relative_to(ROOT)}:{line}\n{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
