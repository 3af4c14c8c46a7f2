"""A QEMU that boots nothing: a program that says what it is told to and answers at a control socket, as QEMU would.

`FAKE_QEMU` in its environment is JSON: `say` is printed at once; with `exit` it ends with that code, with `sleep` it
does nothing more. `uuid` is answered instead of its own. `deaf` has the commands that it takes and does not carry out;
`killed` is the one at which it is killed, `stands` how often it cannot go on since its second disk is full. What is in
its memory is MEMORY, which it writes to the descriptor that it is given when it is to migrate.
"""

import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENDS = ("quit", "system_powerdown")
MEMORY = b"all that was in memory " * 100
_running = True
_stands = int(json.loads(os.environ.get("FAKE_QEMU", "{}")).get("stands", 0))
_given: list[int] = []  # descriptors


def install(script: Path) -> None:
    """Put it there, under QEMU's name."""
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


def main(words: list[str], told: dict[str, Any]) -> int:
    if "--version" in words:
        sys.stdout.write("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright\n")
        return 0
    sys.stdout.write(told.get("say", "") + "\n")
    sys.stdout.flush()
    if "exit" in told:
        return int(told["exit"])
    if "sleep" in told:
        time.sleep(60)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("qmp.sock")
    listening.listen(1)
    uuid = told.get("uuid", words[words.index("-uuid") + 1])
    while True:
        client, _ = listening.accept()
        with client:
            if not _served(client, uuid, told.get("deaf", []), told.get("killed", "")):
                return 0


def _served(client: socket.socket, uuid: str, deaf: list[str], killed: str) -> bool:
    """Answer one client to its end; return False when this is to end."""
    version = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2+dfsg-7"}
    try:
        _say(client, {"QMP": {"version": version, "capabilities": []}})
        for asked in _messages(client):
            command = asked["execute"]
            if command == killed:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = {"UUID": uuid} if command == "query-uuid" else _carried_out(command, version)
            _say(client, {"return": answer, **({"id": asked["id"]} if "id" in asked else {})})
            if command in ENDS and command not in deaf:
                return False
    except ConnectionError:
        pass
    return True


def _disk(node: str, state: str) -> dict[str, Any]:
    return {"device": "", "io-status": state, "inserted": {"node-name": node, "file": "/dev/fdset/3"}}


def _carried_out(command: str, version: dict[str, Any]) -> object:
    global _running, _stands  # noqa: PLW0603 (it is a program of one machine)
    if command in ("stop", "cont"):
        _running = command == "cont"
        _stands -= _running
    elif command == "inject-nmi":
        sys.stdout.write("Kernel panic - not syncing: NMI\n")
        sys.stdout.flush()
    elif command == "migrate":
        os.write(_given[-1], MEMORY)
    elif command == "query-migrate":
        return {"status": "completed"}
    elif command == "query-status":
        return {"status": "io-error" if _stands > 0 else "running" if _running else "paused"}
    elif command == "query-block":
        return [_disk("disk0", "ok"), _disk("disk1", "nospace" if _stands > 0 else "ok")]
    return version if command == "query-version" else {}


def _messages(client: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield what comes: JSON without any line ends."""
    text = ""
    while True:
        piece, descriptors, _, _ = socket.recv_fds(client, 4096, 8)
        _given.extend(descriptors)
        if not piece:
            return
        text += piece.decode()
        try:
            text = text.lstrip()  # what comes with a descriptor is a space
            message, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            continue
        text = text[end:]
        yield message


def _say(client: socket.socket, message: dict[str, Any]) -> None:
    client.sendall(json.dumps(message).encode() + b"\r\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], json.loads(os.environ.get("FAKE_QEMU", "{}"))))
