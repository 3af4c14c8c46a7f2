"""A container engine inside a machine: Debian's, as the profile names it, with nothing else."""

import pytest

from tests.integration.machine.conftest import inside
from tests.support.account import invoker
from tests.support.project import project

pytestmark = [pytest.mark.docker, pytest.mark.vm]
PROFILE = """runtime = "vm"

[base]
image = "debian:12"

[packages]
system = ["busybox-static", "docker.io"]

[vm]
ready = false
"""
RUN = """
set -e
mkdir -p /tmp/root/bin && cp /bin/busybox /tmp/root/bin/sh # nothing takes it away again, though the machine still boots
systemctl start docker
tar -C /tmp/root -c bin | docker import - tiny > /dev/null
docker run --rm -v /tmp/root:/seen tiny sh -c 'echo process $$; ls /seen; ls /sys/class/net'
docker info -f '{{.Driver}} {{.CgroupVersion}}'
"""


def test_a_container_runs_in_it() -> None:
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        devbox("up")
        said = devbox("exec", "-u", "root", "--", "sh", "-c", RUN).stdout
        assert inside(devbox, "systemctl is-active docker") == "active"
        assert said.splitlines() == ["process 1", "bin", "eth0", "lo", "overlay2 2"]
        devbox("destroy", "-f")
