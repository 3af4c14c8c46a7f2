"""What counts as a change."""

import os
from pathlib import Path

import pytest

from devbox import values
from devbox.hot import inputs


def around(**variables: str) -> str:
    return inputs.around(variables, uid=1, gid=2)


def test_the_short_hash_is_the_one_that_everything_is_named_by() -> None:
    for text in ("", "/home/jürgen", "/a\udcff"):
        assert inputs.short_hash(text) == values.short_hash(text)


@pytest.mark.parametrize(
    "name", ["DEVBOX_IMAGE", "DOCKER_HOST", "CONTAINER_HOST", "HOME", "TZ", "XDG_STATE_HOME", "SSL_CERT_FILE"]
)
def test_a_variable_that_decides_counts(name: str) -> None:
    assert len({around(), around(**{name: ""}), around(**{name: "a"}), around(**{name: "b"})}) == 4


@pytest.mark.parametrize("name", ["XDG_SESSION_ID", "TERM", "PWD", "DEVBOX_NO_HOT", "DEVBOX_FAULT"])
def test_one_that_does_not_is_not_looked_at(name: str) -> None:
    assert around(**{name: "a"}) == around()


def test_another_user_counts_and_so_does_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inputs.around({}, uid=1, gid=2) != inputs.around({}, uid=2, gid=2) != inputs.around({}, uid=2, gid=1)
    before = around()
    monkeypatch.setattr(inputs, "__version__", "9")
    assert around() != before


def test_edited_code_of_an_editable_install_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "room").mkdir()
    code = tmp_path / "room" / "code.py"
    code.write_text("")
    monkeypatch.setattr(inputs, "_PACKAGE", str(tmp_path))
    before = around()
    os.utime(code, ns=(0, 2**62))
    assert around() != before


def test_an_upgraded_install_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "devbox"
    package.mkdir(parents=True)
    monkeypatch.setattr(inputs, "_PACKAGE", str(package))
    before = around()
    (package / "__init__.py").write_text("")
    assert around() != before


def changes(path: Path, change: object) -> bool:
    known = inputs.states([str(path)])
    assert inputs.unchanged(known)
    change()  # type: ignore[operator]
    return not inputs.unchanged(known)


def test_a_file_counts_by_all_that_the_kernel_says(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    stat = file.stat()

    def same_size_and_time() -> None:
        file.write_text("two")
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert changes(file, same_size_and_time)
    assert changes(file, lambda: file.chmod(0o600 if stat.st_mode & 0o077 else 0o644))
    assert changes(file, file.unlink)
    assert changes(file, lambda: file.write_text("one"))


def test_a_link_counts_by_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")
    link = tmp_path / "link"
    link.symlink_to("a")

    def elsewhere() -> None:
        link.unlink()
        link.symlink_to("b")

    assert changes(link, elsewhere)


def test_a_directory_counts_by_its_content_only_if_asked(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    known = inputs.states([str(directory)])
    with_content = inputs.states([f"{directory}/"])
    (directory / "new").write_text("")
    assert inputs.unchanged(known)
    assert not inputs.unchanged(with_content)
    directory.rename(tmp_path / "gone")
    assert not inputs.unchanged(known)


def test_what_cannot_be_a_path_is_not_there() -> None:
    assert inputs.state("a\0b") == ""
    assert inputs.changed_at("/nope") == 0
