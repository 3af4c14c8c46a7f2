"""What an image may declare, and what its inside says of itself."""

from dataclasses import replace

import pytest

from devbox.build.base import check_image
from devbox.build.probe import parse_facts
from devbox.engine.base import ImageInfo
from devbox.errors import BaseImageError, ProfileError

IMAGE = ImageInfo(
    id="sha256:" + "a" * 64,
    tags=("x:1",),
    digests=(),
    labels={},
    env=(),
    workdir="/srv/app",
    user="app:app",
    architecture="amd64",
    size=1,
    created="2026-01-01T00:00:00Z",
    layers=("sha256:1",),
)


@pytest.mark.parametrize("workdir", ["", "/", "/usr/src/app", "/root"])
@pytest.mark.parametrize("user", ["", "root", "0", "1000:1000", "www-data"])
def test_ordinary_declarations_pass(workdir: str, user: str) -> None:
    check_image(replace(IMAGE, workdir=workdir, user=user), reference="x:1", architecture="x86_64")


@pytest.mark.parametrize("workdir", ["/proc/self/fd/8", "/dev/x", "/a/../b", "relative", "/a\x1b[2J/.."])
def test_a_working_directory_in_the_kernels_files_is_refused(workdir: str) -> None:
    with pytest.raises(BaseImageError) as caught:
        check_image(replace(IMAGE, workdir=workdir), reference="x:1", architecture="amd64")
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("user", ["a b", "-x", "a\nb", "a:b:c", "/x"])
def test_a_user_that_is_no_name_is_refused(user: str) -> None:
    with pytest.raises(BaseImageError, match="no user's name"):
        check_image(replace(IMAGE, user=user), reference="x:1", architecture="amd64")


def test_a_foreign_architecture_is_the_users_to_mend() -> None:
    with pytest.raises(ProfileError, match="is for arm64, this engine runs amd64") as caught:
        check_image(replace(IMAGE, architecture="aarch64"), reference="x:1", architecture="x86_64")
    assert caught.value.problems[0].key == "base.image"


@pytest.mark.parametrize(
    ("text", "family", "distribution", "version"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian", "debian", "12"),
        ("ID=debian\n", "debian", "debian", ""),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21"', "debian", "linuxmint", "21"),
        ("ID=alpine\nVERSION_ID=3.20.1", "alpine", "alpine", "3.20.1"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"', "fedora", "rocky", "9.4"),
        ("ID=void\n", "unknown", "void", ""),
        ("", "unknown", "unknown", ""),
        ("garbage\x1b[2J = =\n", "unknown", "unknown", ""),
    ],
)
def test_what_os_release_says(text: str, family: str, distribution: str, version: str) -> None:
    facts = parse_facts(text)
    assert (facts.family, facts.distribution, facts.version) == (family, distribution, version)


def test_tar_is_looked_for() -> None:
    assert parse_facts("ID=debian\n\n/usr/bin/tar\n").tar
    assert not parse_facts("ID=debian\n\n").tar
