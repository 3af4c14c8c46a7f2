"""What makes a machine of a container: which packages, which settings, and where in the recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.build.compose import compose
from devbox.build.manifests import read_inputs
from devbox.build.recipe import Recipe
from devbox.build.steps.vm import ANSWER, Init, packages, vm_steps, without_gone
from devbox.errors import BaseImageError
from devbox.profile.lock import Answer, Group, Platform
from tests.support.build import ALPINE, DEBIAN, DEV, FEDORA, answered, profile, recipe

ROW = f"'archive://any/debian/pool/main/s/systemd/systemd_252_amd64.deb' systemd_252_amd64.deb 1 SHA256:{'1' * 64}"
ANSWERS = {ANSWER: ("1700000000", ROW)}
ASKED: dict[str, Any] = {
    "packages": {"system": ["less"]},
    "env": {"A": "1"},
    "provision": [{"name": "setup", "run": "make", "when": "build"}],
}


@pytest.mark.parametrize(
    ("distribution", "architecture", "kernel"),
    [
        ("debian", "amd64", "linux-image-cloud-amd64"),
        ("debian", "arm64", "linux-image-cloud-arm64"),
        ("debian", "riscv64", "linux-image-riscv64"),
        ("ubuntu", "amd64", "linux-image-virtual"),
    ],
)
def test_the_kernel_is_the_smallest_there_is(distribution: str, architecture: str, kernel: str) -> None:
    base = replace(DEBIAN, distribution=distribution, architecture=architecture)
    assert packages(base, "minimal") == tuple(sorted(("e2fsprogs", kernel)))
    assert kernel in packages(base, "full")
    assert {"systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "e2fsprogs"} < set(packages(base, "trimmed"))


@pytest.mark.parametrize("base", [ALPINE, FEDORA])
def test_another_family_is_refused_in_words(tmp_path: Path, base: Any) -> None:
    with pytest.raises(BaseImageError, match="cannot become a virtual machine") as caught:
        recipe(tmp_path, base=base, runtime="vm", user=replace(DEV, shell="sh"))
    assert caught.value.problems[0].key == "runtime"
    assert "debian:12" in str(caught.value.hint)


def test_a_base_without_a_shell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseImageError) as caught:
        recipe(tmp_path, base=replace(DEBIAN, shell=False), runtime="vm")
    assert [problem.key for problem in caught.value.problems] == ["runtime"]


def test_the_machine_stands_on_the_container(tmp_path: Path) -> None:
    container = recipe(tmp_path, **ASKED)
    machine = recipe(tmp_path, answers=ANSWERS, runtime="vm", **ASKED)
    count = len(container.steps)
    assert machine.steps[:count] == container.steps
    assert [step.name for step in machine.steps[count:]] == ["the machine's packages", "the machine's system"]
    assert replace(machine.lock, answers={}) == container.lock
    assert machine.variables == container.variables
    assert machine.env == container.env


def test_what_is_not_known_is_asked_last(tmp_path: Path) -> None:
    asked = profile(runtime="vm", **ASKED)
    inputs = read_inputs(asked, tmp_path)

    def plan(lock: Platform) -> Recipe:
        return compose(asked, base=DEBIAN, inputs=inputs, user=DEV, project_name="shop", lock=lock)

    first = plan(Platform())
    assert first.open is not None
    assert first.open.key == "system"
    second = plan(answered(first))
    assert second.open is not None
    assert (second.open.key, second.pending) == (ANSWER, None)
    assert [step.name for step in second.steps] == [step.name for step in recipe(tmp_path, **ASKED).steps]
    done = plan(answered(second, *ANSWERS[ANSWER]))
    assert done.open is None
    assert ROW.split()[1] in done.steps[-2].script
    other = plan(replace(answered(second, "0"), answers={ANSWER: Answer(asked="0" * 64, lines=("0",))}))
    assert other.open is not None, "an answer to another question is none"


def test_the_question_does_not_say_which_mirror_was_asked(tmp_path: Path) -> None:
    asked = profile(runtime="vm")
    made = compose(asked, base=DEBIAN, inputs=read_inputs(asked, tmp_path), user=DEV, project_name="shop")
    assert made.open is not None
    assert "archive://any/" in made.open.script


def test_the_container_is_asked_what_it_always_was(tmp_path: Path) -> None:
    asked = profile(**ASKED)
    made = compose(asked, base=DEBIAN, inputs=read_inputs(asked, tmp_path), user=DEV, project_name="shop")
    assert made.open is not None
    assert 'sed "s/%2b/+/g; s/%7e/~/g" >&3' in made.open.script


def script(init: Init) -> str:
    installed, system = vm_steps(DEBIAN, init, Group())
    assert "export INITRD=No" in installed.script
    assert not system.network
    return system.script


def test_a_full_system_has_the_agent_early_and_nothing_taken_away() -> None:
    made = script("full")
    assert "ExecStart=/run/devbox/agent machine" in made
    assert "sysinit.target.wants/devbox-agent.service" in made
    assert "systemd-udev-trigger" not in made


def test_a_trimmed_one_lacks_what_is_named() -> None:
    assert "ln -sf /dev/null /etc/systemd/system/systemd-udev-trigger.service" in script("trimmed")
    assert "ln -sf /dev/null /etc/systemd/system-generators/systemd-gpt-auto-generator" in script("trimmed")
    assert "ExecStart=/run/devbox/agent machine" in script("trimmed")


def test_a_minimal_one_has_no_system_but_the_agent() -> None:
    assert "systemd" not in script("minimal")


def test_an_answer_with_a_package_that_is_gone_is_forgotten() -> None:
    lock = Platform(
        answers={ANSWER: Answer(asked="", lines=ANSWERS[ANSWER]), "node.toolchain": Answer(asked="", lines=())}
    )
    assert without_gone(lock, frozenset({"less"})) == lock
    assert set(without_gone(lock, frozenset({"systemd"})).answers) == {"node.toolchain"}
    assert without_gone(Platform(), frozenset({"systemd"})) == Platform()


def test_an_sshd_comes_without_keys_and_listens_to_nobody(tmp_path: Path) -> None:
    assert "openssh-server" not in packages(DEBIAN, "full")
    assert set(packages(DEBIAN, "full", sshd=True)) - set(packages(DEBIAN, "full")) == {"openssh-server"}
    installed, settings = vm_steps(DEBIAN, "full", Group(asked=("openssh-server",)), sshd=True)
    made = installed.script.index(": > $key")
    assert "ssh_host_ed25519_key" in installed.script[:made]
    assert "ssh_host_*_key' -empty -delete" in settings.script
    assert "multi-user.target.wants/ssh.service" in settings.script


def test_the_steps_of_one_without_an_sshd_stay_what_they_were() -> None:
    group = Group(asked=("systemd",))
    assert not [step for step in vm_steps(DEBIAN, "full", group) if "ssh" in step.script]
