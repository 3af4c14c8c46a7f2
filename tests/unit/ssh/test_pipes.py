import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from io import FileIO
from pathlib import Path

import pytest

from devbox.ssh.pipes import joined

DATA = bytes(range(256)) * 8192  # 2 MiB, more than all buffers on the way


class Ends:
    """Both ends of a pipe, each closed once."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.read, self.write = FileIO(read, "rb"), FileIO(write, "wb")

    def close(self) -> None:
        self.read.close()
        self.write.close()


@pytest.fixture
def to_us() -> Iterator[Ends]:
    with closing(Ends()) as ends:
        yield ends


@pytest.fixture
def to_client() -> Iterator[Ends]:
    with closing(Ends()) as ends:
        yield ends


def received(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = end.recv(65536)
        if not piece:
            break
        data += piece
    return data


def sent(file: FileIO) -> None:
    view = memoryview(DATA)
    while view:
        view = view[file.write(view) :]


@pytest.mark.parametrize("blocking", [True, False])
def test_every_byte_goes_both_ways_the_last_one_before_the_end(to_us: Ends, to_client: Ends, blocking: bool) -> None:
    os.set_blocking(to_us.read.fileno(), blocking)
    os.set_blocking(to_client.write.fileno(), blocking)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(to_client.read.readall()))
    writer = threading.Thread(target=sent, args=(to_us.write,))
    reader.start()
    with joined(to_us.read.fileno(), to_client.write.fileno()) as end:
        writer.start()
        assert received(end, len(DATA)) == DATA
        writer.join()
        to_us.write.close()
        assert end.recv(1) == b""  # the client has gone
        end.sendall(DATA)
    to_client.write.close()
    reader.join()
    assert got == [DATA]


def test_a_client_that_reads_no_more_ends_the_socket(to_us: Ends, to_client: Ends) -> None:
    to_client.read.close()
    with joined(to_us.read.fileno(), to_client.write.fileno()) as end:
        end.sendall(b"x")
        assert end.recv(1) == b""
        to_us.write.close()


def test_files_are_as_good_as_pipes(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(DATA)
    with (
        (tmp_path / "in").open("rb") as source,
        (tmp_path / "out").open("wb") as target,
        joined(source.fileno(), target.fileno()) as end,
    ):
        assert received(end, len(DATA)) == DATA
        end.sendall(DATA)
    assert (tmp_path / "out").read_bytes() == DATA
