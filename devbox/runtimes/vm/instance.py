"""An Instance of the runtime `vm`: one QEMU machine and its directory."""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.agent import client
from devbox.agent.transport import Transport
from devbox.errors import AgentError, CommandFailedError, DevboxError, EngineError, MachineError, StandstillError
from devbox.faults import fault
from devbox.runtimes.agent import AGAIN, explained, heard
from devbox.runtimes.base import AgentState, ExecSpec, InstanceState, Share
from devbox.runtimes.container.delivery import deliver
from devbox.runtimes.inside import AGENT, Inside
from devbox.runtimes.vm import boot, foreign, inner, newborn, saving, stored
from devbox.runtimes.vm.snapshots import Owner, VmSnapshots
from devbox.runtimes.vm.stored import SETTLED, UP, Stored
from devbox.values import LABEL_GROUP, LABEL_WORKSPACE, format_size
from devbox.vm import disk, lines, snapshot, wires
from devbox.vm.machine import Machine
from devbox.vm.room import told_of_room

_WRITING: Final = 10.0  # seconds for what was written inside to be on its disks
_BOOTING: Final = 120.0  # seconds for the agent to answer
_WAKING: Final = 30.0  # the same of a machine that goes on
_UNHEARD: Final = 2  # seconds that a machine whose agent does not answer is given to stop
_OFF: Final = (AGENT, "off")


class VmInstance(Inside):
    """One machine, as it was when it was looked up."""

    def __init__(self, directory: Path, made_from: Stored, host: boot.Bench) -> None:
        self._directory = directory
        self._stored = made_from
        self._bench = host
        self._machine = Machine(directory, host.processes)
        self._running = self._machine.running()

    @property
    def id(self) -> str:
        """The machine's UUID."""
        return self._stored.id

    @property
    def name(self) -> str:
        """The name from the spec."""
        return self._directory.name

    @property
    def image(self) -> str:
        """The id of the image it was made from."""
        return self._stored.image

    @property
    def spec_digest(self) -> str:
        """`InstanceSpec.digest` of what it was made from."""
        return self._stored.spec_digest

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self._stored.labels

    @property
    def shares(self) -> tuple[Share, ...]:
        """What it sees of this host itself; what else was to be seen is a copy."""
        return (self._stored.share,) if self._stored.share else ()

    @property
    def state(self) -> InstanceState:
        """Its state when it was looked up."""
        if self._running:
            return InstanceState.RUNNING
        return InstanceState.STOPPED if self._machine.disk.exists() else InstanceState.CREATED

    @property
    def problem(self) -> str | None:
        """Why it does not run, in plain words, if it should."""
        if self._running or not (self._directory / UP).exists():
            return None
        return "the machine ended by itself"

    def start(self) -> None:
        """Start it and wait until its agent answers; no-op if it does. One with a silent agent is started again.

        `MachineError` with what its console said if it does not come up, `AgentError` if its volumes cannot be had.
        """
        self._forget_nobody()
        self._running = self._machine.running()
        if self._running:
            self._go_on()
        if self._running:
            with contextlib.suppress(CommandFailedError):  # it has just been started, or its QEMU does not answer
                self.have_line()
            if self._heard()[0] is AgentState.ANSWERS:
                self._settle()
                return
            if (self._directory / foreign.UNATTACHED).exists():
                raise foreign.unattached(self.name, self._directory)
            self.stop(timeout=_UNHEARD)
        self._snapshots.finish()
        deliver(self._stored.agent, self._bench.engine)
        bench, woken = self._bench, partial(self._await_agent, _WAKING)
        resumed = saving.resumed(self._machine, self._directory, bench.reporter, bench.processes, woken)
        record.write_text(str(self._directory / UP), "", durable=False)
        if not resumed:
            with told_of_room(self._directory):
                self._boot()
        self._running = True
        if self._heard()[0] is AgentState.OTHER:
            raise AgentError(f"the agent of {self.name} is of another version of devbox", hint=AGAIN)
        self._settle()

    def stop(self, *, timeout: int = 10) -> None:
        """Stop it within about `timeout` seconds; no-op if it does not run."""
        self._forget_nobody()
        if self._machine.running():
            with contextlib.suppress(DevboxError):
                self.exec(ExecSpec(argv=_OFF, user="0:0", workdir="/", stdin=False, detach=True)).close()
            self._machine.stop(timeout=timeout)
            lines.end(self._socket())
        else:
            self._machine.kill()  # nothing is left of one that ended by itself, or that a stop was killed for
        self._leave_network()
        self._forget()

    @property
    def saved(self) -> bool | None:
        """Whether what ran in it goes on when it is started; None if it shares files, and so its memory, live."""
        if self._stored.share:
            return None
        return not self._running and self._machine.state.exists()

    def save(self) -> None:
        """Stop it, so that what runs in it goes on at the next `start`; no-op if it does not run.

        Whoever is connected is cut off. `MachineError` if it cannot be saved; then it goes on.
        """
        self._forget_nobody()
        if not self._machine.running():
            return
        self._write_back_soon()
        lines.end(self._socket())
        saving.save(self._machine, self._directory)
        self._leave_network()
        (self._directory / UP).unlink(missing_ok=True)
        self._running = False

    @property
    def snapshots(self) -> VmSnapshots | None:
        """What was kept of it under a name, and can be again; None if it shares files live."""
        return None if self._stored.share else self._snapshots

    @property
    def _snapshots(self) -> VmSnapshots:
        self._forget_nobody()
        return VmSnapshots(
            Owner(
                machine=self._machine,
                directory=self._directory,
                stored=self._stored,
                processes=self._bench.processes,
                content=self._base,
                write_back=self._write_back_soon,
                end=self.kill,
            )
        )

    def grow(self, size: int | None) -> bool:
        """Have a root disk of at least `size` bytes, and the file system on it, while it runs; whether it was smaller.

        A system that devbox has not made sees it at its next boot, and has to make use of it by itself.
        """
        had = self._stored.machine.disk or boot.ROOT_SIZE
        if size is None or size == had:
            return False
        if size < had:
            kept = f"the disk of {self.name} has {format_size(had)} and does not shrink"
            self._bench.reporter.note(f"{kept}: devbox destroy and devbox up make a smaller one")
            return False
        smaller = disk.virtual_size(self._machine.disk) < size
        if smaller and self._stored.machine.base is None:
            failure, hint = "its disk has grown, its file system has not", "devbox halt, devbox up"
            self._machine.grow(size)
            self.run_as_root(inner.until_grown(size), failure=failure, hint=hint)
            self.run_as_root(inner.SETTLE, failure=failure, hint=hint, given=inner.told((inner.GROWN,)))
        self._stored = replace(self._stored, machine=replace(self._stored.machine, disk=size))
        stored.write(self._directory, self._stored)
        return smaller

    def release_name(self) -> None:
        """Have another name, so that one that takes its place can be made."""
        other = self._directory.with_name(f"{self._directory.name}-{self.id[:12]}")
        self._directory.rename(other)
        self._directory = other
        self._machine = Machine(other, self._bench.processes)

    def watch(self) -> int | None:
        """Return a descriptor that can be read as soon as nothing runs in it; None where that cannot be seen."""
        return self._machine.watch()

    def kill(self) -> None:
        """End it at once; no-op if it does not run. What was written inside is on its disks before."""
        if self._machine.running():
            # As for a container, whose files are the host's: what a process has written does not go with it.
            self._write_back_soon()
            # Before the machine: as soon as that has gone, another one may have a line at the same socket.
            lines.end(self._socket())
            self._machine.kill()
            self._leave_network()
        elif self._stored.machine.private:
            wires.tidy(self._place())  # one that took its place may be there
        self._forget()

    def remove(self) -> None:
        """Remove it, running or not; volumes stay."""
        self.kill()
        fault("remove machine")
        stored.erase(self._directory)
        fault("machine removed")
        if self._directory.exists():
            raise EngineError(f"{self._directory} cannot be removed", hint="look at whose it is, and remove it by hand")

    def agent_state(self) -> AgentState:
        """Return how its agent answers, now; one that is not settled in counts as silent, since `start` settles it."""
        if newborn.is_nobody(self._directory):
            return AgentState.SILENT
        state, agent_boot = self._heard()
        if state is AgentState.ANSWERS and agent_boot and not self._is_settled(agent_boot):
            return AgentState.SILENT
        return state

    def connect(self) -> Transport:
        """Open a connection to its agent; `EngineError` if it does not run, `AgentError` if nobody answers."""
        if not self._running:
            raise EngineError(f"{self.name} does not run: it is {self.state.value}", hint=AGAIN)
        with explained(self.name):
            return client.dial(str(self._socket()))

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what its console said; with `follow` also what it says until the machine ends."""
        return ((1, f"{line}\n".encode()) for line in self._machine.said(tail, follow=follow))

    def have_line(self) -> None:
        """Have the way to its agent, if it runs; one that was lost is opened again, without starting anything else."""
        if self._running:
            self._have_its_line()
            if not newborn.is_nobody(self._directory):
                self._have_its_wire()

    def _have_its_wire(self) -> None:
        if self._stored.machine.private:
            wires.ensure(self._machine.wire, self._place(), self._bench.processes)

    def _have_its_line(self) -> None:
        lines.ensure(self._machine.line, self._socket(), self._bench.processes)

    def _await_agent(self, timeout: float = _BOOTING, check: Callable[[], bool] | None = None) -> None:
        self._running = True
        try:
            self.have_line()
        except CommandFailedError:  # of a QEMU that has ended meanwhile, which says more
            if self._machine.running():
                raise
        self._machine.await_agent(check or self._listens, timeout=timeout)

    def _listens(self) -> bool:
        return lines.listens(self._socket())

    def _boot(self) -> None:
        """Have it run, from where another one of its Image has booted to, or from the beginning."""
        if self._stored.machine.base is not None:
            way = foreign.Way(tells=self._listens, wait=partial(self._await_agent, foreign.BOOTING))
            foreign.booted(self._machine, self._stored, self._directory, self._bench, way)
        elif not newborn.started(self._newborn()):
            boot.booted(self._machine, self._stored, self._directory, self._bench, self._await_agent)
        else:
            self._have_its_wire()

    def _base(self) -> str:
        """Return the digest of the disk that its own lies on top of."""
        of = boot.base_of if self._stored.machine.base is None else foreign.base_of
        return of(self._stored, self._bench)

    def _go_on(self) -> None:
        """Have it go on if somebody who saved or resumed it was killed and left it standing."""
        try:
            if snapshot.go_on(self._machine):
                self._snapshots.sweep()
                self._await_agent(_WAKING)
        except StandstillError:
            raise
        except (MachineError, CommandFailedError):  # one that does not answer is started again
            pass
        self._running = self._machine.running()

    def _write_back_soon(self) -> None:
        writing = threading.Thread(target=self._write_back, daemon=True)
        writing.start()
        writing.join(_WRITING)

    def _write_back(self) -> None:
        with contextlib.suppress(DevboxError):
            self.run_as_root(("sync",), failure="its disks cannot be written", hint=AGAIN)

    def _socket(self) -> Path:
        return Path(self._stored.agent.directory) / paths.AGENT_SOCKET

    def _place(self) -> Path:
        """Return where it is on the network of its project's machines."""
        own = self._stored.labels[LABEL_WORKSPACE]
        return Path(paths.private_network(self._stored.labels.get(LABEL_GROUP, own))) / own

    def _leave_network(self) -> None:
        if self._stored.machine.private:
            wires.end(self._place())

    def _heard(self) -> tuple[AgentState, str]:
        return heard(self.connect, self.spec_digest)

    def _is_settled(self, agent_boot: str) -> bool:
        return not (self._directory / saving.ASLEEP).exists() and self._has_settled(agent_boot)

    def _has_settled(self, agent_boot: str) -> bool:
        try:
            return (self._directory / SETTLED).read_text(encoding="ascii") == agent_boot
        except (OSError, ValueError):
            return False

    def _settle(self) -> None:
        """Tell it the time if it was saved; put its volumes and files in place, unless that was done since its boot."""
        asleep = self._directory / saving.ASLEEP
        facts = inner.waking(time.time_ns(), os.urandom(inner.SEED)) if asleep.exists() else ()
        _, agent_boot = self._heard()
        settled = agent_boot and self._has_settled(agent_boot)
        if not settled:
            facts += (inner.GROWN, *self._own())
            self._mount_share()
        if facts:
            hint = "look at its console: devbox logs --console"
            failure = "what is its own cannot be put in place"
            self.run_as_root(inner.SETTLE, failure=failure, hint=hint, given=inner.told(facts))
        asleep.unlink(missing_ok=True)
        fault("machine settled")
        if not settled:
            record.write_text(str(self._directory / SETTLED), agent_boot, durable=False)
            if self._stored.machine.base is not None:
                foreign.has_come(self._directory)

    def _mount_share(self) -> None:
        if self._stored.share:
            failure = "the project cannot be shared live with it"
            argv = inner.shared(self._stored.share.target)
            self.run_as_root(argv, failure=failure, hint="look at its console: devbox logs --console")

    def _own(self) -> tuple[inner.Fact, ...]:
        files = [inner.file(share.target, Path(share.source).read_bytes()) for share in self._stored.files]
        return (*inner.placed(self._stored.volumes), *files)

    def _newborn(self) -> newborn.Newborn:
        return newborn.Newborn(
            machine=self._machine,
            stored=self._stored,
            directory=self._directory,
            bench=self._bench,
            socket=self._socket(),
            await_agent=self._await_agent,
            have_line=self._have_its_line,
            own=self._own,
        )

    def _forget_nobody(self) -> None:
        """Have nothing of a machine that was being made when devbox was killed."""
        newborn.forget(self._machine, self._directory, self._socket())

    def _forget(self) -> None:
        self._running = False
        fault("forget that it ran")
        for name in (UP, SETTLED, foreign.UNATTACHED):
            (self._directory / name).unlink(missing_ok=True)


def new_id() -> str:
    """Return the UUID of a new machine."""
    return str(uuid.uuid4())
