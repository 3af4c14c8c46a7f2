"""The scripts of the steps, as values."""

import shlex

import pytest

from devbox.build.steps.provision import interpreter
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.system import system_packages
from devbox.build.steps.user import user_account
from devbox.errors import BaseImageError
from tests.support.build import ALPINE, DEBIAN, DEV, FEDORA, PATH, ROOT, UNKNOWN


def test_apk_adds_from_the_cache_mount_with_bounded_retries() -> None:
    step = system_packages(ALPINE, ["git"])
    assert step is not None
    assert step.caches == ("apk-alpine-3.20-amd64",)
    assert 'until apk add --no-progress --wait 120 --cache-dir "$cache" --update-cache -- git; do' in step.script
    assert '[ "$attempt" -lt 3 ] || exit 1' in step.script


def test_dnf_installs_without_weak_dependencies() -> None:
    step = system_packages(FEDORA, ["git"])
    assert step is not None
    line = next(line for line in step.script.splitlines() if line.startswith("dnf"))
    assert line.startswith("dnf install -y --setopt=install_weak_deps=False")
    assert line.endswith("--setopt=retries=3 -- git")


@pytest.mark.parametrize("base", [ALPINE, FEDORA])
@pytest.mark.parametrize("name", ["x;rm -rf /", "$(id)", "a b", "'"])
def test_a_package_name_never_becomes_a_command(base: object, name: str) -> None:
    step = system_packages(base, [name])  # type: ignore[arg-type]
    assert step is not None
    assert f"-- {shlex.quote(name)}" in step.script


def test_no_packages_no_step() -> None:
    assert system_packages(ALPINE, []) is None


def test_a_base_without_a_known_package_manager_is_refused_by_name() -> None:
    with pytest.raises(BaseImageError, match="odd:1"):
        system_packages(UNKNOWN, ["git"])


def test_a_prepared_base_needs_no_first_step() -> None:
    assert run_directory(DEBIAN) is None


def test_the_user_is_made_without_useradd() -> None:
    step = user_account(DEBIAN, DEV, path="/opt/venv/bin:" + PATH)
    assert "useradd" not in step.script
    assert 'echo "dev:x:1000:1000::/home/dev:$shell" >> /etc/passwd' in step.script
    assert f"export PATH='/opt/venv/bin:{PATH}'" in step.script
    assert dict(step.env) == {"LANG": "C.UTF-8", "PATH": f"/opt/venv/bin:{PATH}"}
    assert not step.network


def test_root_needs_no_account() -> None:
    step = user_account(DEBIAN, ROOT, path=PATH)
    assert "/etc/passwd" not in step.script
    assert "/etc/profile.d/devbox.sh" in step.script


@pytest.mark.parametrize(
    ("first", "command"),
    [
        (b"#!/bin/bash\necho", ("/bin/bash",)),
        (b"#!/usr/bin/env python3\n", ("/usr/bin/env", "python3")),
        (b"#!/usr/bin/env -S python3 -u\n", ("/usr/bin/env", "python3", "-u")),
        (b"#!/bin/sh -eu", ("/bin/sh", "-eu")),
        (b"echo hi\n", ("/bin/sh", "-e")),
        (b"#!\n", ("/bin/sh", "-e")),
        (b"", ("/bin/sh", "-e")),
    ],
)
def test_a_script_is_run_by_what_its_first_line_names(first: bytes, command: tuple[str, ...]) -> None:
    assert interpreter(first) == command
