"""System packages: what is asked of apt, and how exactly what it said is installed."""

import shlex

import pytest

from devbox.build.steps import apt
from devbox.errors import BaseImageError
from devbox.profile.lock import Group, LockedPackage
from tests.support.build import DEBIAN

HASH = "c" * 64
LINES = (
    "1795659286",
    f"'http://mirror.example/debian/pool/main/l/less/less_590-2_amd64.deb' less_590-2_amd64.deb 131028 SHA256:{HASH}",
    "'http://mirror.example/debian-security/pool/updates/main/g/git/git_2.39.5-0+deb12u2_amd64.deb' "
    f"git_1%3a2.39.5-0+deb12u2_amd64.deb 7259560 SHA256:{'d' * 64}",
)


def known(*names: str) -> Group:
    return apt.answered(Group(asked=names), LINES)


def test_an_answer_becomes_packages_with_archive_path_and_hash() -> None:
    group = known("less", "git")
    assert group.epoch == 1795659286
    assert [one.name for one in group.packages] == ["git", "less"]
    assert group.packages[0] == LockedPackage(
        name="git",
        version="1:2.39.5-0+deb12u2",
        architecture="amd64",
        sha256="d" * 64,
        file="pool/updates/main/g/git/git_2.39.5-0+deb12u2_amd64.deb",
        archive="debian-security",
    )


@pytest.mark.parametrize(
    "line", ["Reading package lists...", "'http://x/y' z 1 MD5Sum:00", "'x' less_1_amd64.deb 1 SHA256:00"]
)
def test_what_apt_never_says_is_refused(line: str) -> None:
    with pytest.raises(BaseImageError, match="does not understand"):
        apt.answered(Group(asked=("less",)), ["0", line])


def test_the_step_needs_no_package_list_and_marks_what_only_came_along() -> None:
    step = apt.install(DEBIAN, known("git"))
    assert "apt update" not in step.script
    assert f"{HASH} pool/main/l/less/less_590-2_amd64.deb debian" in step.script
    assert "./git_2.39.5-0+deb12u2_amd64.deb ./less_590-2_amd64.deb" in step.script
    assert "auto less >/dev/null" in step.script
    assert step.caches == ("apt-debian-12-amd64",)
    for noise in ("/var/log/dpkg.log", "/var/cache/ldconfig/aux-cache", "/var/lib/apt/lists/*"):
        assert noise in step.script.splitlines()[-1]


def test_what_the_base_has_already_is_marked_as_asked_for() -> None:
    step = apt.install(DEBIAN, Group(asked=("tar",)))
    assert "apt install" not in step.script
    assert "manual tar >/dev/null" in step.script


@pytest.mark.parametrize("name", ["x;rm -rf /", "$(id)", "a b", "'"])
def test_a_package_name_never_becomes_a_command(name: str) -> None:
    assert f"-- {shlex.quote(name)}" in apt.question(DEBIAN, [name]).script
    assert shlex.quote(name) in apt.install(DEBIAN, Group(asked=(name,))).script
    assert shlex.quote(name) in apt.remove(DEBIAN, [name]).script


def test_the_question_is_another_for_other_names_and_not_for_their_order() -> None:
    assert apt.question(DEBIAN, ["a", "b"]).asked == apt.question(DEBIAN, ["b", "a"]).asked
    assert apt.question(DEBIAN, ["a"]).asked != apt.question(DEBIAN, ["b"]).asked


def test_versions_that_are_to_stay_are_pinned_in_the_question() -> None:
    script = apt.question(DEBIAN, ["git"], known=known("git").packages[:1]).script
    assert "Package: git\nPin: version 1:2.39.5-0+deb12u2\nPin-Priority: 990" in script
