"""The process that waits to become the next program: what it becomes is what would have been started anew."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from devbox.agent import program, wire
from devbox.agent.client import StartError, dial
from devbox.agent.wire import ExecMessage
from tests.contract.agent.conftest import Target
from tests.contract.agent.test_connection import Client
from tests.support.agent import host_agent, spares, zygotes
from tests.support.waiting import until

LOOK = """
echo "leader $(($$ == $(cut -d' ' -f6 /proc/$$/stat)))"
echo descriptors
ls /proc/$$/fd
cat /proc/$$/limits
pwd
env | sort
exec grep -E '^(Uid|Gid|Groups|Umask|Sig(Blk|Ign|Cgt)|NoNewPrivs|Cap...|Cpus_allowed|Name)' /proc/self/status
"""


def pid_of(real: Target) -> int:
    assert real.host
    return real.host.pid


def await_spare(real: Target) -> int:
    """Have one that waits; return its pid."""
    if not spares(pid_of(real)):
        assert real.run("true")[0] == 0
    until(lambda: bool(spares(pid_of(real))))
    return spares(pid_of(real))[0]


def await_spare_but(real: Target, other: int) -> None:
    """Have one that waits beside `other`."""
    until(lambda: bool(set(spares(pid_of(real))) - {other}))


def drop(real: Target) -> None:
    """Have none that waits, nor one that is about to be made."""
    await_spare(real)
    for pid in spares(pid_of(real)):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not spares(pid_of(real)))


def test_it_becomes_the_next_program(real: Target) -> None:
    waiting = await_spare(real)
    code, out, _ = real.run("sh", "-c", "echo $$")
    assert (code, int(out)) == (0, waiting)


@pytest.mark.parametrize("flags", [0, wire.FLAG_STDIN], ids=["pipes-that-wait", "pipes-of-its-own"])
def test_a_program_cannot_tell_by_which_way_it_was_started(real: Target, flags: int) -> None:
    values: dict[str, Any] = {"env": ("WHAT=said",), "cwd": "/tmp", "flags": flags}
    drop(real)
    anew = real.run("sh", "-c", LOOK, **values)
    await_spare(real)
    assert real.run("sh", "-c", LOOK, **values) == anew
    assert b"\ndescriptors\n0\n1\n2\nLimit" in anew[1]
    assert b"leader 1" in anew[1]
    assert b"WHAT=said" in anew[1]


def test_what_it_reads_and_writes_is_its_own(real: Target) -> None:
    await_spare(real)
    assert real.run("sh", "-c", "cat; echo to >&2; exit 7", stdin=b"from", flags=wire.FLAG_STDIN) == (
        7,
        b"from",
        b"to\n",
    )


def test_it_has_a_terminal_of_its_own(real: Target) -> None:
    await_spare(real)
    code, out, _ = real.run("sh", "-c", "test -t 0 && exec </dev/tty && echo there", flags=wire.FLAG_TERMINAL)
    assert (code, out) == (0, b"there\r\n")


@pytest.mark.parametrize("argv", [("no-such-program",), ("/no/such/program",), ("",), ("/",)], ids=repr)
def test_what_cannot_be_started_is_said_in_the_same_words(real: Target, argv: tuple[str, ...]) -> None:
    said = []
    for prepare in (drop, await_spare):
        prepare(real)
        with pytest.raises(StartError) as caught:
            real.run(*argv, flags=0)
        said.append((caught.value.errno, str(caught.value)))
    assert said[0] == said[1]


def test_one_that_was_killed_is_not_missed(real: Target) -> None:
    await_spare(real)
    drop(real)
    assert real.run("echo", "here")[1] == b"here\n"


def test_a_message_that_is_too_long_for_it_is_for_a_new_one(real: Target) -> None:
    waiting = await_spare(real)
    assert real.run("sh", "-c", "echo $$ ${#1}", "sh", "x" * 100_000)[1] != f"{waiting} 100000\n".encode()
    assert real.run("sh", "-c", "echo $$")[1] == f"{waiting}\n".encode()


@pytest.mark.parametrize("prepare", [drop, await_spare], ids=["anew", "waiting"])
def test_one_that_is_killed_at_once_is_said_to_have_been(real: Target, prepare: Callable[[Target], object]) -> None:
    for _ in range(10):
        prepare(real)
        with contextlib.closing(real.dial()) as transport:
            client = Client(transport)
            sleeper = wire.exec_(1, ExecMessage(("sleep", "600"), flags=0), window=1000)
            client.say(wire.hello("") + sleeper + wire.signal(1, signal.SIGTERM))
            assert [one[0] for one in (client.next(), client.next()) if one] == [wire.HELLO, wire.STARTED]
            assert client.next() == (wire.EXIT, 1, bytes(4) + bytes([signal.SIGTERM, 0, 0, 0]))


def test_programs_start_where_the_agent_has_more_descriptors_than_they_may_have() -> None:
    limited = ["sh", "-c", 'ulimit -Sn 64 && exec "$0" "$@"', str(program.binary(os.uname().machine))]
    with host_agent(argv=limited) as agent, contextlib.ExitStack() as held:
        few = Target(agent.path, lambda: dial(agent.path), host=agent)
        for _ in range(80):
            held.enter_context(contextlib.closing(few.dial()))
        for prepare in (drop, await_spare):
            prepare(few)
            assert few.run("sh", "-c", "ulimit -n")[1] == b"64\n"


@pytest.mark.long
def test_it_ends_with_the_agent() -> None:
    with host_agent() as agent:
        waiting = await_spare(Target(agent.path, lambda: dial(agent.path), host=agent))
    until(lambda: not Path(f"/proc/{waiting}").exists())


def test_hello_is_answered_though_what_was_asked_with_it_has_not_begun(real: Target) -> None:
    """Both answers go in one, but who does not hear of the agent for long takes it for gone, and asks another way."""
    waiting = await_spare(real)
    os.kill(waiting, signal.SIGSTOP)
    with contextlib.closing(real.dial()) as transport:
        client = Client(transport)
        client.say(wire.hello("") + wire.exec_(1, ExecMessage(("true",), flags=0), window=1000))
        first = client.next()
        os.kill(waiting, signal.SIGCONT)
        said = [first, client.next(), client.next()]
    assert [one[0] for one in said if one] == [wire.HELLO, wire.STARTED, wire.EXIT]


def test_what_it_starts_writes_to_pipes_of_its_own_user(real: Target) -> None:
    """Who may become others has the pipes of the user before given to the one who comes."""
    own = str(os.getuid())
    for user in (own, "65534" if own == "0" else own, own):
        await_spare(real)
        said = real.run("sh", "-c", "echo again > /dev/stdout; stat -Lc %u /dev/stdout", user=user, flags=0)[1]
        assert said.split() == [b"again", user.encode()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_that_forks_it_is_replaced(real: Target, number: signal.Signals) -> None:
    await_spare(real)
    (old,) = zygotes(pid_of(real))
    os.kill(old, number)
    until(lambda: not zygotes(pid_of(real)))
    for _ in range(3):  # by what waits already; by fork; by fork, and another one is had for the next
        assert real.run("echo", "here", flags=0)[1] == b"here\n"
        time.sleep(0.1)
    await_spare(real)
    assert len(zygotes(pid_of(real))) == 1


def test_one_that_stands_still_amid_its_start_goes_on_and_nobody_has_its_memory_meanwhile(real: Target) -> None:
    waiting = await_spare(real)
    (old,) = zygotes(pid_of(real))
    os.kill(waiting, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(real.run, "sh", "-c", "echo $$ $WORD", env=("WORD=first",), flags=0)
        try:
            until(lambda: old not in zygotes(pid_of(real)))
            for word in ("second", "third"):  # by fork; by fork, and another zygote is had for the next
                assert real.run("sh", "-c", "echo $WORD", env=(f"WORD={word}",), flags=0)[:2] == (
                    0,
                    f"{word}\n".encode(),
                )
                time.sleep(0.1)
            await_spare_but(real, waiting)
            assert real.run("sh", "-c", "echo $WORD", env=("WORD=fourth",), flags=0)[:2] == (0, b"fourth\n")
        finally:
            os.kill(waiting, signal.SIGCONT)
        assert first.result(10)[:2] == (0, f"{waiting} first\n".encode())


def test_what_one_program_was_given_the_next_one_has_not(real: Target) -> None:
    for word in ("", "one", "", "two", ""):
        await_spare(real)
        env = (f"WORD={word}", *(f"V{number}={number}" for number in range(300))) if word else ()
        code, out, _ = real.run("sh", "-c", "echo ${WORD-none} ${V299-none} $HOME", env=env, flags=0)
        assert (code, out.split()[:2]) == (0, [word.encode(), b"299"] if word else [b"none", b"none"])


def test_it_knows_nothing_of_the_programs_before(real: Target) -> None:
    word = "a secret of one program"
    await_spare(real)
    assert real.run("true", word, env=(f"WORD={word}",), flags=0)[0] == 0
    assert word.encode() not in memory(await_spare(real))


def memory(pid: int) -> bytes:
    """Return all that a process may write to."""
    held = b""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            places, rights, _ = line.split(maxsplit=2)
            if "w" in rights:
                begin, end = (int(place, 16) for place in places.split("-"))
                file.seek(begin)
                held += file.read(end - begin)
    return held
