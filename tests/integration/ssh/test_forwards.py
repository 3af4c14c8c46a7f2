"""Forwards by the real client: into the Environment, out of it, and the client's agent."""

import base64
import contextlib
import errno
import io
import os
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.ssh_client import Client, require
from tests.support.waiting import until

DATA = os.urandom(3 * 1024 * 1024)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def until_it_answers(port: int, client: "subprocess.Popen[bytes]") -> None:
    while True:
        assert client.poll() is None, "ssh has ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return


def is_refused(port: int) -> bool:
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


@contextmanager
def running(ssh: Client, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Have an ssh that forwards, and no more."""
    client = ssh.start("-N", "-o", "ExitOnForwardFailure=yes", *words, "HOST", stderr=subprocess.PIPE)
    try:
        yield client
    finally:
        # A signal that comes just before OpenSSH's client begins to wait is forgotten until there is something to do.
        until(lambda: _has_ended(client), within=20)
        client.communicate(timeout=20)  # when its ProxyCommand has closed stderr, too


def _has_ended(client: "subprocess.Popen[bytes]") -> bool:
    client.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.wait(timeout=0.5)
    return client.returncode is not None


@contextmanager
def echo(address: object, family: socket.AddressFamily = socket.AF_INET) -> Iterator[socket.socket]:
    """Have a server that sends back, at the end of what it was sent, all of that."""

    def answer(connection: socket.socket) -> None:
        with connection:
            data = b""
            while piece := connection.recv(65536):
                data += piece
            connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.socket(family) as server:
        server.bind(address)  # type: ignore[arg-type]
        server.listen(64)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def sent_back(connection: socket.socket, data: bytes) -> bytes:
    """Send `data` and its end, and return what comes back."""
    with connection:
        sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b""
        while piece := connection.recv(65536):
            got += piece
        sender.join()
    return got


def socks(port: int, host: str, target: int) -> tuple[socket.socket, int]:
    """Connect by SOCKS5, the name given to the proxy; return what it answers, too: 0 is well."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"\x05\x01\x00")
    assert connection.recv(2) == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + target.to_bytes(2, "big"))
    answer = connection.recv(10)
    return connection, answer[1] if answer else 255


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_port_inside_with_every_byte_and_half_close(ssh: Client, host: str) -> None:
    port = free_port()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with echo(("::1" if ":" in host else "127.0.0.1", 0), family) as server:
        target = server.getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        with running(ssh, "-L", f"127.0.0.1:{port}:{named}:{target}") as client:
            until_it_answers(port, client)
            for _ in range(3):
                assert sent_back(socket.create_connection(("127.0.0.1", port)), DATA) == DATA


def test_a_port_where_nobody_listens_ends_the_connection_and_no_other(ssh: Client) -> None:
    with echo(("127.0.0.1", 0)) as server:
        good, bad = free_port(), free_port()
        forwards = ("-L", f"{good}:127.0.0.1:{server.getsockname()[1]}", "-L", f"{bad}:127.0.0.1:{free_port()}")
        with running(ssh, *forwards) as client:
            until_it_answers(good, client)
            assert sent_back(socket.create_connection(("127.0.0.1", bad)), b"") == b""
            assert sent_back(socket.create_connection(("127.0.0.1", good)), DATA) == DATA


def test_a_name_is_looked_up_inside(ssh: Client) -> None:
    port = free_port()
    own = socket.gethostname()
    with echo(("0.0.0.0", 0)) as server, running(ssh, "-D", f"127.0.0.1:{port}") as client:
        until_it_answers(port, client)
        for name in ("localhost", own, "127.0.0.1"):
            connection, answer = socks(port, name, server.getsockname()[1])
            assert (answer, sent_back(connection, b"x")) == (0, b"x")
        connection, answer = socks(port, "no-such-host.invalid", 1)
        connection.close()
        assert answer != 0
        client.kill()  # it keeps a connection of which it has said that it failed


def test_a_unix_socket_inside(ssh: Client, inside: Path, tmp_path: Path) -> None:
    with echo(str(inside / "s"), socket.AF_UNIX), running(ssh, "-L", f"{tmp_path}/here:{inside}/s") as client:
        connection = socket.socket(socket.AF_UNIX)
        until(lambda: client.poll() is not None or connection.connect_ex(str(tmp_path / "here")) == 0, within=20)
        assert sent_back(connection, DATA) == DATA


def test_many_connections_through_one(ssh: Client) -> None:
    port = free_port()
    with echo(("127.0.0.1", 0)) as server, running(ssh, "-L", f"{port}:localhost:{server.getsockname()[1]}") as client:
        until_it_answers(port, client)
        ends = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for number, end in enumerate(ends):
            end.sendall(bytes([number]) * 10_000)
        assert [sent_back(end, b"!") for end in ends] == [bytes([number]) * 10_000 + b"!" for number in range(50)]


def test_stdio_to_a_port_inside(ssh: Client) -> None:
    with echo(("127.0.0.1", 0)) as server:
        assert ssh("-W", f"localhost:{server.getsockname()[1]}", "HOST", stdin=DATA).stdout == DATA


def test_a_port_inside_that_leads_here(ssh: Client) -> None:
    port = free_port()
    with echo(("127.0.0.1", 0)) as server:
        with running(ssh, "-R", f"{port}:127.0.0.1:{server.getsockname()[1]}") as client:
            until_it_answers(port, client)
            for _ in range(3):
                assert sent_back(socket.create_connection(("127.0.0.1", port)), DATA) == DATA
        until(lambda: is_refused(port))  # the agent hears a moment later that the client has gone


def test_a_port_inside_that_is_to_be_seen_by_all_is_seen_by_loopback_alone(ssh: Client) -> None:
    port = free_port()
    with echo(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        with running(ssh, "-R", f"0.0.0.0:{port}:{target}") as client:
            until_it_answers(port, client)
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            bound = [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]
            assert bound == ["0100007F"]


def test_any_free_port_inside_is_told(ssh: Client) -> None:
    with echo(("127.0.0.1", 0)) as server:
        argv = ("-R", f"0:127.0.0.1:{server.getsockname()[1]}")
        with running(ssh, *argv) as client:
            assert client.stderr is not None
            line = client.stderr.readline()
            assert line.startswith(b"Allocated port "), line
            assert sent_back(socket.create_connection(("127.0.0.1", int(line.split()[2]))), b"x") == b"x"


def test_a_taken_port_inside_is_refused(ssh: Client) -> None:
    with echo(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = ssh("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{port}:127.0.0.1:1", "HOST", status=255)
        assert b"remote port forwarding failed" in done.stderr


def test_a_socket_inside_that_leads_here_is_the_users_alone(ssh: Client, inside: Path, tmp_path: Path) -> None:
    with echo(("127.0.0.1", 0)) as server:
        place = inside / "s"
        with running(ssh, "-R", f"{place}:127.0.0.1:{server.getsockname()[1]}") as client:
            connection = socket.socket(socket.AF_UNIX)
            until(lambda: client.poll() is not None or connection.connect_ex(str(place)) == 0, within=20)
            assert place.stat().st_mode & 0o777 == 0o600
            assert sent_back(connection, DATA) == DATA
        while place.exists():
            time.sleep(0.02)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """An ssh agent of the client's, with one key."""
    require("ssh-agent", "openssh-client")
    path = str(tmp_path / "agent")
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-C", "a key", "-f", str(tmp_path / "key")], check=True)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        add = ["ssh-add", "-q", str(tmp_path / "key")]
        env = {**os.environ, "SSH_AUTH_SOCK": path}
        until(lambda: subprocess.run(add, env=env, stderr=subprocess.DEVNULL).returncode == 0, within=20)
        yield path
    finally:
        process.terminate()
        process.wait()


def test_the_clients_agent_on_request_and_not_else(ssh: Client, agent: str) -> None:
    client = Client(config=ssh.config, host=ssh.host, env={**ssh.env, "SSH_AUTH_SOCK": agent})
    assert client("echo ${SSH_AUTH_SOCK-none}").stdout.decode().strip() in ("none", os.environ.get("SSH_AUTH_SOCK"))
    look = 'ssh-add -l; stat -c %a "$SSH_AUTH_SOCK" "${SSH_AUTH_SOCK%/*}"; echo "$SSH_AUTH_SOCK"'
    done = client("-A", "HOST", look).stdout.decode().splitlines()
    assert "a key" in done[0]
    assert done[1:3] == ["600", "700"]
    while Path(done[3]).parent.exists():  # the agent inside takes it away when the connection ends
        time.sleep(0.02)


SERVER = b"""\
import http.server, os, sys
if os.fork():
    os._exit(0)
os.setsid()
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("port", "w").write(str(server.server_port))
open("pid", "w").write(str(os.getpid()))
null = os.open(os.devnull, os.O_RDWR)
for descriptor in range(3):
    os.dup2(null, descriptor)
server.serve_forever()
"""


def test_what_vs_code_does_at_its_start(ssh: Client, inside: Path) -> None:
    """`ssh -T -D PORT HOST bash`: a script on stdin, which brings a tarball along, starts a server and stays."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("server/serve.py")
        entry.size = len(SERVER)
        tar.addfile(entry, io.BytesIO(SERVER))
        filler = tarfile.TarInfo("server/filler")
        filler.size = len(DATA)
        tar.addfile(filler, io.BytesIO(DATA))
    packed = base64.encodebytes(buffer.getvalue())
    script = b"base64 -d <<'END' | tar -xz\n" + packed + b"END\ncd server && python3 serve.py\n"
    script += b'while [ ! -s port ]; do sleep 0.05; done; echo "listeningOn==$(cat port)=="\n'
    port = free_port()
    client = ssh.start(
        "-T", "-D", f"127.0.0.1:{port}", "HOST", "bash", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    try:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(script)
        line = b""
        while not line.startswith(b"listeningOn"):
            line = client.stdout.readline()
            assert line, "the script has ended"
        target = int(line.split(b"==")[1])
        for name in ("127.0.0.1", "localhost"):
            connection, _ = socks(port, name, target)
            with connection:
                connection.sendall(b"GET /filler HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
                assert answer.endswith(DATA)
    finally:
        client.communicate(timeout=20)
        pid = int((inside / "server" / "pid").read_text())
        os.kill(pid, 0)  # it goes on for the next connection
        os.kill(pid, 9)
