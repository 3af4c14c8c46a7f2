"""A whole environment on a Debian that devbox bootstrapped itself."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from devbox.build.base import BaseImage
from devbox.errors import BuildFailedError
from tests.integration.build.conftest import Room

pytestmark = [pytest.mark.docker, pytest.mark.network]

NOISE = (
    "run/devbox/",
    "var/lib/apt/lists/",
    "var/cache/apt/",
    "var/log/dpkg.log",
    "var/log/apt/",
    "var/cache/ldconfig/aux-cache",
    "root/.cache",
    "root/.npm",
    "etc/resolv.conf",
)


def project(directory: Path) -> None:
    (directory / "requirements.txt").write_text("-r more.txt\n")
    (directory / "more.txt").write_text("blinker==1.9.0\n")
    (directory / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["itsdangerous==2.2.0"]\n'
    )
    (directory / "app.ini").write_text("[app]\n")


ASKED = {
    "packages": {
        "system": ["less"],
        "python": {"version": "3.11", "requirements": ["requirements.txt", "pyproject.toml"]},
    },
    "secrets": {"PIP_SECRET": {"env": "X"}},
    "provision": [{"copy": {"from": "app.ini", "to": "/etc/app.ini"}, "when": "build"}],
}


@pytest.mark.nightly  # by day two clones of a whole project are compared: tests/integration/parity/test_reproducible.py
def test_an_environment_holds_what_was_asked_for_and_nothing_else_twice_the_same(room: Room, debian: BaseImage) -> None:
    project(room.directory)
    built = room.build(debian, given={"PIP_SECRET": "canary-0451-x"}, **ASKED)
    assert built.run[-5:] == ("user dev", "Python 3.11", "python", "python packages", "copy app.ini")
    look = "import blinker, itsdangerous, sys; print(sys.prefix); open('/opt/venv/written', 'w')"
    assert room.inside(built.image, "bash", "-lc", f'python -c "{look}"', user="dev") == "/opt/venv\n"
    assert room.inside(built.image, "sh", "-c", "less --version | head -c 4; cat /etc/app.ini") == "less[app]\n"
    saved = room.saved(built.image)
    assert b"canary-0451" not in saved
    added = layer_files(saved)
    left = [name for name in added if name.startswith(NOISE) and not Path(name).name.startswith(".wh.")]
    assert left == []
    again = room.build(debian, given={}, **ASKED)
    assert (again.image, again.run) == (built.image, ())
    fresh = layer_files(room.saved(room.build(debian, given={"PIP_SECRET": "another"}, no_cache=True, **ASKED).image))
    assert sorted(name for name in added.keys() | fresh.keys() if added.get(name) != fresh.get(name)) == []


def test_a_package_that_does_not_exist_is_named(room: Room, debian: BaseImage) -> None:
    with pytest.raises(BuildFailedError) as caught:
        room.build(debian, packages={"system": ["no-such-package-0451"]})
    assert "Unable to locate package no-such-package-0451" in str(caught.value.detail)
    assert "no-such-package-0451 is not to be had from the base's package archive (apt): http" in caught.value.message
    assert caught.value.problems[0].key == "packages.system"


@pytest.mark.nightly
def test_node_packages_come_from_the_lock_file(room: Room, debian: BaseImage) -> None:
    (room.directory / "package.json").write_text(
        json.dumps({"name": "x", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}, "scripts": {"prepare": "false"}})
    )
    built = room.build(debian, packages={"node": {"version": "18"}})
    place = "/workspaces/a shop"
    assert room.inside(built.image, "ls", place) == "node_modules\n"
    assert (
        room.inside(built.image, "sh", "-c", f"cd '{place}' && node -p 'require(\"ms\")(\"1h\")'", user="dev")
        == "3600000\n"
    )


def layer_files(saved: bytes) -> dict[str, bytes]:
    """Return the files of all layers but the base's, by path, with their content."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(saved)) as image:
        manifest = json.loads(_content(image, "manifest.json"))
        for layer in manifest[0]["Layers"][1:]:
            with tarfile.open(fileobj=io.BytesIO(_content(image, layer))) as files:
                for member in files:
                    if not member.isdir():
                        content = _content(files, member.name) if member.isreg() else member.linkname.encode()
                        found[member.name] = content
    return found


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
