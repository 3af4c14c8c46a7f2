"""The threads of emulated processors: apart while somebody waits, and let go afterwards."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.vm.vcpus import Processors

ALL = os.sched_getaffinity(0)
BE_QEMU = """
import threading

def be(name):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write(name)
    ready.wait()
    threading.Event().wait()

ready = threading.Barrier(4)
for name in ("CPU 1/TCG", "CPU 0/TCG", "worker"):
    threading.Thread(target=be, args=(name,), daemon=True).start()
ready.wait()
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def qemu() -> Iterator[int]:
    """A process with the threads of one that emulates two processors."""
    with subprocess.Popen([sys.executable, "-c", BE_QEMU], stdout=subprocess.PIPE) as made:
        assert made.stdout
        assert made.stdout.readline() == b"ready\n"
        yield made.pid
        made.kill()


def places(pid: int) -> dict[str, set[int]]:
    """Return by the name of each thread where it may run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {(one / "comm").read_text().strip(): os.sched_getaffinity(int(one.name)) for one in threads}


def test_they_are_apart_while_somebody_waits_and_nobody_else_is_moved(qemu: int) -> None:
    processors = Processors(qemu)
    begin = time.monotonic()
    processors.hold(0.5)
    found = places(qemu)
    apart = len(ALL) > 1  # one alone has them both
    assert found["CPU 0/TCG"] | found["CPU 1/TCG"] == ALL
    assert bool(found["CPU 0/TCG"] & found["CPU 1/TCG"]) != apart
    assert found["worker"] == ALL
    assert (processors.due >= begin + 0.5) == apart
    processors.release()
    assert set(map(frozenset, places(qemu).values())) == {frozenset(ALL)}
    assert processors.due == 0


def test_whoever_waits_longest_is_waited_for(qemu: int) -> None:
    processors = Processors(qemu)
    processors.hold(10)
    due = processors.due
    processors.hold(0.5)
    assert processors.due == due
    processors.hold_no_longer(0.5)
    assert processors.due <= time.monotonic() + 0.5
    assert bool(processors.due) == bool(due) == (len(ALL) > 1)


def test_one_that_has_ended_or_has_no_such_threads_is_left_alone(qemu: int) -> None:
    gone = Processors(qemu)
    os.kill(qemu, 9)
    os.waitid(os.P_PID, qemu, os.WEXITED | os.WNOWAIT)
    for processors in (gone, Processors(qemu), Processors(0), Processors(os.getpid())):
        processors.hold(1)
        processors.release()
    assert os.sched_getaffinity(0) == ALL
