"""A machine whose QEMU boots nothing, its disks, and its snapshots; also as a program, to be killed in the middle."""

import sys
import uuid
from pathlib import Path

from devbox import paths
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.runtimes.snapshots import Return, Wish
from devbox.runtimes.vm import boot, saving
from devbox.runtimes.vm.snapshots import Owner, VmSnapshots
from devbox.values import LABEL_WORKSPACE
from devbox.vm.machine import Machine
from devbox.vm.qemu import architecture
from devbox.vm.qemu_args import Drive, MachineSpec
from tests.support.disks import qcow2
from tests.unit.runtimes.test_vm import made

CONTENT = "c0ffee"  # the digest of the disk below
WORKSPACE = made().labels[LABEL_WORKSPACE]
PROCESSES = HostProcesses(SilentReporter())


class Desk:
    """It, below $XDG_STATE_HOME. What its disks say behind their heads is its content."""

    def __init__(self) -> None:
        self.stored = made()
        self.directory = Path(paths.machine_directory(self.stored.name))
        self.data = Path(paths.machine_data(WORKSPACE))
        self.base = Path(paths.machine_images()) / ("ab" * 8) / "disk.qcow2"
        self.below = CONTENT
        for place in (self.directory, self.data.parent, self.base.parent):
            paths.private_directory(str(place))
        self.machine = Machine(self.directory, PROCESSES)

    @staticmethod
    def program() -> str:
        return f"qemu-system-{architecture()}"

    @property
    def snapshots(self) -> VmSnapshots:
        return VmSnapshots(
            Owner(
                machine=self.machine,
                directory=self.directory,
                stored=self.stored,
                processes=PROCESSES,
                content=lambda: self.below,
                write_back=lambda: None,
                end=self.machine.kill,
            )
        )

    @property
    def spec(self) -> MachineSpec:
        return MachineSpec(
            name=self.stored.name,
            uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, str(self.directory))),
            cpus=1,
            memory=128 << 20,
            kernel=str(self.base.with_name("kernel")),
            initrd=str(self.directory / boot.INITRD),
            command_line="quiet",
            drives=(
                Drive(path=str(self.machine.disk), format="qcow2", serial="root"),
                Drive(path=str(self.data), format="qcow2", serial="data"),
            ),
            directory=str(self.directory),
            accelerator="tcg",
            network=False,
        )

    def start(self) -> None:
        """Start it, as an Instance would that boots."""
        self.snapshots.finish()
        if not self.machine.disk.exists():
            self.content = "new"
        for path in (self.base, self.base.with_name("kernel"), self.directory / boot.INITRD):
            path.write_bytes(b"")
        qcow2(self.base, 1 << 20)
        (self.directory / boot.BASE).write_text(CONTENT)
        saving.note(self.directory, self.spec, PROCESSES)
        self.machine.start(self.spec)

    def stop(self) -> None:
        self.machine.kill()

    def damage(self, name: str) -> None:
        """Let one bit of a snapshot's disk be another one."""
        kept = next(one for one in sorted(Path(paths.snapshots(WORKSPACE)).glob("0*")) if _is_called(one, name))
        disk = kept / "root.qcow2"
        disk.write_bytes(disk.read_bytes()[:-1] + b"\0")

    @property
    def content(self) -> str:
        """What both disks say."""
        said = {path.read_bytes().partition(b"|")[2].decode() for path in (self.machine.disk, self.data)}
        (text,) = said
        return text

    @content.setter
    def content(self, text: str) -> None:
        for path, below in ((self.machine.disk, str(self.base)), (self.data, "")):
            qcow2(path, 1 << 20, below)
            path.write_bytes(path.read_bytes() + b"|" + text.encode())

    @property
    def goes_on(self) -> bool:
        """Whether what ran would go on if it were started."""
        return self.machine.state.exists() and (self.directory / saving.ASLEEP).exists()


def _is_called(kept: Path, name: str) -> bool:
    return f'"name": "{name}"' in (kept / "about").read_text()


def main(verb: str, name: str, attached: str) -> None:
    """Do to the Desk what is asked for, as a devbox would that may be killed."""
    desk = Desk()
    if verb == "save":
        desk.snapshots.save(Wish(name=name, replace=True, attached=Path(attached)))
    elif verb == "restore":
        desk.snapshots.restore(Return(name=name, attached=Path(attached), before=lambda: None))
    else:
        desk.snapshots.delete(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
