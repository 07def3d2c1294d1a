"""What the local stack prints: steps and progress, or nothing in tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Display(Protocol):
    """Shows steps and progress."""

    def say(self, text: str) -> None:
        """Report one step."""

    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Show the progress of a task; each call of the yielded function counts one more of `total`."""


class Quiet:
    """Prints nothing."""

    def say(self, text: str) -> None:
        """Print nothing."""

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:  # noqa: ARG002 - the signature of its base
        """Show nothing."""
        yield lambda: None


class Terminal:
    """Prints lines and progress bars on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a progress bar that stays, filled, when the task is done."""
        columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
