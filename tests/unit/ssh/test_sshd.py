"""What starts a real sshd inside for one connection."""

import subprocess
from pathlib import Path

from devbox.ssh.sshd import Keys, start

KEYS = Keys(host="PRIVATE\n", client="ssh-ed25519 PUBLIC\n")


def test_no_key_is_among_the_words_of_the_command() -> None:
    argv, first = start(KEYS, ("dev", "root"))
    assert not [word for word in argv if "PRIVATE" in word or "PUBLIC" in word]
    sizes = [int(size) for size in argv[-3:]]
    assert sum(sizes) == len(first)
    assert first.startswith(b"PRIVATE\nssh-ed25519 PUBLIC\n")
    assert sizes[:2] == [8, 19]


def test_nobody_comes_in_by_a_password_and_nothing_is_forwarded_but_a_port_inside() -> None:
    _, first = start(KEYS, ("dev", "root"))
    settings = dict(line.split(" ", 1) for line in first.decode().splitlines()[2:])
    for name in ("PasswordAuthentication", "KbdInteractiveAuthentication", "HostbasedAuthentication"):
        assert settings[name] == "no"
    for name in ("AllowAgentForwarding", "PermitTunnel", "X11Forwarding"):
        assert settings[name] == "no"
    assert settings["AuthenticationMethods"] == "publickey"
    assert settings["PermitRootLogin"] == "prohibit-password"
    assert settings["AllowTcpForwarding"] == "local"
    assert settings["AllowUsers"] == "dev root"


def test_what_follows_the_keys_is_for_sshd_to_the_byte_and_every_variable_is_one_setting(tmp_path: Path) -> None:
    """By a program in sshd's place that says what it is given."""
    sshd = tmp_path / "sshd"
    sshd.write_text(f"#!/bin/sh\ncat {tmp_path}/place/host_key {tmp_path}/place/settings; echo ==; cat\n")
    sshd.chmod(0o755)
    (shell, option, script, *rest), first = start(KEYS, ("dev",))
    script = script.replace("/usr/sbin/sshd", str(sshd)).replace("/run/devbox-sshd", f"{tmp_path}/place")
    script = script.replace("/run/sshd", f"{tmp_path}/run")
    variables = {"PATH": "/usr/bin:/bin", "WORD": 'a "b" \\c\nd', "HOME": "/root"}
    done = subprocess.run([shell, option, script, *rest], input=first + b"SSH-2.0", capture_output=True, env=variables)
    said, _, left = done.stdout.decode().partition("==\n")
    assert (done.returncode, left) == (0, "SSH-2.0"), done.stderr
    assert said.startswith("PRIVATE\nHostKey ")
    (line,) = [line for line in said.splitlines() if line.startswith("SetEnv ")]
    assert '"WORD=a \\"b\\" \\\\c d"' in line
    assert "HOME" not in line
    assert (tmp_path / "place" / "host_key").stat().st_mode & 0o777 == 0o600


def test_without_an_sshd_it_is_said_by_the_exit_code() -> None:
    argv, first = start(KEYS, ("dev",))
    script = argv[2].replace("/usr/sbin/sshd", "/no/such/sshd")
    assert subprocess.run([*argv[:2], script, *argv[3:]], input=first, capture_output=True).returncode == 127
