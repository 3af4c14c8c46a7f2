"""What is kept of a machine, what its initial RAM disk is told, and what is done inside it."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.runtimes.base import AgentSpec, DataVolume, InstanceSpec, MachineOptions, Share
from devbox.runtimes.vm import boot, inner, stored
from devbox.values import LABEL_AGENT, LABEL_IMAGE, LABEL_SPEC, LABEL_WORKSPACE, GuestUser
from devbox.vm import qemu
from devbox.vm.images import MachineImage
from devbox.vm.machine import Machine
from tests.fakes.processes import FakeProcesses

AGENT = AgentSpec(build="0123456789abcdef", protocol=1, program="/state/agent", directory="/state/s/agent")
SPEC = InstanceSpec(
    name="devbox-shop-0123abcd",
    image="sha256:1",
    hostname="shop",
    user=GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev", shell="/bin/sh"),
    workdir="/workspaces/shop",
    agent=AGENT,
    env=(("WORD", "a word"), ("LANG", "C.UTF-8")),
    shares=(Share(source="/ca.pem", target="/etc/ca.pem", read_only=True, file=True),),
    volumes=(
        DataVolume(name="shop-workspace", target="/workspaces/shop", labels=(("a", "b"),), bare=True),
        DataVolume(name="shop-cache", target="/home/dev/.cache", labels=()),
    ),
    labels=((LABEL_WORKSPACE, "0123abcd"),),
    machine=MachineOptions(disk=5 << 30),
)


def made(spec: InstanceSpec = SPEC) -> stored.Stored:
    assert spec.machine is not None
    return stored.from_spec(spec, spec.machine, uuid="u", env={"PATH": "/bin", "LANG": "C"})


def test_what_is_kept_is_read_as_it_was(tmp_path: Path) -> None:
    stored.write(tmp_path, made())
    assert stored.read(tmp_path) == made()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 2}', '{"schema": 1, "id": 3}', "\0"])
def test_what_cannot_be_used_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / stored.FILE).write_text(text, encoding="utf-8")
    assert stored.read(tmp_path) is None


def test_it_is_labelled_as_a_container_would_be() -> None:
    assert made().labels == {
        LABEL_WORKSPACE: "0123abcd",
        LABEL_SPEC: SPEC.digest,
        LABEL_AGENT: AGENT.build,
        LABEL_IMAGE: "sha256:1",
    }


def test_the_spec_goes_before_the_image_in_its_variables() -> None:
    assert dict(made().env) == {"PATH": "/bin", "LANG": "C.UTF-8", "WORD": "a word"}


def test_a_machine_has_another_digest_than_a_container_and_than_another_machine() -> None:
    other = replace(SPEC, machine=MachineOptions(init="minimal"))
    assert len({replace(SPEC, machine=None).digest, SPEC.digest, other.digest}) == 3


def test_one_with_a_larger_disk_is_the_same_machine() -> None:
    larger = [replace(SPEC, machine=MachineOptions(disk=size << 30)) for size in (6, 60)]
    assert {one.digest for one in larger} == {replace(SPEC, machine=MachineOptions()).digest}


@pytest.mark.parametrize(("init", "expected"), [("full", "/sbin/init"), ("minimal", "agent")])
def test_the_initial_ram_disk_is_told_who_it_is(init: str, expected: str) -> None:
    told = boot.identity(made(replace(SPEC, machine=MachineOptions(init=init))), now=1_700_000_000)
    assert (told.init, told.hostname, told.epoch) == (expected, "shop", 1_700_000_000)
    assert dict(told.environment) == {"LANG": "C.UTF-8", "PATH": "/bin", "WORD": "a word"}


def command_line(tmp_path: Path, parameters: str = "") -> str:
    image = MachineImage(
        kernel=tmp_path / "kernel",
        modules=tmp_path / "modules",
        disk=tmp_path / "disk",
        content="",
        release="6.1",
        parameters=parameters,
    )
    return boot.spec_of(made(), Machine(tmp_path, FakeProcesses()), tmp_path, image, tmp_path / "data").command_line


def test_its_kernel_does_not_count_ticks_to_find_out_whether_its_timer_works(tmp_path: Path) -> None:
    """A busy host may let the emulated timer wait for longer than the kernel does, which then panics."""
    assert "no_timer_check" in command_line(tmp_path).split()


@pytest.mark.parametrize("parameters", ["", "apparmor=0"])
def test_its_kernel_is_told_what_the_image_wants(tmp_path: Path, parameters: str) -> None:
    board = boot.command_line(qemu.architecture()).split(" ")
    assert command_line(tmp_path, parameters).split(" ") == board + parameters.split()


@pytest.mark.parametrize(("kind", "console"), [("x86_64", "ttyS0"), ("aarch64", "ttyAMA0")])
def test_its_kernel_speaks_where_the_board_of_its_architecture_is_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, console: str
) -> None:
    monkeypatch.setattr(qemu, "architecture", lambda: kind)
    words = command_line(tmp_path).split()
    assert [word for word in words if word.startswith("console=")] == [f"console={console}"]
    assert ("no_timer_check" in words) == (kind == "x86_64"), "elsewhere it would be a word for init"


def test_outer_places_come_before_those_below_them() -> None:
    nested = DataVolume(name="modules", target="/workspaces/shop/node_modules", labels=(), bare=True)
    facts = inner.placed((nested, *SPEC.volumes))
    assert [kind for kind, _ in facts] == ["data", *["volume"] * (1 + len(SPEC.volumes))]
    places = [value.split(b"\0")[1:] for kind, value in facts if kind == "volume"]
    assert places[0] == [b"/workspaces/shop", b"bare"]
    assert [b"/workspaces/shop/node_modules", b"bare"] in places[1:]


def test_what_nobody_has_in_place_is_taken_over_by_its_place() -> None:
    nested = DataVolume(name="modules", target="/workspaces/shop/node_modules", labels=(), bare=True)
    volumes = (nested, *SPEC.volumes)
    before, after = ({one.target: (one.name, one.bare) for one in some} for some in (inner.nobodys(volumes), volumes))
    facts = inner.taken_over(volumes, inner.places(volumes))
    names = dict(value.decode().split("\0") for kind, value in facts if kind == "renamed")
    assert {kind for kind, _ in facts} == {"renamed"}
    assert {place: (names[name], bare) for place, (name, bare) in before.items()} == after
    assert len(names) == len(volumes)


def test_what_nobody_had_elsewhere_is_left_from_below_and_whoever_differs_only_by_that_goes_on_from_it() -> None:
    def shop(name: str, *, bare: bool = True) -> tuple[DataVolume, ...]:
        places = (f"/workspaces/{name}/node_modules", f"/workspaces/{name}")
        return tuple(DataVolume(name="n", target=one, labels=(), bare=bare) for one in places)

    one, other = shop("one"), shop("other")
    assert inner.like(one) == inner.like(other)
    assert inner.like(one) != inner.like(shop("one", bare=False))
    left = [value for kind, value in inner.taken_over(other, inner.places(one)) if kind == "left"]
    assert left == [b"/workspaces/one/node_modules", b"/workspaces/one"]


def test_each_fact_is_told_with_its_size_so_that_any_bytes_may_be_in_it() -> None:
    assert inner.told([("file", b"/a\0b\0"), ("time", b"1")]) == b"file\x005\0/a\0b\0\0time\x001\x001\0"


def test_who_it_is_is_what_a_boot_would_have_told_it() -> None:
    told = boot.identity(made(SPEC), now=1_700_000_000)
    facts = dict(inner.named(told, machine_id="ab" * 16, mac="one other"))
    assert facts["hosts"].decode().splitlines()[-1] == f"10.0.2.15\t{told.hostname}"
    assert (facts["hostname"], facts["hostname.line"]) == (b"shop", b"shop\n")
    assert facts["environment"] == b"LANG=C.UTF-8\0PATH=/bin\0WORD=a word\0"
    assert (facts["identity"], facts["machine-id"]) == (SPEC.digest.encode(), b"ab" * 16)


@pytest.mark.parametrize(("wanted", "given"), [(0.5, 1), (1.0, 1), (1.5, 2), (4, 4)])
def test_a_machine_has_whole_processors_and_one_at_least(wanted: float, given: int) -> None:
    assert boot.cpus(wanted) == given
    assert boot.cpus(None) in (1, boot.CPUS)


def test_who_the_user_is_in_a_system_of_somebody_elses_is_kept(tmp_path: Path) -> None:
    assert made().user is None
    foreign = replace(SPEC, machine=MachineOptions(disk=5 << 30, base="/x.qcow2"))
    assert foreign.digest != SPEC.digest
    stored.write(tmp_path, made(foreign))
    assert stored.read(tmp_path) == made(foreign)
    assert made(foreign).user == SPEC.user
