"""The frameworks that the catalog announced, by tenant."""

from collections.abc import Iterable

from shared.domain import SHARED_TENANT, Framework, key_of
from shared.events import Event, FrameworkPublished, check_jump, check_stamps


class FrameworkReplica:
    """The newest version of every framework; `position` is the catalog revision that was read last."""

    def __init__(self) -> None:
        self.position = 0
        self._held: dict[str, Framework] = {}

    def put(self, events: Iterable[Event]) -> None:
        """Apply catalog events in the order of the topic; events up to `position` are skipped.

        Raises Rejected and applies nothing if a stamp or a version is further ahead than possible.
        """
        events = list(events)
        check_stamps(events, self.position)
        for event in events:
            if isinstance(event.data, FrameworkPublished):
                held = self._held.get(key_of(event.data.tenant, event.data.framework.id))
                check_jump(event.subject, event.data.framework.version, held.version if held else 0, "version")
        for event in events:
            if event.catalog_revision <= self.position:
                continue
            self.position = event.catalog_revision
            if isinstance(event.data, FrameworkPublished):
                framework = event.data.framework
                key = key_of(event.data.tenant, framework.id)
                if key not in self._held or self._held[key].version < framework.version:
                    self._held[key] = framework

    def version(self, tenant: str, framework: str) -> int:
        """Return the stored version of a tenant's own framework; 0 if there is none."""
        held = self._held.get(key_of(tenant, framework))
        return held.version if held else 0

    def find(self, tenant: str, framework: str) -> Framework | None:
        """Return the tenant's own framework of this id, else the shared one."""
        return self._held.get(key_of(self.owner(tenant, framework), framework))

    def owners(self, framework: str) -> list[str]:
        """Return the tenants that have a framework of this id, which may include `shared`."""
        return [tenant for tenant, _, name in (key.partition("/") for key in self._held) if name == framework]

    def owner(self, tenant: str, framework: str) -> str:
        """Return the owner of the framework that a tenant uses: the tenant if it has one of this id, else `shared`."""
        return tenant if key_of(tenant, framework) in self._held else SHARED_TENANT
