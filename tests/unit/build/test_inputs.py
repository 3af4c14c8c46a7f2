"""Reading the repo: confined, complete, and every problem at once."""

import os
from pathlib import Path

import pytest

from devbox.build import confined
from devbox.build.inputs import Collector
from devbox.build.manifests import NODE, PYTHON, read_inputs
from devbox.errors import ProfileError
from tests.support.build import profile


def python(*requirements: str) -> object:
    return profile(packages={"python": {"requirements": list(requirements)}})


def problems(directory: Path, asked: object) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        read_inputs(asked, directory)  # type: ignore[arg-type]
    assert caught.value.exit_status == 2
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


def test_included_requirement_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "reqs").mkdir()
    (tmp_path / "reqs/dev.txt").write_text("-r base.txt\n-c ../pins.txt\n")
    (tmp_path / "reqs/base.txt").write_text("flask\n")
    (tmp_path / "pins.txt").write_text("flask==3\n")
    found = read_inputs(python("reqs/dev.txt"), tmp_path)  # type: ignore[arg-type]
    assert [file.path for file in found.group(PYTHON)] == ["pins.txt", "reqs/base.txt", "reqs/dev.txt"]
    assert found.text(PYTHON, "reqs/base.txt") == "flask\n"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r a.txt\n")
    (tmp_path / "b.txt").write_text("-r ../../etc/passwd\n")
    (tmp_path / "c.txt").write_text("flask\n-e .\n")
    found = problems(tmp_path, python("a.txt", "b.txt", "c.txt", "missing.txt"))
    assert len(found) == 4
    assert "a.txt -> a.txt" in found[0]
    assert "outside of the project" in found[1]
    assert "c.txt:2" in found[2]
    assert "there is no missing.txt" in found[3]


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("x")
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").symlink_to(outside)
    (found,) = problems(project, python("requirements.txt"))
    assert "leads out of the project" in found


def test_a_directory_linked_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/r.txt").write_text("x")
    project = tmp_path / "project"
    project.mkdir()
    (project / "reqs").symlink_to("../outside")
    (found,) = problems(project, python("reqs/r.txt"))
    assert "leads out of the project" in found


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("flask\n")
    (tmp_path / "requirements.txt").symlink_to("real.txt")
    assert read_inputs(python("requirements.txt"), tmp_path).text(PYTHON, "requirements.txt") == "flask\n"  # type: ignore[arg-type]


def test_a_fifo_does_not_hang_and_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "requirements.txt")
    (found,) = problems(tmp_path, python("requirements.txt"))
    assert "is no file" in found


def test_a_directory_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").mkdir()
    (found,) = problems(tmp_path, python("requirements.txt"))
    assert "is no file" in found


def test_a_manifest_has_a_size_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.build.inputs.MANIFEST_LIMIT", 10)
    (tmp_path / "requirements.txt").write_text("x" * 11)
    (found,) = problems(tmp_path, python("requirements.txt"))
    assert "larger than" in found


def copying(source: str) -> object:
    return profile(provision=[{"copy": {"from": source, "to": "/srv/x"}, "when": "build"}])


def test_a_copied_directory_keeps_modes_and_inner_links_and_skips_sockets(tmp_path: Path) -> None:
    (tmp_path / "conf/sub").mkdir(parents=True)
    (tmp_path / "conf/run.sh").write_text("x")
    (tmp_path / "conf/run.sh").chmod(0o755)
    (tmp_path / "conf/sub/a").write_text("a")
    (tmp_path / "conf/link").symlink_to("sub/a")
    os.mkfifo(tmp_path / "conf/pipe")
    found = read_inputs(copying("conf"), tmp_path)  # type: ignore[arg-type]
    files = {file.path: file for file in found.group("provision[0]")}
    assert sorted(files) == ["conf/link", "conf/run.sh", "conf/sub/a"]
    assert files["conf/run.sh"].executable
    assert files["conf/link"].link == "sub/a"
    assert "pipe" in found.notes[0]


def test_a_copied_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/shadow").symlink_to("/etc/shadow")
    (found,) = problems(tmp_path, copying("conf"))
    assert "provision[0].copy.from" in found
    assert "leads out" in found


def test_the_size_of_a_copy_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.build.inputs.COPY_LIMIT", 10)
    (tmp_path / "big").write_text("x" * 11)
    (found,) = problems(tmp_path, copying("big"))
    assert "to copy" in found


def test_workspaces_bring_their_manifests(tmp_path: Path) -> None:
    (tmp_path / "packages/a").mkdir(parents=True)
    (tmp_path / "packages/a/package.json").write_text('{"name": "a"}')
    (tmp_path / "package.json").write_text('{"workspaces": ["packages/*", "../evil", 3]}')
    found = read_inputs(profile(packages={"node": {}}), tmp_path)
    assert [file.path for file in found.group(NODE)] == ["package.json", "packages/a/package.json"]


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_broken_package_json_is_a_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    (found,) = problems(tmp_path, profile(packages={"node": {}}))
    assert "package.json" in found


def test_a_part_swapped_for_a_link_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("inside")
    (tmp_path / "outside").mkdir()
    real = (tmp_path / "a/file").resolve()

    def swap(root: Path, path: str) -> Path:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").symlink_to("outside")
        return real

    monkeypatch.setattr(confined, "resolve", swap)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"), confined.opened(tmp_path, "a/file"):
        pass


def test_what_was_looked_for_is_told_so_that_its_coming_is_seen(tmp_path: Path) -> None:
    (tmp_path / "crates/one").mkdir(parents=True)
    (tmp_path / "crates/one/Cargo.toml").write_text("")
    (tmp_path / "crates/two").mkdir()
    collector = Collector(tmp_path)
    assert not collector.exists("Cargo.lock")
    assert collector.found("crates/*/Cargo.toml") == ["crates/one/Cargo.toml"]
    assert collector.found("*.csproj") == []
    assert collector.finish().looked == ("./", "Cargo.lock", "crates/", "crates/one/")


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", "a/../../*"])
def test_no_pattern_leads_out_of_the_project(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "beside").write_text("")
    assert Collector(tmp_path / "project").found(pattern) == []
