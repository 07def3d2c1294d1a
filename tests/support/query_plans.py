"""Records the commands that calls send to MongoDB, and finds those that the server carries out without an index."""

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.mongo import Client, Database, Document
from shared.settings import StoreSettings

MOST_EXAMINED = 1000
"""How many index keys, or documents, the server may examine for one command if a tenant has 20,000 documents."""

Call = tuple[str, Awaitable[object] | AsyncIterator[object]]
"""A label, which begins with the name of a store's method, and the call."""


@dataclass
class Commands(CommandListener):
    """The commands that were sent to MongoDB, in their order."""

    sent: list[tuple[str, Document]] = field(default_factory=list)

    def started(self, event: CommandStartedEvent) -> None:
        """Record a command with its database."""
        self.sent.append((event.database_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Do nothing: only the start of a command is recorded."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Do nothing: only the start of a command is recorded."""


@dataclass
class Watched:
    """A client and the commands that it has sent."""

    client: Client
    settings: StoreSettings
    commands: Commands

    def database(self, name: str) -> Database:
        """Return a database of a service."""
        return self.client[self.settings.database(name)]


async def commands_of(watched: Watched, calls: AsyncIterator[Call], into: list[tuple[str, str, Document]]) -> set[str]:
    """Make the calls and record the commands that each sent to MongoDB; return their labels."""
    labels = set()
    async for label, call in calls:
        watched.commands.sent.clear()
        if isinstance(call, Awaitable):
            await call
        else:
            async for _ in call:
                pass
        sent = [(database, one) for database, command in watched.commands.sent for one in _explainable(command)]
        into.extend((label, database, command) for database, command in sent if database not in ("admin", "local"))
        labels.add(label)
    return labels


_READS = ("find", "aggregate", "count", "distinct", "findAndModify")
_QUERY = {
    *("query", "key", "pipeline", "filter", "sort", "limit", "skip", "projection", "hint", "cursor"),
    *("update", "remove", "fields"),
}
_WRITES = {"update": "updates", "delete": "deletes"}


def _explainable(command: Document) -> Iterator[Document]:
    """Yield the commands that `explain` accepts in place of a command, one for each write; none for inserts."""
    name = next(iter(command))
    if name in _WRITES:
        for one in command[_WRITES[name]]:
            yield {name: command[name], _WRITES[name]: [one]}
    elif name in _READS and not _watches(command):
        wanted = {key: value for key, value in command.items() if key == name or key in _QUERY}
        # A query with a batch size reads on only while its caller takes more.
        yield wanted | ({"limit": command["batchSize"]} if "batchSize" in command and "limit" not in command else {})


def _watches(command: Document) -> bool:
    """Return whether a command opens a change stream, which reads the log of the replica set and no collection."""
    return any("$changeStream" in step for step in command.get("pipeline", []))


def _stages(plan: Any) -> Iterator[str]:
    """Yield the names of the stages of a plan, and "$sort" if a pipeline sorts without an index."""
    if isinstance(plan, Mapping):
        if isinstance(plan.get("stage"), str):
            yield plan["stage"]
        if "$sort" in plan:
            yield "$sort"
        for name, inner in plan.items():
            if name not in ("rejectedPlans", "command", "parsedQuery"):
                yield from _stages(inner)
    elif isinstance(plan, list):
        for inner in plan:
            yield from _stages(inner)


def _examined(plan: Any) -> int:
    """Return the largest number of keys or of documents that the server examined in one part of a plan."""
    if isinstance(plan, Mapping):
        own = [plan.get(name, 0) for name in ("totalKeysExamined", "totalDocsExamined")]
        inner = [_examined(part) for name, part in plan.items() if name != "allPlansExecution"]
        return max(int(number) for number in [*own, *inner])
    return max(map(_examined, plan), default=0) if isinstance(plan, list) else 0


async def query_faults(database: Database, command: Document) -> list[str]:
    """Return the faults of the plan by which the server carries out a command; none if it uses indexes throughout.

    A fault is a scan of the collection, a sort without an index, or more than MOST_EXAMINED keys or documents.
    """
    merges = any("$merge" in step for step in command.get("pipeline", []))
    verbosity = "queryPlanner" if merges else "executionStats"
    plan = await database.command({"explain": command, "verbosity": verbosity})
    faults = sorted({"COLLSCAN", "SORT", "$sort"}.intersection(_stages(plan)))
    if (count := _examined(plan)) > MOST_EXAMINED:
        faults.append(f"{count} examined")
    return faults
