"""What makes images where there is no engine: real programs in a real root file system, confined."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.engine.base import ContainerRequest, ImageConfig, ImageInfo, Mount, MountKind
from devbox.engine.own.engine import OwnEngine
from devbox.engine.policy_container import STEP_CAPABILITIES
from devbox.errors import EngineUnavailableError
from devbox.values import LABEL_ROLE, ROLE_ENVIRONMENT, ROLE_STEP
from tests.support.images import tiny_image
from tests.support.tree import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.long
STEP = ((LABEL_ROLE, ROLE_STEP),)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[OwnEngine]:
    if os.getuid() != 0 and shutil.which("newuidmap") is None:
        pytest.skip("an ordinary user needs newuidmap: scripts/setup.sh test")
    made = OwnEngine(tmp_path / "store", EngineUnavailableError("nobody is here"))
    yield made
    for one in made.containers({}):
        made.remove(one.id)
    for image in made.images({}):
        made.remove_image(image.id)


@pytest.fixture
def image(engine: OwnEngine) -> ImageInfo:
    return tiny_image(engine)


def begun(engine: OwnEngine, image: str, script: str, given: bytes = b"", **options: object) -> tuple[str, str, int]:
    """Run a script as a step; return the container, what it said and its exit code."""
    wanted = {"stdin": bool(given), "capabilities": STEP_CAPABILITIES, "network": "none", **options}
    request = ContainerRequest(name=None, image=image, command=("/bin/sh", "-c", script), labels=STEP, **wanted)  # type: ignore[arg-type]
    container = engine.create(request)
    stream = engine.attach(container)
    engine.start(container)
    if given:
        stream.send(given)
        stream.close_stdin()
    said = b""
    while (frame := stream.receive()) is not None:
        said += frame[1]
    return container, said.decode(), engine.wait(container)


def test_what_a_step_leaves_is_in_the_next_image_and_in_its_export(engine: OwnEngine, image: ImageInfo) -> None:
    script = "read -r word; echo $word > /kept; chown 7:8 /kept; echo said; echo in-memory-only > /run/x/gone; exit 0"
    mounts = (Mount(kind=MountKind.TMPFS, source="", target="/run/x"),)
    container, said, status = begun(engine, image.id, script, b"a word\n", mounts=mounts)
    assert (said, status) == ("said\n", 0)
    config = ImageConfig(env=(("A", "1"),), command=("sh",), labels=STEP)
    made = engine.commit(container, config=config, message="a step", reference="devbox/own:1")
    engine.remove(container)
    found = engine.image("devbox/own:1")
    assert found is not None
    assert (found.id, found.parent, found.env, dict(found.labels)) == (made, image.id, config.env, dict(STEP))
    assert found.layers[:-1] == image.layers
    again, said, _ = begun(engine, made, "cat /kept; ls -n /kept; ls /run/x")
    assert said.split()[:2] == ["a", "word"]
    assert said.split()[4:6] == ["7", "8"]
    assert "gone" not in said
    packed = b"".join(engine.export(again))
    assert b"a word\n" in packed
    assert b"in-memory-only" not in packed


def test_a_step_that_fails_says_so(engine: OwnEngine, image: ImageInfo) -> None:
    container, said, status = begun(engine, image.id, "echo why >&2; exit 7")
    assert (said, status) == ("why\n", 7)
    info = engine.container(container)
    assert info is not None
    assert (info.status, info.exit_code) == ("exited", 7)


def test_a_step_sees_nothing_of_this_host_and_is_nobody_on_it(engine: OwnEngine, image: ImageInfo) -> None:
    secret = Path("/root/.devbox-secret-of-a-test")
    script = f"""
id -u; hostname; ls {secret.parent} 2>/dev/null | wc -l
cat /proc/self/uid_map | tr -s ' ' ; grep CapEff /proc/self/status
ls / | grep -c '^home$'; cat /proc/net/dev | grep -c :; echo x > /dev/null && echo written
"""
    _, said, status = begun(engine, image.id, script, hostname="devbox-build")
    words = said.split()
    assert (status, words[0], words[1]) == (0, "0", "devbox-build")
    ours = os.getuid()  # an ordinary user's step is that user outside, as with a rootless engine
    assert words[3] == "0"
    assert int(words[4]) == ours if ours else int(words[4]) > 100000, "root's step is another user of this host"
    effective = int(words[words.index("CapEff:") + 1], 16)
    assert not effective & (1 << 21 | 1 << 12), "neither CAP_SYS_ADMIN nor CAP_NET_ADMIN"
    assert words[-1] == "written"


def test_an_environment_is_not_run_and_an_image_not_pulled(engine: OwnEngine, image: ImageInfo) -> None:
    labels = ((LABEL_ROLE, ROLE_ENVIRONMENT),)
    with pytest.raises(EngineUnavailableError, match="nobody is here"):
        engine.create(ContainerRequest(name=None, image=image.id, command=("sh",), labels=labels))
    bound = Mount(kind=MountKind.BIND, source="/etc", target="/mnt")
    with pytest.raises(EngineUnavailableError):
        engine.create(ContainerRequest(name=None, image=image.id, command=("sh",), labels=STEP, mounts=(bound,)))
    assert not engine.containers({})


def test_a_step_ends_with_the_devbox_that_runs_it(engine: OwnEngine, image: ImageInfo, tmp_path: Path) -> None:
    mark = f"sleep 61{os.getpid()}"
    program = f"""
from pathlib import Path
from tests.integration.engine.test_own import begun
from devbox.engine.own.engine import OwnEngine
begun(OwnEngine(Path({str(tmp_path / "store")!r}), None), {image.id!r}, {mark!r})
"""
    devbox = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    until(lambda: bool(running(mark)), within=30)
    devbox.kill()
    devbox.wait()
    until(lambda: not running(mark), within=10)
    (left,) = engine.containers(dict(STEP))
    engine.remove(left.id)
    assert not list((tmp_path / "store" / "containers").iterdir())


def running(mark: str) -> list[str]:
    """Return the processes with these words as their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().replace(b"\0", b" ").strip() == mark.encode():
                found.append(process.name)
    return found


def test_what_is_removed_leaves_nothing(engine: OwnEngine, image: ImageInfo, tmp_path: Path) -> None:
    container, _, _ = begun(engine, image.id, "mkdir /a && : > /a/b")
    engine.remove(container)
    engine.remove_image(image.id)
    assert engine.image(image.id) is None
    assert not list((tmp_path / "store" / "containers").iterdir())
    assert not list((tmp_path / "store" / "images").iterdir())
