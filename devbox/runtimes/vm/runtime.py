"""The runtime `vm`: machines, each known by its directory below the user's state."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from devbox import paths
from devbox.errors import DevboxError
from devbox.faults import fault
from devbox.runtimes.base import Features, Instance, InstanceSpec, not_in_machine
from devbox.runtimes.vm import left, stored
from devbox.runtimes.vm.boot import Bench
from devbox.runtimes.vm.instance import VmInstance, new_id
from devbox.vm import disk, qemu, share
from devbox.vm.room import told_of_room

_TOOLS = (("qemu-img", "qemu-utils"), ("mke2fs", "e2fsprogs"))


class VmRuntime:
    """Instances are machines of this user on this host. Their Images come from the engine."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @property
    def name(self) -> str:
        """Its name in a profile."""
        return "vm"

    @property
    def features(self) -> Features:
        """What it can do: it sees no file of this host but copies, unless one directory is shared with it live."""
        there = share.is_there(self._bench.processes)
        return Features(own_kernel=True, bind_mounts=False, snapshots=True, live_share=there)

    def check(self) -> None:
        """Raise `RuntimeUnavailableError` if QEMU or what makes its disks is missing, before anything is built."""
        qemu.find(self._bench.processes)
        for name, package in _TOOLS:
            disk.tool(self._bench.processes, name, package)
        disk.require_way(self._bench.processes)

    def create(self, spec: InstanceSpec) -> Instance:
        """Make an Instance, stopped, or return the one of this name that has the same spec digest."""
        existing = self.find(spec.name)
        if existing is not None:
            if existing.spec_digest != spec.digest:
                raise ValueError(f"{spec.name} exists and was made from another spec")
            return existing
        if spec.machine is None:
            raise ValueError(f"{spec.name} is not to be a machine")
        apart = [one for one in spec.shares if not one.file and one.target != spec.workdir]
        if apart:
            raise not_in_machine(apart[0].source)
        image = self._bench.engine.image(spec.image)
        made = stored.from_spec(spec, spec.machine, uuid=new_id(), env=dict(image.env) if image else {})
        directory = Path(paths.machine_directory(spec.name))
        draft = directory.with_name(f".{directory.name}.{os.getpid()}")
        try:
            with told_of_room(directory):
                paths.private_directory(str(directory.parent))
                left.sweep(spec.name, self._bench.processes)
                draft.mkdir(mode=0o700)
                stored.write(draft, made)
                fault("make machine")
                shutil.rmtree(directory, ignore_errors=True)  # one that says nothing of itself is none
                draft.rename(directory)
                fault("machine made")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return VmInstance(directory, made, self._bench)

    def find(self, name: str) -> Instance | None:
        """Return the Instance of this name; None if absent."""
        directory = Path(paths.machine_directory(name))
        known = stored.read(directory)
        return None if known is None else self._seen(directory, known)

    def instances(self, labels: Mapping[str, str]) -> list[Instance]:
        """Return the Instances that carry all `labels` (empty value: any value)."""
        return [
            one
            for one in self._all()
            if all(name in one.labels and value in ("", one.labels[name]) for name, value in labels.items())
        ]

    def _seen(self, directory: Path, known: stored.Stored) -> Instance:
        found = VmInstance(directory, known, self._bench)
        with suppress(DevboxError):  # whoever needs the agent hears of it
            found.have_line()
        return found

    def _all(self) -> Iterator[Instance]:
        root = Path(paths.machines_root())
        for directory in sorted(root.iterdir()) if root.is_dir() else ():
            known = None if directory.name.startswith(".") else stored.read(directory)
            if known is not None:
                yield self._seen(directory, known)
