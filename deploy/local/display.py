"""Prints the steps and the progress of the local stack; in tests it prints nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Display(Protocol):
    """Shows people the steps and the progress of a command."""

    def say(self, text: str) -> None:
        """Show one step, such as `starting the services`."""

    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Show the progress of a task in the block; each call of the yielded function counts one more of `total`."""


class Quiet:
    """A Display that shows nothing, for tests."""

    def say(self, text: str) -> None:
        """Print nothing."""

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:  # noqa: ARG002 - the signature of its base
        """Show nothing."""
        yield lambda: None


class Terminal:
    """A Display that prints lines and progress bars on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a progress bar; it stays on the terminal after the task."""
        columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
