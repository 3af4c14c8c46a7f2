import os
import socket
import sys
from pathlib import Path

import pytest

from devbox.runtimes.holder import holder

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def _proc(tmp_path: Path, *, state: str = "0A", name: str = "nginx") -> Path:
    """Make a /proc in which process 12 listens on port 8000."""
    (tmp_path / "net").mkdir()
    row = f"   0: 0100007F:1F40 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
    (tmp_path / "net" / "tcp").write_text(HEAD + row)
    descriptors = tmp_path / "12" / "fd"
    descriptors.mkdir(parents=True)
    (descriptors / "0").symlink_to("/dev/null")
    (descriptors / "3").symlink_to("socket:[4711]")
    (tmp_path / "12" / "comm").write_text(name + "\n")
    (tmp_path / "13").mkdir()  # a process that hides its descriptors
    return tmp_path


def test_a_listener_is_named(tmp_path: Path) -> None:
    assert holder(8000, "tcp", proc=_proc(tmp_path)) == "nginx, pid 12"


def test_the_proxy_of_a_container_stands_for_it(tmp_path: Path) -> None:
    assert holder(8000, "tcp", proc=_proc(tmp_path, name="docker-proxy")) == "another container"


@pytest.mark.parametrize(("port", "protocol"), [(8001, "tcp"), (8000, "udp")])
def test_another_port_is_nobodys(tmp_path: Path, port: int, protocol: str) -> None:
    assert holder(port, protocol, proc=_proc(tmp_path)) is None


def test_a_connection_from_that_port_is_no_listener(tmp_path: Path) -> None:
    assert holder(8000, "tcp", proc=_proc(tmp_path, state="01")) is None


def test_where_there_is_no_proc_nobody_is_known(tmp_path: Path) -> None:
    assert holder(8000, "tcp", proc=tmp_path / "none") is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not possible here: there is no /proc")
def test_the_real_proc_is_read() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = holder(listener.getsockname()[1], "tcp")
    assert found is not None
    assert found.endswith(f", pid {os.getpid()}")


def test_a_supervisor_holds_it_for_another_environment(tmp_path: Path) -> None:
    proc = _proc(tmp_path)
    (proc / "12" / "cmdline").write_bytes(b"python3\0-I\0-S\0/x/devbox/supervisor/__main__.py\x0012345678\0")
    assert holder(8000, "tcp", proc=proc) == "another environment"
