"""`vm.sshd`: OpenSSH at both ends, by the entry that `devbox ssh-config` prints."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox import paths
from tests.integration.machine.conftest import PROFILE, inside, machines, state
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.ssh_client import Client, require

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.nightly]
WITH_SSHD = PROFILE.replace('["python3-minimal"]', '["rsync"]') + "\n[vm]\nsshd = true\n"


@pytest.fixture(scope="module")
def machine() -> Iterator[Devbox]:
    """A project whose machine runs and has a real sshd."""
    require("ssh", "openssh-client")
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(WITH_SSHD, encoding="utf-8")
        found("up")
        yield found
        found("destroy", "-f")


@pytest.fixture(scope="module")
def ssh(machine: Devbox, tmp_path_factory: pytest.TempPathFactory) -> Client:
    entry = tmp_path_factory.mktemp("ssh") / "entry"
    entry.write_text(machine("ssh-config", "--host", "shop").stdout)
    return Client(config=entry, host="shop", env=machine.environment)


def test_ssh_scp_and_rsync_end_in_openssh_with_the_variables_of_every_process(
    machine: Devbox, ssh: Client, tmp_path: Path
) -> None:
    said = ssh("-v", "HOST", 'echo "$WORD"; id -un; exit 7', status=7, timeout=120)
    assert b"remote software version OpenSSH" in said.stderr
    assert said.stdout.decode().splitlines() == ["a word", inside(machine, "id -un")]
    assert ssh("true", timeout=120).stderr == b""
    (tmp_path / "there").write_text("by scp")
    ssh.run(ssh.argv("-q", str(tmp_path / "there"), "shop:there", program="scp"), timeout=120)
    ssh.run(["rsync", "-e", f"ssh -F {ssh.config}", "shop:there", str(tmp_path / "back")], timeout=120)
    assert (tmp_path / "back").read_text() == "by scp"


def test_without_the_key_nobody_comes_in_and_nobody_else_is_taken_for_the_machine(
    machine: Devbox, ssh: Client, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    own = state(machine) / "s" / machine.hash / "ssh" / "client_key"
    (tmp_path / "entry").write_text(ssh.config.read_text().replace(str(own), str(tmp_path / "other")))
    stranger = Client(config=tmp_path / "entry", host="shop", env=machine.environment)
    refused = stranger("-o", "PreferredAuthentications=password,publickey", "HOST", "true", status=255, timeout=120)
    assert b"Permission denied (publickey)" in refused.stderr
    key = (tmp_path / "other.pub").read_text().split()
    alias = ssh.config.read_text().split("HostKeyAlias ")[1].split()[0]
    (tmp_path / "known").write_text(f"{alias} {key[0]} {key[1]}\n")
    other = ssh("-o", f"UserKnownHostsFile={tmp_path / 'known'}", "HOST", "true", status=255, timeout=120)
    assert b"Host key verification failed" in other.stderr


def test_nothing_listens_and_no_key_is_in_the_image(machine: Devbox) -> None:
    assert inside(machine, "ls /etc/ssh | grep -c host_ || true") == "0"
    listening = inside(machine, "cat /proc/net/tcp /proc/net/tcp6 | grep -ci ':0016 .* 0A ' || true")
    assert listening == "0"
    (place,) = [Path(path) for path in (state(machine) / "s" / machine.hash / "ssh",)]
    assert {path.stat().st_mode & 0o077 for path in place.iterdir() if not path.name.endswith("known_hosts")} == {0}
    key = (place / "sshd_host_key").read_bytes().splitlines()[1]
    kept = [*next(machines(machine)).rglob(paths.MACHINE_DISK)]
    assert kept
    assert not [disk for disk in kept if key in disk.read_bytes()]
