"""One project and one lock on two machines: other users, umasks, time zones, locales, host names."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.machine import Elsewhere, Machine, clone
from tests.support.tree import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]  # whole builds of the examples, one after another

HERE = Machine(hostname="here", uid=54321, umask=0o022, variables={"TZ": "UTC", "LC_ALL": "C"})
THERE = Machine(
    hostname="there.example", uid=54399, umask=0o077, variables={"TZ": "Pacific/Auckland", "LC_ALL": "tr_TR.UTF-8"}
)


def differences(one: Elsewhere, other: Elsewhere) -> list[str]:
    """Build both anew, the second exactly as the first one's lock has it; return what differs, a line each."""
    one("build", "--no-cache")
    one("verify", "--record", "--write", "manifest")
    lock = given(one.directory / "devbox.lock", other.directory)
    before = lock.read_text()
    other("build", "--no-cache", "--locked")
    theirs = given(one.directory / "manifest", other.home)
    done = other.json("verify", "--against", str(theirs), status=None)  # type: ignore[arg-type]
    recorded, found = done["comparisons"]
    assert recorded["with"] == "devbox.lock"
    assert recorded["identical"] is found["identical"] is not bool(found["differences"])
    assert lock.read_text() == before
    return [f"{each['path']}: {each['field']}: {each['ours']}, {each['theirs']}" for each in found["differences"]]


def given(file: Path, directory: Path) -> Path:
    """Copy `file` into `directory`, for whoever the directory belongs to."""
    made = Path(shutil.copy(file, directory))
    os.chown(made, directory.stat().st_uid, directory.stat().st_gid)
    made.chmod(0o644)
    return made


@pytest.mark.parametrize(
    ("example", "names"),
    [
        ("python-flask", ("shop", "shop")),
        pytest.param("node-express", ("shop", "Ada's other shop"), marks=pytest.mark.nightly),
    ],
    ids=["python, the same name", "node, another name"],
)
def test_two_clones_on_two_machines_hold_the_same(example: str, names: tuple[str, str]) -> None:
    source = ROOT / "examples" / example
    with clone(source, HERE, name=names[0]) as one, clone(source, THERE, name=names[1]) as other:
        assert differences(one, other) == []


def test_what_does_differ_is_found(tmp_path: Path) -> None:
    """The test above could not fail if nothing were compared."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "devbox.toml").write_text(
        '[base]\nimage = "debian:12"\n[[provision]]\nwhen = "build"\nrun = "date +%s%N > /etc/now; mktemp -p /srv"\n'
    )
    with clone(source, HERE, name="shop") as one, clone(source, THERE, name="shop") as other:
        found = differences(one, other)
    assert found[0].startswith("/etc/now: content: sha256:")
    assert [line.rpartition("/srv/tmp.")[1] for line in found[1:]] == ["/srv/tmp."] * 2
