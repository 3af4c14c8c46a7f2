"""Bad inputs of SAFETY's list that only a real engine can judge."""

import contextlib
import io
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from devbox.engine.base import ContainerRequest, Engine
from devbox.values import LABEL_WORKSPACE
from tests.integration.workspace.conftest import STEPS, base, own_base, remove_images, write
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.engine import labels
from tests.support.project import project

pytestmark = pytest.mark.docker


@contextlib.contextmanager
def _named(name: str, engine: Engine) -> Iterator[Devbox]:
    """A project whose directory has this name."""
    with project(invoker()) as outer:
        directory = outer.directory / name
        directory.mkdir(parents=True)
        found = Devbox(directory=directory, home=outer.home, account=outer.account)
        with own_base(engine, found):
            write(found, STEPS)
            yield found


NAMES = (
    "a\nb",
    "-leading",
    'it\'s "quoted"',
    "comma,comma",
    "co:lon",
    "$(id)",
    "\x1b[31mred",
    "日本 语",
    "x" * 200,
    "%s {0}",
)


def test_a_directory_may_be_called_anything(devbox: Devbox) -> None:
    profile = (devbox.directory / "devbox.toml").read_text()
    devbox("build")  # the name is no part of it, so all of them share it
    for name in NAMES:
        directory = devbox.directory / name
        directory.mkdir()
        (directory / "devbox.toml").write_text(profile)
        (directory / "file").write_text("seen\n")
        inside = Devbox(directory=directory, home=devbox.home, account=devbox.account)
        try:
            said = inside("shell", "--", "sh", "-c", "cat file; pwd")
            assert said.stdout == f"seen\n/workspaces/{name}\n"
            assert "\x1b[31mred" not in said.stderr
            assert inside.json("status")["workspace"] == str(directory.resolve())
        finally:
            inside("destroy", "-f")


def test_a_project_a_hundred_levels_deep_works(docker_engine: Engine) -> None:
    with _named("/".join("d" * 10 for _ in range(100)), docker_engine) as devbox:
        assert devbox("shell", "--", "cat", "/built").stdout == "built\n"


def test_two_projects_of_one_name_have_an_environment_each_and_a_link_has_none_of_its_own(
    docker_engine: Engine,
) -> None:
    with _named("one/shop", docker_engine) as first, _named("two/shop", docker_engine) as second:
        for devbox, word in ((first, "first"), (second, "second")):
            (devbox.directory / "word").write_text(word)
            devbox("up")
        assert first("exec", "--", "cat", "word").stdout == "first"
        assert second("exec", "--", "cat", "word").stdout == "second"
        link = first.directory.parent / "link"
        link.symlink_to(first.directory)
        through = Devbox(directory=link, home=first.home, account=first.account)
        assert through.json("up")["changed"] is False


@pytest.mark.parametrize("path", ["/", "/etc", "/tmp", "HOME"])
def test_no_system_directory_and_no_home_becomes_a_project(devbox: Devbox, path: str) -> None:
    place = str(devbox.home) if path == "HOME" else path
    for verb in (("up",), ("build",), ("shell", "--", "true")):
        done = devbox("-C", place, *verb, status=None)
        assert done.returncode in (2, 125)
        assert "error[project-refused]" in done.stderr
    assert not (Path(place) / "devbox.toml").exists()


def test_a_port_that_a_process_holds_moves_to_the_next_and_stays_there(docker_engine: Engine, devbox: Devbox) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        write(devbox, f"[ports]\nweb = {{ guest = 80, host = {taken} }}\n")
        done = devbox("up")
        assert f"{taken} is taken" in done.stderr
    port = devbox.json("status")["ports"][0]
    assert (port["name"], port["host"], port["guest_port"]) == ("web", "127.0.0.1", 80)
    assert port["host_port"] != taken
    devbox("halt")
    devbox("up")
    assert devbox.json("status")["ports"] == [port]
    assert len(docker_engine.containers({LABEL_WORKSPACE: devbox.hash})) == 1


def test_a_port_that_is_lost_while_halted_moves_and_leaves_no_container(docker_engine: Engine, devbox: Devbox) -> None:
    write(devbox, "[ports]\nweb = { guest = 80, host = 0 }\n")
    devbox("up")
    lost = devbox.json("status")["ports"][0]["host_port"]
    devbox("halt")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", lost))
        holder.listen()
        devbox("up")
        assert devbox.json("status")["ports"][0]["host_port"] != lost
    assert len(docker_engine.containers({LABEL_WORKSPACE: devbox.hash})) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can give a directory away")
def test_files_made_inside_belong_to_the_projects_owner(docker_engine: Engine) -> None:
    with project(invoker(), owner=54322) as devbox, own_base(docker_engine, devbox):
        write(devbox)
        said = devbox("shell", "--", "sh", "-c", "touch made; id -u; id -un; echo $HOME").stdout
        assert said.split() == ["54322", "dev", "/home/dev"]
        status = (devbox.directory / "made").stat()
        assert (status.st_uid, status.st_gid) == (54322, 54322)
        assert devbox("exec", "-u", "root", "--", "id", "-u").stdout == "0\n"


def test_the_container_has_no_more_than_the_design_gives_it(docker_engine: Engine, devbox: Devbox) -> None:
    devbox("up")
    client = docker.from_env()
    try:
        box = client.containers.list(filters={"label": f"{LABEL_WORKSPACE}={devbox.hash}"})[0]
        config = box.attrs["HostConfig"]
    finally:
        client.close()
    assert sorted(name.removeprefix("CAP_") for name in config["CapAdd"]) == [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "KILL",
        "SETGID",
        "SETPCAP",
        "SETUID",
    ]
    assert config["CapDrop"] == ["ALL"]
    assert any("no-new-privileges" in option for option in config["SecurityOpt"])
    assert (config["Privileged"], config["Init"], config["PidsLimit"]) == (False, False, 4096)
    assert not config["Binds"]
    assert not config["Devices"]
    sources = [mount["Source"] for mount in config["Mounts"] if mount["Type"] == "bind"]
    state = devbox.home.resolve() / ".local/state/devbox"
    assert sorted(source.replace(str(state), "STATE") for source in sources if "/agent" in source)[-1] == (
        f"STATE/s/{devbox.hash}/agent"
    )
    assert str(devbox.directory.resolve()) in sources
    assert not [source for source in sources if "docker.sock" in source]


def _docker(*words: str, stdin: bytes = b"") -> None:
    subprocess.run(["docker", *words], input=stdin, check=True, capture_output=True)


def test_an_entrypoint_that_exits_is_switched_off(docker_engine: Engine, devbox: Devbox) -> None:
    tag = f"devbox-test/entrypoint:{devbox.hash}"
    request = ContainerRequest(name=None, image=base(devbox), command=("true",), labels=labels())
    container = docker_engine.create(request)
    try:
        _docker("commit", "-c", 'ENTRYPOINT ["/bin/false"]', "-c", "VOLUME /workspaces", container, tag)
    finally:
        docker_engine.remove(container)
    try:
        (devbox.directory / "devbox.toml").write_text(f'user.shell = "sh"\n[base]\nimage = "{tag}"\n')
        assert "base" in devbox("shell", "--", "cat", "devbox.toml").stdout
    finally:
        devbox("destroy", "-f")
        remove_images(docker_engine, devbox)
        docker_engine.remove_image(tag, force=True)


def test_what_cannot_be_built_without_a_shell_is_refused_by_name(docker_engine: Engine, devbox: Devbox) -> None:
    tag = f"devbox-test/noshell:{devbox.hash}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("only"))
    _docker("import", "-", tag, stdin=archive.getvalue())
    try:
        (devbox.directory / "devbox.toml").write_text(f'packages.system = ["less"]\n[base]\nimage = "{tag}"\n')
        done = devbox("--json", "up", status=1)
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "base-unusable"
        assert tag in error["message"]
        assert [problem["key"] for problem in error["problems"]] == ["packages.system"]
    finally:
        docker_engine.remove_image(tag, force=True)
    assert docker_engine.containers({LABEL_WORKSPACE: devbox.hash}) == []
