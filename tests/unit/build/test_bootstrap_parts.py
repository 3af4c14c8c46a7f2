"""The archive of our own making, and the command lines of mmdebstrap."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from devbox.build import mmdebstrap
from devbox.build.archive import RootImage, archive
from devbox.build.bootstrap import canonical, suite_of


def root_image(path: Path) -> RootImage:
    return RootImage(
        layer=path, epoch=1_700_000_000, architecture="amd64", labels={"b": "2", "a": "1"}, created_by="mmdebstrap x"
    )


def test_the_image_id_is_known_beforehand_and_the_same_everywhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"layer")
    first, second = root_image(tmp_path / "one").config(), root_image(tmp_path / "two").config()
    assert first == second
    config = json.loads(first)
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(b"layer").hexdigest()]
    assert config["config"]["Cmd"] == ["bash"]


def test_the_archive_can_be_read_back(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(b"x" * 1500)
    image = root_image(layer)
    config = image.config()
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive(image, config, tag="devbox/base:t")))) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        assert manifest[0]["RepoTags"] == ["devbox/base:t"]
        assert manifest[0]["Config"] == hashlib.sha256(config).hexdigest() + ".json"
        assert tar.extractfile(manifest[0]["Config"]).read() == config  # type: ignore[union-attr]
        assert tar.extractfile("layer.tar").read() == b"x" * 1500  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reference", "suite"),
    [
        ("debian:12", "bookworm"),
        ("debian:bookworm-slim", "bookworm"),
        ("docker.io/library/debian:11", "bullseye"),
        ("debian:13-slim", "trixie"),
        ("debian:sid", "sid"),
        ("debian:unstable", "sid"),
        ("debian:10", None),
        ("debian", None),
        ("ubuntu:22.04", None),
        ("registry.example/debian:12", None),
        ("debian:12@sha256:" + "a" * 64, None),
    ],
)
def test_which_references_the_archive_has(reference: str, suite: str | None) -> None:
    assert suite_of(reference) == suite


def test_a_suite_has_one_name_for_its_label() -> None:
    assert [canonical(suite) for suite in ("bullseye", "bookworm", "trixie", "sid")] == [
        "debian:11",
        "debian:12",
        "debian:13",
        "debian:sid",
    ]


def test_the_newest_date_of_the_index_files_counts() -> None:
    lines = [
        "I: running apt-get update...",
        "devbox-archive-date: Sat, 11 Jul 2026 10:16:37 UTC",
        "noise devbox-archive-date: Sun, 22 Nov 2026 02:09:05 UTC",
        "devbox-archive-date: nonsense",
    ]
    assert mmdebstrap.newest_date(lines) == 1795313345
    assert mmdebstrap.newest_date(["I: done"]) is None


def test_the_keyring_is_always_named_and_the_mirror_never_ours() -> None:
    argv = mmdebstrap.make_argv(
        "bookworm", keyring="/k.gpg", mode="root", architecture="amd64", mirror=None, output="-"
    )
    assert "--keyring=/k.gpg" in argv
    assert argv[-2:] == ["bookworm", "-"]
    assert not any("http" in word for word in argv)
    with_mirror = mmdebstrap.dates_argv(
        "sid", keyring="/k.gpg", mode="unshare", architecture="arm64", mirror="http://mirror.example/debian"
    )
    assert with_mirror[-3:] == ["sid", "/dev/null", "http://mirror.example/debian"]
    assert "--mode=unshare" in with_mirror


@pytest.mark.parametrize("value", ["-x", "deb http://x", "ftp://x", "http://x y", "http://x;id"])
def test_a_mirror_that_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=mmdebstrap.MIRROR_VARIABLE):
        mmdebstrap.check_mirror(value)


def test_no_mirror_is_none() -> None:
    assert mmdebstrap.check_mirror("") is None
    assert mmdebstrap.check_mirror("http://mirror.example/debian") == "http://mirror.example/debian"
