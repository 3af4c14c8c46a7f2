from pathlib import Path

import pytest

from devbox.cli.catalogue import ENTRIES
from devbox.cli.completing import answer, candidates
from devbox.cli.group import make_command
from devbox.runtimes.vm.shelf import About, shelf_of
from devbox.values import short_hash


def fitting(*words: str) -> list[str]:
    *typed, cursor = words
    return [one.value for one in candidates(make_command(), typed, cursor)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sta",), ["status"]),
        (("-q", "-C", "status", "sta"), ["status"]),
        (("--pro",), ["--project"]),
        (("destroy", "--fo"), ["--force"]),
        (("ssh", "--f"), ["--failed"]),
        (("up", "--set", "a=1", "--"), ["--machine", "--locked", "--runtime", "--set", "--help"]),
        (("destroy", "--force", "--f"), []),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("completion", "z"), ["zsh"]),
        (("logs", "-n", ""), []),
        (("shell", "--", "l"), []),
        (("shell", "--", "--f"), []),
        (("no-such-verb", ""), []),
        (("snapshot", "p"), ["push", "pop"]),
        (("snapshot", "list", ""), []),
        (("snapshot", "restore", "a", ""), []),
        (("-C", "snapshot", "snapshot", "--boot", "re"), ["restore"]),
    ],
)
def test_what_fits_at_the_cursor(words: tuple[str, ...], expected: list[str]) -> None:
    assert fitting(*words) == expected


def test_alone_it_offers_every_verb_with_its_meaning() -> None:
    found = list(candidates(make_command(), [], ""))
    assert {one.value: one.meaning for one in found} == {name: entry.short for name, entry in ENTRIES.items()}


@pytest.mark.parametrize("option", ["-C", "--project"])
def test_a_project_is_a_directory_that_the_shell_itself_completes(option: str) -> None:
    assert [one.kind for one in candidates(make_command(), [option], "x")] == ["dir"]


@pytest.mark.parametrize(
    ("shell", "line", "cursor", "expected"),
    [
        ("bash", "devbox sta", "1", "plain,status\n"),
        ("bash", "devbox -C 'a b", "2", "dir,\n"),
        ("zsh", "devbox sta", "1", f"plain\nstatus\n{ENTRIES['status'].short}\n"),
        ("zsh", "devbox completion z", "2", "plain\nzsh\n_\n"),
        ("fish", "devbox sta", "sta", f"plain,status\t{ENTRIES['status'].short}\n"),
        ("fish", "devbox completion ", "", "plain,bash\nplain,zsh\nplain,fish\n"),
    ],
)
def test_each_shell_is_answered_in_its_own_form(
    capsys: pytest.CaptureFixture[str], shell: str, line: str, cursor: str, expected: str
) -> None:
    assert answer(make_command(), f"{shell}_complete", {"COMP_WORDS": line, "COMP_CWORD": cursor}) == 0
    assert capsys.readouterr().out == expected


def test_the_names_of_the_projects_snapshots_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project, below = tmp_path / "project", tmp_path / "project/src"
    below.mkdir(parents=True)
    (project / "devbox.toml").touch()
    for name in ("clean", "other", "cloned"):
        shelf = shelf_of(short_hash(str(project)))
        with shelf.draft() as making:
            shelf.put(making, About(name=name, saved=0, pushed=False, mark="", image="", content="", spec=""))
    monkeypatch.chdir(below)
    assert fitting("snapshot", "restore", "cl") == ["clean", "cloned"]
    monkeypatch.chdir("/")
    assert fitting("snapshot", "delete", "") == []
    assert fitting("-C", str(project), "snapshot", "delete", "") == ["clean", "other", "cloned"]


@pytest.mark.parametrize("instruction", ["", "bash", "bash_source", "tcsh_complete"])
def test_another_instruction_is_refused(capsys: pytest.CaptureFixture[str], instruction: str) -> None:
    assert answer(make_command(), instruction, {}) == 2
    assert capsys.readouterr().out == ""
