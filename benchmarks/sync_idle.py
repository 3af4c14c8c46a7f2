"""What it costs to have a session that has nothing to do: memory, and CPU."""

import json
import subprocess
import sys

from benchmarks.common import Amount
from benchmarks.sync_bed import Bed

MIB = 1 << 20
HOST_MOST, GUEST_MOST = 120 * MIB, 15 * MIB
CPU_MOST = 5  # ms in ten seconds, which are 0.0 percent

# All processes of the agent but the first one, which is not of this session: memory in KiB, and ticks of the clock.
_LOOK = r"""
for p in /proc/[0-9]*; do
  [ "${p#/proc/}" != 1 ] && read -r name <$p/comm && [ "$name" = agent ] || continue
  while read -r key value unit; do [ "$key" = VmRSS: ] && echo "$value"; done <$p/status
  read -r line <$p/stat; set -- ${line##*) }; echo "$((${12} + ${13}))"
done
"""


def amounts(made: Bed) -> list[Amount]:
    """Look at a session in a process of its own, on the tree that the host has."""
    made.empty_guest()
    asked = {"state": str(made.directory / "idle.db"), "host": str(made.host.path), **made.alone()}
    words = [sys.executable, "-m", "benchmarks.sync_alone", json.dumps(asked)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        memory = int(process.stdout.readline())
        before = _look(made)
        spent = int(process.stdout.readline())
        after = _look(made)
        process.communicate("")
    return [
        Amount(name="memory of the host's side, 100000 files", value=memory, most=HOST_MOST),
        Amount(name="memory of the guest's side, 100000 files", value=after[0] * 1024, most=GUEST_MOST),
        Amount(name="CPU of the host's side in 10 idle seconds", value=spent, most=CPU_MOST, unit="ms"),
        Amount(name="CPU of the guest's side, the same", value=(after[1] - before[1]) * 10, most=CPU_MOST, unit="ms"),
    ]


def _look(made: Bed) -> tuple[int, int]:
    numbers = [int(word) for word in made.shell(_LOOK)[1].split()]
    if not numbers:
        raise SystemExit("the guest's side was not found")
    return sum(numbers[0::2]), sum(numbers[1::2])
