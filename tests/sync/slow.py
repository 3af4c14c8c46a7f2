"""`python -m tests.sync.slow HOST PORT SOCKET DELAY`: carries connections to a unix socket, each byte `DELAY` s late.

It stands for the length of a line, where the kernel cannot (netem); that the line is narrow and loses packets is done
by the kernel (tbf, iptables), see `tests.sync.line`.
"""

import queue
import socket
import sys
import threading
import time

_PIECE = 65536
_Late = queue.SimpleQueue[tuple[float, bytes]]


def _take(source: socket.socket, late: _Late, delay: float) -> None:
    while True:
        try:
            data = source.recv(_PIECE)
        except OSError:
            data = b""
        late.put((time.monotonic() + delay, data))
        if not data:
            return


def _give(target: socket.socket, late: _Late) -> None:
    while True:
        at, data = late.get()
        time.sleep(max(0.0, at - time.monotonic()))
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:
            return


def _carry(one: socket.socket, path: str, delay: float) -> None:
    other = socket.socket(socket.AF_UNIX)
    with one, other:
        other.connect(path)
        threads = []
        for source, target in ((one, other), (other, one)):
            late: _Late = queue.SimpleQueue()
            threads += [
                threading.Thread(target=_take, args=(source, late, delay), daemon=True),
                threading.Thread(target=_give, args=(target, late), daemon=True),
            ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main() -> None:
    host, port, path, delay = sys.argv[1:]
    server = socket.create_server((host, int(port)))
    sys.stdout.write("listens\n")
    sys.stdout.flush()
    while True:
        one, _ = server.accept()
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_carry, args=(one, path, float(delay)), daemon=True).start()


if __name__ == "__main__":
    main()
