"""Snapshots in memory: the contract of `runtimes.snapshots.Snapshots`. What an Instance holds is its `content`."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from devbox.runtimes import snapshots
from devbox.runtimes.base import InstanceState
from devbox.runtimes.snapshots import Return, Snapshot, Wish

if TYPE_CHECKING:
    from tests.fakes.runtime import FakeInstance


@dataclass
class FakeSnapshots:
    """Those of one FakeInstance. `content`: all that it holds; `damaged`: names of those that are of no use."""

    instance: "FakeInstance"
    content: str = ""
    damaged: set[str] = field(default_factory=set)
    _kept: dict[str, tuple[Snapshot, str, bytes | None]] = field(default_factory=dict)

    def all(self) -> tuple[Snapshot, ...]:
        return tuple(
            replace(one, problem="it was damaged") if one.name in self.damaged else one
            for one, _, _ in self._kept.values()
        )

    def save(self, wish: Wish) -> Snapshot:
        if wish.name in self._kept and not wish.replace:
            raise snapshots.taken(wish.name)
        if self.instance.state is InstanceState.CREATED:
            raise snapshots.nothing_to_keep(self.instance.name)
        made = Snapshot(
            name=wish.name,
            saved=1,
            size=len(self.content),
            running=self.instance.state is InstanceState.RUNNING or bool(self.instance.saved),
            pushed=wish.pushed,
            mark=wish.mark,
        )
        self._kept.pop(wish.name, None)
        self._kept[wish.name] = (made, self.content, wish.attached.read_bytes() if wish.attached else None)
        return made

    def restore(self, back: Return) -> Snapshot:
        if back.name not in self._kept:
            raise snapshots.not_there(back.name)
        if back.name in self.damaged:
            raise snapshots.damaged(back.name, "it was damaged")
        made, content, attached = self._kept[back.name]
        back.before()
        self.instance.kill()
        self.content = content
        self.instance.saved = made.running and back.running
        if attached is not None:
            back.attached.write_bytes(attached)
        return made

    def delete(self, name: str) -> Snapshot:
        if name not in self._kept:
            raise snapshots.not_there(name)
        return self._kept.pop(name)[0]
