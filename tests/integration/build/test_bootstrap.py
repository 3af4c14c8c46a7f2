"""The same state of the archive gives the same bytes, wherever they are made."""

import platform
import shutil
from pathlib import Path

import pytest

from devbox.build.archive import file_digest
from devbox.build.base import BaseImage
from devbox.build.debian_maker import ContainerMaker, HostMaker
from devbox.process import HostProcesses
from devbox.values import LABEL_BASE, LABEL_EPOCH
from tests.integration.build.conftest import Room

pytestmark = [pytest.mark.docker, pytest.mark.network]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def test_the_base_is_a_debian_that_is_ready_to_be_built_on(room: Room, debian: BaseImage) -> None:
    image = room.engine.image(debian.id)
    assert image is not None
    assert image.labels[LABEL_BASE] == "debian:12"
    assert int(image.labels[LABEL_EPOCH]) == debian.epoch
    assert len(image.layers) == 1
    look = ". /etc/os-release; echo $ID $VERSION_ID; stat -c %a /run/devbox; ls -A /run/devbox /var/lib/apt/lists"
    assert room.inside(debian.id, "sh", "-c", look).startswith("debian 12\n700\n")
    assert room.inside(debian.id, "sh", "-c", "policy-rc.d; echo $?") == "101\n"
    keys = 'keyring=$(ls /etc/apt/trusted.gpg.d /usr/share/keyrings); echo "$keyring" | grep -c bookworm'
    assert int(room.inside(debian.id, "sh", "-c", keys)) > 0


@pytest.mark.nightly
def test_twice_on_the_host_and_once_in_a_container_give_the_same_tar(
    room: Room, debian: BaseImage, tmp_path: Path
) -> None:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap: apt-get install mmdebstrap debian-archive-keyring")
    with room.reporter.step("compare") as progress:
        host = HostMaker(
            processes=HostProcesses(room.reporter), progress=progress, architecture=ARCHITECTURE, mirror=None
        )
        container = ContainerMaker(
            engine=room.engine,
            image=debian.id,
            progress=progress,
            labels=room.labels,
            architecture=ARCHITECTURE,
            mirror=None,
        )
        epoch = host.date("bookworm")
        digests = []
        for number, maker in enumerate((host, host, container)):
            layer = tmp_path / f"{number}.tar"
            seen = maker.make("bookworm", layer, epoch=epoch)
            if seen != epoch:
                pytest.skip("not possible here: the archive moved on during the test")
            digests.append(file_digest(layer))
            layer.unlink()
    assert digests[0] == digests[1] == digests[2]
