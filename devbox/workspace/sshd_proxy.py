"""`ssh-proxy --sshd`: one connection of the client's ssh, to the real sshd inside. See `devbox.ssh.sshd`."""

import contextlib
import threading

from devbox.errors import AgentError, UsageError
from devbox.runtimes.base import ExecSpec, Instance, Session
from devbox.ssh import sshd
from devbox.ssh.keys import sshd_keys
from devbox.ssh.pipes import put, taken
from devbox.values import GuestUser


def relay(instance: Instance, path_hash: str, user: GuestUser, env: dict[str, str], *, stdin: int, stdout: int) -> None:
    """Have sshd inside speak with the client at the two descriptors until one of them goes.

    `env`: for each process that it starts. `UsageError` if there is no sshd inside, `AgentError` if it fails at once.
    """
    argv, first = sshd.start(sshd_keys(path_hash), tuple({user.name: None, "root": None}))
    spec = ExecSpec(argv=argv, user="0:0", workdir="/", env=tuple(env.items()), stdin=True)
    with contextlib.closing(instance.exec(spec)) as session:
        session.send(first)
        threading.Thread(target=_send, args=(session, stdin), daemon=True).start()
        spoke = _receive(session, stdout)
        status = session.exit_code()
    if status == sshd.MISSING:
        raise UsageError(
            "there is no sshd in the environment", hint="set vm.sshd in devbox.toml, devbox up, devbox ssh-config"
        )
    if status and not spoke:
        raise AgentError(f"sshd inside ends with exit code {status}", hint="devbox exec -u root -- sshd -t")


def _send(session: Session, stdin: int) -> None:
    with contextlib.suppress(OSError):
        while data := taken(stdin):
            session.send(data)
    session.close_stdin()


def _receive(session: Session, stdout: int) -> bool:
    """Hand on what comes until nothing more does; return whether the client was spoken to."""
    spoke = False
    with contextlib.suppress(OSError):  # the client has gone
        while (frame := session.receive()) is not None:
            number, data = frame
            put(stdout if number == 1 else 2, data)
            spoke = spoke or number == 1
    return spoke
