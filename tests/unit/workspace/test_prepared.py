"""What is kept of a plan, and above all when it is not used."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.engine.base import EngineInfo
from devbox.runtimes.base import AgentSpec, DataVolume, Granted, InstanceSpec, ResourceLimits, Share
from devbox.supervisor.protocol import Wanted
from devbox.values import GuestUser
from devbox.workspace.prepared import Prepared, now, recall, remember
from devbox.workspace.revised import Revisable
from devbox.workspace.signature import Since, settled
from tests.support.desk import Desk

SPEC = InstanceSpec(
    name="devbox-shop-00000000",
    image="sha256:1",
    hostname="shop",
    user=GuestUser(name="dev", uid=1, gid=2, home="/home/dev"),
    workdir="/workspaces/shop",
    agent=AgentSpec(build="0123456789abcdef", protocol=1, program="/p", directory="/d"),
    env=(("A", "1\n2"), ("B", "")),
    shares=(Share(source="/a", target="/b", read_only=True),),
    volumes=(DataVolume(name="v", target="/c", labels=(("l", "1"),)),),
    resources=ResourceLimits(cpus=1.5, memory=10, devices=("/dev/x",)),
    labels=(("devbox.role", "environment"),),
    granted=Granted(host_paths=frozenset({"/a", "/z"}), gpus=True),
)
ENGINE = EngineInfo(
    name="docker", version="1", api_version="1.41", url="unix:///s", source="test", os="linux",
    architecture="amd64", cpus=2, memory=3, rootless=False, shares_host=True,
)  # fmt: skip
PREPARED = Prepared(
    spec=SPEC, reference="devbox/shop:1", recipe="r", base="debian:12", bases=("sha256:0",), engine=ENGINE,
    api="1.41", profile="p", lock="9", ports=(Wanted(name="web", guest=1, host=0),),
    revisable=Revisable(names=("A",), rest="0", values={"env": {"A": "1\n2", "from_host": []}}),
)  # fmt: skip
LATER = 10**18  # nanoseconds from now: whatever changed, changed long before


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop").write()


def _keep(desk: Desk, *files: Path, began: int | None = None) -> None:
    at = now() + LATER if began is None else began
    remember(desk.host, desk.workspace, PREPARED, files=[str(file) for file in files], began=Since(at=at))


def _recall(desk: Desk, environ: dict[str, str] | None = None) -> Prepared | None:
    found = recall(desk.environ if environ is None else environ, desk.workspace, uid=os.getuid(), gid=os.getgid())
    assert found is None or not found.revised
    return found.prepared if found else None


def test_what_was_kept_comes_back_the_same(desk: Desk) -> None:
    _keep(desk, desk.directory / "devbox.toml")
    found = _recall(desk)
    assert found == PREPARED
    assert found is not None
    assert found.spec.digest == SPEC.digest


def test_a_changed_file_voids_it_even_with_its_size_and_time_put_back(desk: Desk) -> None:
    file = desk.directory / "devbox.toml"
    _keep(desk, file)
    before = file.stat()
    file.write_bytes(file.read_bytes().swapcase())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _recall(desk) is None


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_comes_or_goes_voids_it(desk: Desk, there: bool) -> None:
    file = desk.directory / "devbox.local.toml"
    if there:
        file.write_text("")
    _keep(desk, file)
    assert _recall(desk) == PREPARED
    if there:
        file.unlink()
    else:
        file.write_text("")
    assert _recall(desk) is None


@pytest.mark.parametrize("name", ["DEVBOX_RUNTIME", "DOCKER_HOST", "DOCKER_CONTEXT", "SSL_CERT_FILE", "HOME"])
def test_a_variable_that_decides_voids_it(desk: Desk, name: str) -> None:
    _keep(desk)
    assert _recall(desk, {name: "x"}) is None
    assert _recall(desk, {"EDITOR": "x"}) == PREPARED


def test_another_user_does_not_go_by_it(desk: Desk) -> None:
    _keep(desk)
    assert recall({}, desk.workspace, uid=os.getuid() + 1, gid=os.getgid()) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}', "\udcff"])
def test_one_that_is_damaged_is_none(desk: Desk, damage: str) -> None:
    _keep(desk)
    Path(paths.prepared_file(desk.workspace.hash)).write_text(damage, errors="surrogateescape")
    assert _recall(desk) is None


def test_one_that_lacks_a_part_is_none(desk: Desk) -> None:
    _keep(desk)
    path = Path(paths.prepared_file(desk.workspace.hash))
    document = json.loads(path.read_text())
    del document["prepared"]["spec"]["user"]["uid"]
    path.write_text(json.dumps(document))
    assert _recall(desk) is None


def test_what_changed_while_it_was_worked_out_is_not_kept(desk: Desk) -> None:
    began = now()
    file = desk.directory / "late"
    file.write_text("")
    assert not settled([str(file)], since=Since(at=began))
    _keep(desk, file, began=began)
    assert not Path(paths.prepared_file(desk.workspace.hash)).exists()


def test_where_nothing_can_be_written_nothing_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    _keep(desk)
    assert _recall(desk) is None


def test_the_file_is_the_users_alone(desk: Desk) -> None:
    _keep(desk)
    path = Path(paths.prepared_file(desk.workspace.hash))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_it_is_of_this_devbox(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _keep(desk)
    monkeypatch.setattr("devbox.hot.inputs.__version__", "99")
    assert _recall(desk) is None


def test_it_holds_while_the_engine_has_the_image_and_the_base_is_the_same(desk: Desk) -> None:
    engine = desk.engine
    base = engine.add_image("debian:12")
    image = engine.add_image("devbox/shop:1", labels={"devbox.recipe": "r"})
    kept = replace(PREPARED, spec=replace(SPEC, image=image.id), bases=(base.id,))
    assert kept.holds(engine)
    assert not replace(kept, recipe="other").holds(engine)
    assert not replace(kept, bases=("sha256:newer",)).holds(engine)
    assert not replace(kept, spec=SPEC).holds(engine)
    assert not replace(kept, reference="devbox/gone:1").holds(engine)
