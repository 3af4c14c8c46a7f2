"""A machine of a disk that devbox has not made, from `up` to `destroy`, by the real QEMU and its own loader."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.machine.conftest import inside, machines, processes_of
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.foreign_disk import foreign_disk, foreign_root
from tests.support.project import project
from tests.support.supervisors import gone
from tests.support.tiny_disk import tiny_disk
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]

PROFILE = """runtime = "vm"

[base]
disk = "../x.raw"

[env]
WORD = "a word"

[resources]
memory = "{memory}"
disk = "4 GiB"

[ports.web]
guest = 8000
host = 0
"""
USER = 1000


@pytest.fixture
def devbox() -> Iterator[Devbox]:
    """A project of a user who is not root inside, without its disk."""
    with project(invoker(), owner=USER) as found:
        (found.directory / "devbox.toml").write_text(PROFILE.format(memory="512 MiB"), encoding="utf-8")
        (found.directory / "a.txt").write_text("from the host", encoding="utf-8")
        yield found
        found("destroy", "-f")
        assert gone(found.hash), "a supervisor was left"
        assert not processes_of(found), "QEMU or its line was left"
        assert not list(machines(found)), "the directory of a machine was left"


def test_a_disk_with_a_loader_of_its_own_is_entered_like_any_machine(devbox: Devbox) -> None:
    disk = tiny_disk(devbox.directory.parent / "x.raw", seeded=True)
    before = disk.stat().st_mtime_ns
    said = devbox("up", status=2)
    assert "devbox trust" in said.stderr
    devbox("trust", "-y")
    devbox("up")
    assert inside(devbox, "cat a.txt; echo; echo $WORD; id -u; cat /proc/cmdline").split("\n")[:3] == [
        "from the host",
        "a word",
        str(USER),
    ]
    assert "seeded" in inside(devbox, "cat /proc/cmdline"), "the disk's own loader has started it"
    inside(devbox, "echo from inside > b.txt")
    devbox("suspend")
    devbox("resume")
    assert (devbox.directory / "b.txt").read_text(encoding="utf-8") == "from inside\n"
    assert inside(devbox, "ls") == "a.txt\nb.txt\ndevbox.toml"
    assert devbox("lock", "--check", status=1).stderr.startswith("error[lock-stale]")
    devbox("halt")
    assert disk.stat().st_mtime_ns == before, "nothing writes to somebody else's file"


@pytest.mark.nightly
def test_several_of_one_disk_find_each_other_by_name(devbox: Devbox) -> None:
    tiny_disk(devbox.directory.parent / "x.raw", seeded=True)
    text = PROFILE.format(memory="256 MiB") + "[machines.worker]\n"
    (devbox.directory / "devbox.toml").write_text(text, encoding="utf-8")
    devbox("trust", "-y")
    said = devbox("up").stderr
    assert "does not find the other machines" not in said
    ping = ("-u", "root", "--", "ping", "-c", "1", "-w", "20")
    assert "1 packets received" in devbox("exec", *ping, "worker").stdout
    assert "1 packets received" in devbox("exec", "-m", "worker", *ping, "default").stdout
    devbox("halt")
    devbox("up")
    assert "1 packets received" in devbox("exec", *ping, "worker").stdout


@pytest.mark.nightly
def test_a_system_that_takes_no_seed_is_left_to_a_person_at_its_serial_console(devbox: Devbox) -> None:
    """It needs UEFI, and knows neither cloud-init nor ssh."""
    tiny_disk(devbox.directory.parent / "x.raw", seeded=False, uefi=True)
    devbox("trust", "-y")
    said = devbox("up", status=3)
    assert "error[machine-unattached]" in said.stderr
    assert "devbox shell" in said.stderr
    assert devbox("exec", "--", "true", status=None).returncode != 0
    assert "serial-42" in devbox("shell", given="echo serial-$((6 * 7)); ls /sys/firmware\n").stdout
    assert devbox("status").stdout.count("running")
    devbox("shell", given="mount -t iso9660 /dev/vdc /mnt && sh /mnt/devbox/seed\n")
    devbox("up")
    assert inside(devbox, "cat a.txt; ls -d /sys/firmware/efi") == "from the host/sys/firmware/efi"


@pytest.mark.nightly
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_a_cloud_image_is_told_who_it_is_and_stays_that(
    devbox: Devbox, firmware: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.getbasetemp().parent / "foreign disks"
    (devbox.directory / "devbox.toml").write_text(PROFILE.format(memory="1 GiB"), encoding="utf-8")
    by = {"bios": firmware == "bios", "uefi": firmware == "uefi"}
    foreign_disk(foreign_root(cache), Path(devbox.directory.parent / "x.raw"), **by)
    devbox("trust", "-y")
    devbox("up")
    assert inside(devbox, "cloud-init status --wait > /dev/null; cloud-init status") == "status: done"
    assert inside(devbox, "hostname; id -un; sudo -n id -u; . /etc/os-release; echo $ID") == "a-project\ndev\n0\ndebian"
    assert inside(devbox, "ls -d /sys/firmware/efi || true") == ("" if firmware == "bios" else "/sys/firmware/efi")
    key = inside(devbox, "ssh-keyscan -t ed25519 127.0.0.1 2> /dev/null | cut -d' ' -f3")
    (machine,) = machines(devbox)
    assert (machine / "ssh_host_key.pub").read_text(encoding="utf-8").split()[1] == key
    devbox("halt")
    devbox("up")
    assert inside(devbox, "cat a.txt") == "from the host"
    unit = ("exec", "--", "systemctl", "is-active", "devbox-agent")
    # Its agent answers before there is a bus, on a busy host by minutes.
    until(lambda: devbox(*unit, status=None).stdout == "active\n", within=300)


@pytest.mark.nightly
def test_a_system_without_cloud_init_is_entered_by_its_sshd_once_and_by_the_agent_from_then_on(
    devbox: Devbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.getbasetemp().parent / "foreign disks"
    (devbox.directory / "devbox.toml").write_text(PROFILE.format(memory="1 GiB"), encoding="utf-8")
    foreign_disk(foreign_root(cache, seeded=False), Path(devbox.directory.parent / "x.raw"), uefi=False)
    devbox("trust", "-y")
    devbox("up")
    (machine,) = machines(devbox)
    assert (machine / "known_hosts").read_text(encoding="utf-8").startswith("devbox-"), "it came by ssh"
    assert inside(devbox, "command -v cloud-init; cat a.txt; echo; id -u; echo $WORD; hostname").split("\n") == [
        "from the host",
        str(USER),
        "a word",
        "by-hand",
    ]
    inside(devbox, "echo from inside > b.txt")
    devbox("sync", "flush")
    assert (devbox.directory / "b.txt").read_text(encoding="utf-8") == "from inside\n"
    assert "42" in devbox("shell", given="echo $((6 * 7))\n").stdout
    devbox("halt")
    devbox("up")
    assert inside(devbox, "cat b.txt") == "from inside"
    (qemu,) = processes_of(devbox, "qemu-system")
    assert b"authorized_keys" not in Path(f"/proc/{qemu}/cmdline").read_bytes(), "nobody is let in by ssh any more"
