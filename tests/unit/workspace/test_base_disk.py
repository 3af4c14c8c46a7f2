"""A profile whose base is a disk: what it cannot have is named, all at once, before anything is touched."""

from pathlib import Path

import pytest

from devbox.errors import LockStaleError, ProfileError, TrustRequiredError, UsageError
from devbox.profile.load import load
from devbox.workspace import lock_verb
from devbox.workspace.base_disk import place, require_pinned, require_sense
from devbox.workspace.change import add
from devbox.workspace.status import status
from devbox.workspace.up import up
from tests.support.desk import Desk

SHA = "ab" * 32
DISK = f'runtime = "vm"\n[base]\ndisk = "x.qcow2"\nsha256 = "{SHA}"\n'


def problems(directory: Path, text: str) -> dict[str, int | None]:
    """Return the keys that are refused, and in which lines."""
    (directory / "devbox.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        require_sense(load(directory, environ={}))
    assert caught.value.exit_status == 2
    return {problem.key or "": problem.line for problem in caught.value.problems}


def test_a_disk_with_what_runs_inside_it_is_fine(tmp_path: Path) -> None:
    more = '[env]\nWORD = "a"\n[ports.web]\nguest = 80\n[[provision]]\nrun = "x"\nwhen = "create"\n'
    (tmp_path / "devbox.toml").write_text(DISK + more, encoding="utf-8")
    loaded = load(tmp_path, environ={})
    require_sense(loaded)
    require_pinned(loaded)
    assert place(loaded.profile.base, tmp_path) == str(tmp_path.resolve() / "x.qcow2")


def test_all_that_is_built_into_an_image_is_named_at_once(tmp_path: Path) -> None:
    more = '[packages]\nsystem = ["jq"]\ngo = {}\n[[provision]]\nrun = "x"\nwhen = "build"\n[vm]\ninit = "trimmed"\n'
    assert problems(tmp_path, DISK + more) == {
        "packages.system": 6,
        "packages.go": 7,
        "provision[0]": 8,
        "vm.init": 12,
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (DISK.replace('"vm"', '"container"'), "base.disk"),
        (DISK.replace("x.qcow2", "ftp://host/x.qcow2"), "base.disk"),
        (DISK.replace("x.qcow2", "https://host/x.qcow2").replace(f'sha256 = "{SHA}"\n', ""), "base.sha256"),
    ],
)
def test_a_disk_that_cannot_be_had_that_way_is_refused(tmp_path: Path, text: str, key: str) -> None:
    assert problems(tmp_path, text) == {key: 3}


def test_an_address_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "devbox.toml").write_text(DISK.replace("x.qcow2", "https://host/x"), encoding="utf-8")
    assert place(load(tmp_path, environ={}).profile.base, tmp_path) == "https://host/x"


def disk_desk(directory: Path, text: str) -> Desk:
    found = Desk(directory=directory)
    (found.directory / "devbox.toml").write_text(text, encoding="utf-8")
    return found


def test_a_disk_needs_trust(tmp_path: Path) -> None:
    desk = disk_desk(tmp_path / "shop", DISK)
    with pytest.raises(TrustRequiredError) as caught:
        up(desk.host, desk.workspace)
    assert "base.disk" in str([problem.key for problem in caught.value.problems])


def test_a_disk_is_locked_by_its_digest_alone(tmp_path: Path) -> None:
    desk = disk_desk(tmp_path / "shop", DISK)
    lock_verb.check(desk.host, desk.workspace)
    desk = disk_desk(tmp_path / "shop", DISK.replace(f'sha256 = "{SHA}"\n', ""))
    with pytest.raises(LockStaleError) as caught:
        lock_verb.check(desk.host, desk.workspace)
    assert [problem.key for problem in caught.value.problems] == ["base.sha256"]


def test_packages_are_not_added_where_there_is_no_image_and_nothing_is_written(tmp_path: Path) -> None:
    desk = disk_desk(tmp_path / "shop", DISK)
    with pytest.raises(UsageError, match="add is about the image"):
        add(desk.host, desk.workspace, ["jq"], group="system")
    assert (desk.directory / "devbox.toml").read_text(encoding="utf-8") == DISK


def test_status_names_what_a_disk_cannot_have(tmp_path: Path) -> None:
    desk = disk_desk(tmp_path / "shop", DISK + '[vm]\ninit = "minimal"\n')
    assert "vm.init" in [problem.key for problem in status(desk.host, desk.workspace).problems]
