"""What a live share is made of, as values."""

from dataclasses import replace

import pytest

from devbox.errors import MachineError
from devbox.vm.qemu_args import argv
from devbox.vm.share_args import Daemon, daemon_argv, room_argv
from tests.unit.vm.test_qemu_args import SPEC, X86, after

C = Daemon(program="/usr/lib/qemu/virtiofsd", is_rust=False)
RUST = Daemon(program="/usr/libexec/virtiofsd", is_rust=True)
SHARED = replace(SPEC, share="/projects/a, b")


def test_the_memory_is_shared_and_the_socket_is_a_descriptor() -> None:
    words = argv(SHARED, X86, share=7)
    assert '"qom-type": "memory-backend-memfd"' in after(words, "-object")[0]
    assert '"share": true' in after(words, "-object")[0]
    assert "socket,id=share,fd=7" in after(words, "-chardev")
    assert "vhost-user-fs-pci,chardev=share,tag=devbox,queue-size=1024" in after(words, "-device")
    assert not [word for word in words if "/projects" in word]


def test_a_machine_without_a_share_has_none_of_it() -> None:
    assert not [word for word in argv(SPEC, X86) if "memfd" in word or "share" in word]


@pytest.mark.parametrize("change", [{"memory_file": "/state/ram"}, {"incoming": True}])
def test_memory_that_others_start_from_is_shared_with_nobody_else(change: dict[str, object]) -> None:
    with pytest.raises(MachineError, match="shares a directory live"):
        argv(replace(SHARED, **change), X86, share=7)  # type: ignore[arg-type]


def test_a_directory_to_share_is_an_absolute_path() -> None:
    with pytest.raises(MachineError, match="no absolute path"):
        argv(replace(SPEC, share="here"), X86, share=7)


def test_each_daemon_is_told_the_same_in_its_own_words() -> None:
    old = daemon_argv(C, socket=9, directory="/a, b\\c", files=20000)
    new = daemon_argv(RUST, socket=9, directory="/a, b\\c", files=20000)
    assert {"--fd=9", "--rlimit-nofile=20000"} <= set(old) & set(new)
    assert set(after(old, "-o")) >= {r"source=/a\, b\\c", "sandbox=namespace", "cache=auto", "timeout=0.1"}
    assert {"--shared-dir=/a, b\\c", "--sandbox=namespace", "--cache=auto"} <= set(new)
    for words in (old, new):
        (dropped,) = [word.partition("modcaps=")[2] for word in words if "modcaps=" in word]
        assert {"-setuid", "-setgid", "-dac_override", "-chown", "-mknod"} <= set(dropped.split(":"))
        assert not [word for word in words if "socket-path" in word]


def test_it_is_one_user_alone_and_leaves_groups_if_it_has_any() -> None:
    words = room_argv("/usr/bin/unshare", uid=1000, gid=100, grouped=False)
    assert words == ("/usr/bin/unshare", "--user", "--map-user=1000", "--map-group=100", "--keep-caps")
    assert "--map-groups=auto" in room_argv("unshare", uid=1000, gid=100, grouped=True)
