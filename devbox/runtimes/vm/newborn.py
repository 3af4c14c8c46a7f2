"""A machine that is new: it goes on from where one that was nobody had booted to, and is told who it is.

What was kept once (`vm.ready`) serves every new machine of the same image, board and agent. If nothing was, the machine
boots as nobody first, with no secret, new volumes and nothing of the project; that is kept. Until a machine has been
told who it is a file says that it is nobody (`NOBODY`): then what runs and what is on its disk is not worth keeping.
"""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.agent import client
from devbox.agent.transport import Transport
from devbox.errors import DevboxError, MachineError
from devbox.faults import fault
from devbox.runtimes.agent import heard
from devbox.runtimes.base import AgentState, ExecSpec
from devbox.runtimes.inside import Inside
from devbox.runtimes.vm import boot, inner, saving
from devbox.runtimes.vm.stored import SETTLED, Stored
from devbox.vm import disk, initramfs, lines, network, qemu_args, ready, snapshot, under
from devbox.vm.copying import copy
from devbox.vm.images import MachineImage
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from devbox.vm.ready import Ready

NOBODY: Final = "nobody"  # a file in the machine's directory: whose disk for volumes goes with it, if any
_IDENTITY: Final = "0" * 64  # by which the agent of nobody knows itself
_NAME: Final = "devbox"
_WAKING: Final = 30.0  # seconds for the agent of one that goes on to answer
_HEARD: Final = 10.0  # seconds for the agent to take up who it is
_PAUSE: Final = 0.005
# Until all that is started at boot has been, or could not be, and nothing is done any more.
_SETTLED: Final = """
if command -v systemctl > /dev/null; then
  systemctl is-system-running --wait > /dev/null
  udevadm settle
fi
sync
sleep 4
sync
""".strip()


@dataclass(frozen=True, kw_only=True)
class Newborn:
    """A machine that is to be started, and what it takes. `await_agent`: waits until its agent answers, whoever it is.

    `have_line`: has the way to it; `own`: what is to be in place inside.
    """

    machine: Machine
    stored: Stored
    directory: Path
    bench: boot.Bench
    socket: Path
    await_agent: Callable[[], None]
    have_line: Callable[[], None]
    own: Callable[[], tuple[inner.Fact, ...]]


def is_nobody(directory: Path) -> bool:
    """Tell whether the machine of `directory` was started and never told who it is."""
    return (directory / NOBODY).exists()


def forget(machine: Machine, directory: Path, socket: Path) -> None:
    """End the machine if it is nobody, and have nothing left of it but what it was made from."""
    if is_nobody(directory):
        lines.end(socket)
        machine.kill()
        machine.disk.unlink(missing_ok=True)
        if data := (directory / NOBODY).read_text(encoding="utf-8", errors="surrogateescape"):
            Path(data).unlink(missing_ok=True)
        (directory / NOBODY).unlink()


def started(new: Newborn) -> bool:
    """Start a machine that never ran, and tell it who it is; False if it is to be booted, and does not run.

    `MachineError` if a machine of its image does not come up.
    """
    if new.machine.disk.exists() or not new.stored.machine.ready:
        return False
    data = boot.data_of(new.stored)
    own = data.exists()
    record.write_text(str(new.directory / NOBODY), "" if own else str(data))
    try:
        _go_on(new, _found(new, data, mounted=not own), mounted=not own)
    except BaseException as error:
        forget(new.machine, new.directory, new.socket)
        if not isinstance(error, _NotReadyError):
            raise
        new.bench.reporter.note(f"{new.stored.name} boots as ever: {error}")
        return False
    (new.directory / NOBODY).unlink()
    return True


class _NotReadyError(Exception):
    """Nothing is kept from which it could go on; the text says why."""


def _found(new: Newborn, data: Path, *, mounted: bool) -> tuple[Ready, MachineSpec]:
    """Return what it can go on from, made if it is not there, and the machine as it would boot.

    `mounted`: `data`, the disk for its volumes, is not there yet. It becomes a copy of one that is kept mounted: to
    mount one is half of the work of a machine that goes on.
    """
    image = boot.machine_image(new.stored.image, new.stored.labels, new.bench)
    record.write_text(str(new.directory / boot.BASE), image.content)
    boot.say(new.bench, network.lacking(new.bench.processes))
    spec = boot.by_fastest(boot.spec_of(new.stored, new.machine, new.directory, image, data), new.bench)
    size = boot.DATA_SIZE if mounted else disk.virtual_size(data)
    sizes = (new.stored.machine.disk or boot.ROOT_SIZE, size)
    like = inner.like(new.stored.volumes) if mounted else None
    name = ready.key(spec, agent=new.stored.agent.build, sizes=sizes, mounted=like)
    place, processes = image.disk.parent, new.bench.processes
    found = ready.find(place, name, processes)
    if found is None:
        with (
            new.bench.reporter.step("boot the first machine of this image") as progress,
            ready.making(place, lambda: progress.update("waiting for another devbox that does")) as draft,
        ):
            found = ready.find(place, name, processes) or _made(new, image, draft, name, mounted=mounted)
    if mounted:
        copy(found.directory / ready.DATA, data)
    return found, spec


def _made(new: Newborn, image: MachineImage, draft: Path, name: str, *, mounted: bool) -> Ready:
    """Boot it as nobody and keep that."""
    bench, machine = new.bench, new.machine
    boot.lay_root(image, machine, new.stored, bench)
    data = draft / ready.DATA  # no Workspace's
    disk.data_disk(data, boot.DATA_SIZE, bench.processes)
    (new.directory / boot.INITRD).write_bytes(boot.initrd(new.stored, image, _nobody(new.stored)))
    plain = boot.spec_of(new.stored, machine, new.directory, image, data)
    plain = replace(plain, private=plain.private and qemu_args.NOBODYS)
    memory = ready.memory_of(draft, qemu_args.memory_size(plain))
    boot.run(machine, replace(plain, memory_file=str(memory)), bench, new.await_agent)
    fault("nobody has booted")
    try:
        nobody = _Nobody(new)
        failure, hint = "its disk cannot be had whole", "look at its console: devbox logs --console"
        facts = [inner.GROWN, *(inner.placed(inner.nobodys(new.stored.volumes)) if mounted else ())]
        nobody.run_as_root(inner.SETTLE, failure=failure, hint=hint, given=inner.told(facts))
        with contextlib.closing(nobody.exec(_as_root("/bin/sh", "-c", _SETTLED))) as settling:
            settling.exit_code()
        known = under.require(under.read(new.directory / paths.MACHINE_STARTED))
        lines.end(new.socket)
        if mounted:
            (draft / ready.PLACES).write_bytes(os.fsencode("\0".join(inner.places(new.stored.volumes))))
        ready.keep(machine, known, draft, name)
    except (DevboxError, OSError) as error:
        raise _NotReadyError(f"what has booted could not be kept: {_said(error)}") from error
    found = ready.find(image.disk.parent, name, bench.processes)
    if found is None:
        raise _NotReadyError("what was kept cannot be used")
    return found


def _said(error: DevboxError | OSError) -> str:
    detail = error.detail if isinstance(error, DevboxError) else None
    return f"{error}: {detail}" if detail else str(error)


def _go_on(new: Newborn, found: tuple[Ready, MachineSpec], *, mounted: bool) -> None:
    kept, like = found
    for name, place in ((ready.ROOT, new.machine.disk), (ready.INITRD, new.directory / boot.INITRD)):
        place.unlink(missing_ok=True)
        copy(kept.directory / name, place)
    spec = kept.spec(like, new.directory / boot.INITRD)
    saving.note(new.directory, spec, new.bench.processes)
    ways: list[Future[None]] = []
    try:
        with ThreadPoolExecutor(1) as meanwhile:  # the way to its agent takes a while, and can be had before it goes on
            kept.resume(new.machine, spec, lambda: ways.append(meanwhile.submit(new.have_line)))
        for way in ways:
            way.result()
        new.machine.await_agent(lambda: lines.listens(new.socket), timeout=_WAKING)
        _become(new, kept, mounted=mounted)
    except snapshot.PassingError:
        raise
    except (DevboxError, OSError) as error:
        kept.forget()  # the next one makes another
        raise _NotReadyError(f"what was kept of its image cannot go on: {_said(error)}") from error


def _become(new: Newborn, kept: Ready, *, mounted: bool) -> None:
    """Tell it who it is, the time, and new randomness, and have in place what is its own, if it is not (`mounted`)."""
    identity = boot.identity(new.stored, now=int(time.time()))
    mac = f"{kept.mac} {qemu_args.mac(new.stored.id)}"
    facts = (
        *(inner.taken_over(new.stored.volumes, kept.places) if mounted else ()),
        *(one for one in new.own() if not (mounted and one == inner.DATA)),  # which is, and as large as it is
        *inner.named(identity, machine_id=_plain(new.stored.id), mac=mac, wire=_wire(new.stored)),
        # Late: as soon as the time is another, whoever waits for one inside wants the processor.
        *inner.waking(time.time_ns(), os.urandom(inner.SEED)),
    )
    failure, hint = "it cannot be told who it is", "look at its console: devbox logs --console"
    nobody = _Nobody(new)
    nobody.run_as_root(inner.SETTLE_HERE, failure=failure, hint=hint, given=inner.told(facts))
    until = time.monotonic() + _HEARD
    while (answer := heard(nobody.connect, new.stored.spec_digest))[0] is not AgentState.ANSWERS:
        if time.monotonic() > until:
            raise MachineError(f"{new.stored.name} does not take up who it is")
        time.sleep(_PAUSE)
    record.write_text(str(new.directory / SETTLED), answer[1], durable=False)  # of this boot, as is what runs
    fault("somebody was born")


def _plain(identifier: str) -> str:
    return identifier.replace("-", "")


def _nobody(stored: Stored) -> initramfs.Identity:
    told = boot.identity(stored, now=int(time.time()))
    private = told.private and f"{qemu_args.private_mac(qemu_args.NOBODYS)} {qemu_args.NOBODYS}"
    return replace(told, agent=_IDENTITY, hostname=_NAME, environment={}, private=private)


def _wire(stored: Stored) -> str:
    """Return what its wire to other machines is told; empty if it has none."""
    own = stored.machine.private
    macs = f"{qemu_args.private_mac(qemu_args.NOBODYS)} {qemu_args.private_mac(own)}" if own else ""
    return f"{macs} {own.partition('/')[0]}" if own else ""


def _as_root(*argv: str) -> ExecSpec:
    return ExecSpec(argv=argv, user="0:0", workdir="/", stdin=False)


class _Nobody(Inside):
    """The machine as long as it is nobody."""

    def __init__(self, new: Newborn) -> None:
        self._new = new

    @property
    def name(self) -> str:
        return self._new.stored.name

    @property
    def spec_digest(self) -> str:
        return _IDENTITY

    def connect(self) -> Transport:
        return client.dial(str(self._new.socket))
