"""What a system that devbox has not made is told: by cloud-init, and by the files beside it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from devbox.values import GuestUser
from devbox.vm import seed as module
from devbox.vm.keys import Keys
from devbox.vm.seed import SERIAL, Seed, disk

SEED = Seed(
    instance="11111111-2222-3333-4444-5555556677aa",
    hostname="shop",
    user=GuestUser(name="dev", uid=1000, gid=1001, home="/home/dev's"),
    identity="ab" * 32,
    environment={"WORD": "a word", "PATH_TO": "/x"},
    mac="52:54:00:66:77:aa",
    program=b"\x7fELF",
    keys=Keys(host="the private key", host_public="ssh-ed25519 HOST", public="ssh-ed25519 CLIENT"),
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the files of a seed, by their names."""
    found: dict[str, bytes] = {}

    def image(label: str, files: Mapping[str, bytes]) -> bytes:
        assert label == "cidata"
        found.clear()
        found.update(files)
        return b"disk"

    monkeypatch.setattr(module, "image", image)

    def files(seed: Seed) -> dict[str, bytes]:
        assert disk(seed) == b"disk"
        return found

    return files


def test_the_machine_is_known_by_its_own_name_and_address(told: Any) -> None:
    files = told(SEED)
    assert json.loads(files["meta-data"]) == {"instance-id": SEED.instance, "local-hostname": "shop"}
    network = json.loads(files["network-config"])
    assert network["version"] == 2
    (wire,) = network["ethernets"].values()
    assert wire["match"] == {"macaddress": SEED.mac}
    assert wire["addresses"] == ["10.0.2.15/24"]
    assert "dhcp4" not in wire


def test_the_user_has_keys_and_no_password_and_the_machine_the_key_that_it_is_known_by(told: Any) -> None:
    head, _, rest = told(SEED)["user-data"].decode().partition("\n")
    assert head == "#cloud-config"
    said = json.loads(rest)
    assert said["ssh_pwauth"] is False
    assert said["ssh_keys"] == {"ed25519_private": "the private key\n", "ed25519_public": "ssh-ed25519 HOST"}
    (user,) = said["users"]
    assert (user["name"], user["lock_passwd"], user["ssh_authorized_keys"]) == ("dev", True, ["ssh-ed25519 CLIENT"])
    assert said["disable_root"] is True


def test_where_the_user_is_root_nobody_else_is_made(told: Any) -> None:
    root = GuestUser(name="root", uid=0, gid=0, home="/root")
    said = json.loads(told(replace(SEED, user=root))["user-data"].partition(b"\n")[2])
    assert said["disable_root"] is False
    assert said["users"] == [{"name": "root", "ssh_authorized_keys": ["ssh-ed25519 CLIENT"], "lock_passwd": True}]


def test_the_agent_comes_with_what_it_is_told_and_with_a_path(told: Any) -> None:
    files = told(SEED)
    assert files["devbox/agent"] == b"\x7fELF"
    assert files["devbox/boot/identity"] == SEED.identity.encode()
    environment = dict(pair.split("=", 1) for pair in files["devbox/boot/environment"].decode().split("\0")[:-1])
    assert environment["WORD"] == "a word"
    assert "/usr/bin" in environment["PATH"].split(":")
    own = told(replace(SEED, environment={"PATH": "/own"}))["devbox/boot/environment"]
    assert b"PATH=/own\0" in own


def test_what_a_shell_reads_is_quoted(told: Any) -> None:
    assert told(SEED)["devbox/user"].decode().splitlines() == [
        "uid=1000", "gid=1001", "name=dev", """home='/home/dev'"'"'s'""",
    ]  # fmt: skip


def test_the_first_boot_and_the_later_ones_look_for_the_same_disk(told: Any) -> None:
    files = told(SEED)
    (command,) = json.loads(files["user-data"].partition(b"\n")[2])["bootcmd"]
    assert command[:2] == ["/bin/sh", "-c"]
    assert command[2] == files["devbox/seed"].decode()
    assert SERIAL in command[2]
    assert b"ExecStartPre=/bin/sh /etc/devbox/seed placed\n" in files["devbox/unit"]


def test_one_of_several_is_known_to_the_others_by_an_address_of_its_own(told: Any) -> None:
    wires = json.loads(told(replace(SEED, private="198.19.1.2/16"))["network-config"])["ethernets"]
    assert wires["private"]["addresses"] == ["198.19.1.2/16"]
    assert wires["private"]["match"] == {"macaddress": "52:54:c6:13:01:02"}
    assert "routes" not in wires["private"], "it leads nowhere else"
    assert list(json.loads(told(SEED)["network-config"])["ethernets"]) == ["devbox"]
