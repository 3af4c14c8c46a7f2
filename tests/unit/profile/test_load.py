"""Layers, their order, and every surprise a file can be."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devbox.errors import DevboxError, Problem, ProfileError
from devbox.profile import source
from devbox.profile.load import Loaded, load

Load = Callable[..., Loaded]
Refused = Callable[..., tuple[Problem, ...]]


def test_an_empty_profile_is_the_defaults(loaded: Load, project: Path) -> None:
    found = loaded("")
    assert found.profile.name == "shop"
    assert found.profile.base.image == "debian:12"
    assert found.profile.resources.pids == 4096
    assert found.origins["name"].source == "built-in"
    assert found.files == (project / "devbox.toml",)


def test_no_profile_says_how_to_write_one(project: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        load(project, environ={})
    assert caught.value.exit_status == 2
    assert caught.value.hint == "write a profile: devbox init"


def test_a_fallback_stands_in_for_a_missing_profile_alone(loaded: Load, project: Path) -> None:
    found = load(project, environ={}, fallback='name = "other"')
    assert found.profile.name == "other"
    assert found.origins["name"].source == "detected"
    assert found.files == ()
    assert loaded('name = "mine"', fallback='name = "other"').profile.name == "mine"


def test_layers_in_order(loaded: Load, project: Path, home: Path) -> None:
    (home / ".config/devbox").mkdir(parents=True)
    (home / ".config/devbox/config.toml").write_text(
        'runtime = "vm"\n[resources]\ncpus = 1\nmemory = "1 GiB"\npids = 100\n[env]\nWHO = "user"\n'
    )
    (project / "team.toml").write_text('[env]\nWHO = "team"\nTEAM = "x"\n[base]\nimage = "debian:11"\n')
    (project / "devbox.local.toml").write_text('[env]\nWHO = "local"\n')
    found = loaded(
        'extends = ["./team.toml"]\nruntime = "container"\n[resources]\ncpus = 2\nmemory = "2 GiB"\n'
        '[env]\nWHO = "repo"\n',
        environ={"DEVBOX_MEMORY": "3 GiB", "DEVBOX_CPUS": "1.5", "DEVBOX_RUNTIME": "", "DEVBOX_FAULT": "count:x"},
        flags={"resources.memory": "4 GiB", "base.image": None},
    )
    profile = found.profile
    assert (profile.env.values, profile.runtime) == ({"WHO": "local", "TEAM": "x"}, "container")
    assert (profile.resources.cpus, profile.resources.memory, profile.resources.pids) == (1.5, "4 GiB", 100)
    sources = {key: (origin.source, origin.file, origin.line) for key, origin in found.origins.items()}
    assert sources["env.WHO"] == ("devbox.local.toml", "devbox.local.toml", 2)
    assert sources["env.TEAM"] == ("base profile ./team.toml", "team.toml", 3)
    assert sources["base.image"] == ("base profile ./team.toml", "team.toml", 5)
    assert sources["resources.cpus"] == ("DEVBOX_CPUS", None, None)
    assert sources["resources.memory"] == ("flag", None, None)
    assert sources["resources.pids"] == ("user", "~/.config/devbox/config.toml", 5)
    assert sources["runtime"] == ("devbox.toml", "devbox.toml", 2)
    assert found.layers == (
        "built-in", "base profile ./team.toml", "user", "devbox.toml", "devbox.local.toml", "DEVBOX_CPUS",
        "DEVBOX_MEMORY", "flag",
    )  # fmt: skip
    assert {path.name for path in found.files} == {"team.toml", "config.toml", "devbox.toml", "devbox.local.toml"}


def test_lists_append_and_drop_what_is_there(loaded: Load, project: Path) -> None:
    (project / "a.toml").write_text('[packages]\nsystem = ["git", "less"]\n')
    (project / "devbox.local.toml").write_text('[packages]\nsystem = ["less", "jq"]\n')
    found = loaded('extends = ["./a.toml"]\n[packages]\nsystem = ["curl", "git"]\n')
    assert found.profile.packages.system == ("git", "less", "curl", "jq")
    assert found.origins["packages.system[3]"].file == "devbox.local.toml"
    assert found.origins["packages.system[3]"].key == "packages.system[1]"


def test_a_later_mount_or_step_takes_the_place_of_its_twin(loaded: Load, project: Path) -> None:
    (project / "a.toml").write_text(
        '[[mounts]]\nsource = "./a"\ntarget = "/data"\n'
        '[[provision]]\nname = "db"\nrun = "a"\n[[provision]]\nrun = "z"\n'
    )
    found = loaded(
        'extends = ["./a.toml"]\n[[mounts]]\nsource = "./b"\ntarget = "/data"\n[[provision]]\nname = "db"\nrun = "b"\n'
    )
    assert [(mount.source, mount.target) for mount in found.profile.mounts] == [("./b", "/data")]
    assert [step.run for step in found.profile.provision] == ["b", "z"]


def test_a_base_of_another_kind_replaces_the_base(loaded: Load, project: Path) -> None:
    (project / "a.toml").write_text('[base]\ndockerfile = "Dockerfile"\ntarget = "dev"\n[secrets]\nT = { env = "A" }\n')
    found = loaded('extends = ["./a.toml"]\n[base]\nimage = "debian:13"\n[secrets]\nT = { file = "t" }\n')
    assert found.profile.base.model_dump(exclude_none=True) == {"image": "debian:13"}
    assert found.profile.secrets["T"].model_dump(exclude_none=True) == {"file": "t"}


def test_a_target_of_another_layer_joins_its_dockerfile(loaded: Load, project: Path) -> None:
    (project / "devbox.local.toml").write_text('[base]\ntarget = "debug"\n')
    base = loaded('[base]\ndockerfile = "Dockerfile"\ntarget = "dev"\n').profile.base
    assert (base.dockerfile, base.target) == ("Dockerfile", "debug")


def test_a_personal_host_port_joins_a_port_written_short(loaded: Load, project: Path) -> None:
    (project / "devbox.local.toml").write_text("[ports]\nweb = { host = 9000 }\n")
    found = loaded("[ports]\nweb = 8000\n")
    assert (found.profile.ports["web"].guest, found.profile.ports["web"].host) == (8000, 9000)
    assert found.origins["ports.web.guest"].file == "devbox.toml"


def test_newline_in_a_variable_stays_data(loaded: Load) -> None:
    assert loaded('[env]\nA = "x\\nLD_PRELOAD=y"').profile.env.values == {"A": "x\nLD_PRELOAD=y"}


def test_bom_and_crlf_are_read(loaded: Load, project: Path) -> None:
    (project / "devbox.toml").write_bytes(b'\xef\xbb\xbfname = "a"\r\n[ports]\r\nweb = 80\r\n')
    found = load(project, environ={})
    assert (found.profile.name, found.origins["ports.web"].line) == ("a", 3)


def test_all_layers_are_reported_at_once(refused: Refused, project: Path, home: Path) -> None:
    (home / ".config/devbox").mkdir(parents=True)
    (home / ".config/devbox/config.toml").write_text('runtime = "x"\n')
    (project / "team.toml").write_text('\nname = "Not A Slug"\n')
    (project / "broken.toml").write_text("= 1\n")
    (project / "devbox.local.toml").write_text("[ports]\nweb = true\n")
    problems = refused(
        'extends = ["./team.toml", "./broken.toml"]\nname = "fine"\npakages = 1\n', environ={"DEVBOX_PIDS": "many"}
    )
    assert {(problem.file, problem.line, problem.key) for problem in problems} == {
        ("~/.config/devbox/config.toml", 1, "runtime"),
        ("team.toml", 2, "name"),  # wrong though devbox.toml overrides it
        ("broken.toml", 1, None),
        ("devbox.toml", 3, "pakages"),
        ("devbox.local.toml", 2, "ports.web"),
        (None, None, "resources.pids"),
    }
    assert any("DEVBOX_PIDS" in problem.message for problem in problems)


def test_what_only_the_merging_shows_has_the_place_of_the_later_layer(refused: Refused, project: Path) -> None:
    (project / "devbox.local.toml").write_text('\n\n[[mounts]]\nsource = "./x"\n')
    (problem,) = refused('[[mounts]]\nsource = "./x"\ntarget = "/x"\n')
    assert (problem.file, problem.line, problem.key) == ("devbox.local.toml", 3, "mounts[0].target")


def test_a_misspelt_variable_is_named(refused: Refused) -> None:
    (problem,) = refused("", environ={"DEVBOX_RUNTMIE": "vm", "DEVBOX_PROJECT_ROOT": "/x", "DEVBOX_FAULT": "1:kill"})
    assert problem.hint == "did you mean DEVBOX_RUNTIME?"


def test_flags_are_checked_as_well(refused: Refused) -> None:
    (problem,) = refused("", flags={"base.image": "--privileged"})
    assert problem.key == "base.image"
    assert problem.message.endswith("(from flag)")


@pytest.mark.parametrize(
    "text",
    [
        'env.from_host = ["HOME"]',
        '[base]\nimage = "x"',
        "[[mounts]]\nsource='/'\ntarget='/x'",
        'isolation = "standard"',
    ],
)
def test_the_users_layer_sets_only_what_harms_nobody(text: str, refused: Refused, home: Path) -> None:
    (home / ".config/devbox").mkdir(parents=True)
    (home / ".config/devbox/config.toml").write_text(text)
    (problem,) = refused("")
    assert problem.message == "cannot be set for all projects"


def test_an_extends_in_the_local_file_is_refused(refused: Refused, project: Path) -> None:
    (project / "devbox.local.toml").write_text('extends = ["base"]')
    assert [problem.key for problem in refused("")] == ["extends"]


def test_base_profiles_in_order_each_once(loaded: Load, project: Path) -> None:
    (project / "lib").mkdir()
    (project / "lib/c.toml").write_text('[packages]\nsystem = ["c1"]')
    (project / "a.toml").write_text('extends = ["./lib/c.toml"]\n[packages]\nsystem = ["a1"]\n[env]\nX = "a"')
    (project / "lib/devbox.toml").write_text('extends = ["./c.toml"]\n[packages]\nsystem = ["b1"]\n[env]\nX = "b"')
    found = loaded('extends = ["./a.toml", "./lib"]')
    assert found.profile.packages.system == ("c1", "a1", "b1")
    assert found.profile.env.values == {"X": "b"}
    assert found.profile.extends == ("./a.toml", "./lib")


def test_a_base_profile_of_the_catalogue(loaded: Load) -> None:
    found = loaded('extends = ["python"]')
    assert found.profile.packages.python is not None
    assert "git" in found.profile.packages.system
    assert found.layers[1:3] == ("base profile base", "base profile python")


def test_a_circle_is_refused_with_its_chain(refused: Refused, project: Path) -> None:
    (project / "a.toml").write_text('extends = ["./b.toml"]')
    (project / "b.toml").write_text('\nextends = ["./a.toml"]')
    (problem,) = refused('extends = ["./a.toml"]')
    assert problem.message == "extends itself in a circle: a.toml -> b.toml -> a.toml"
    assert (problem.file, problem.line) == ("b.toml", 2)


def test_a_link_out_of_the_project_is_no_base_profile(refused: Refused, project: Path) -> None:
    (project.parent / "secret.toml").write_text('name = "x"')
    (project / "a.toml").symlink_to(project.parent / "secret.toml")
    (problem,) = refused('extends = ["./a.toml"]')
    assert problem.message == '"./a.toml" leads out of the project'


def test_a_link_in_the_project_is_fine(loaded: Load, project: Path) -> None:
    (project / "real.toml").write_text('[env]\nA = "1"')
    (project / "a.toml").symlink_to("real.toml")
    assert loaded('extends = ["./a.toml"]').profile.env.values == {"A": "1"}


def test_a_circle_of_links_is_no_base_profile(refused: Refused, project: Path) -> None:
    (project / "a.toml").symlink_to("b.toml")
    (project / "b.toml").symlink_to("a.toml")
    assert len(refused('extends = ["./a.toml"]')) == 1


@pytest.mark.parametrize("key", ["packages.python.requirements = ['link/x']", "provision = [{ script = 'link/x' }]"])
def test_a_link_out_of_the_project_is_no_path_in_it(key: str, refused: Refused, project: Path) -> None:
    (project / "link").symlink_to("/tmp")
    (problem,) = refused(key)
    assert problem.message == '"link/x" is a link that leads out of the project'
    assert problem.line == 1


def _problem(project: Path) -> Problem:
    with pytest.raises(ProfileError) as caught:
        load(project, environ={})
    (problem,) = caught.value.problems
    return problem


def test_a_fifo_does_not_hang(project: Path) -> None:
    os.mkfifo(project / "devbox.toml")
    assert _problem(project).message == "is no regular file"


def test_a_directory_is_no_profile(project: Path) -> None:
    (project / "devbox.toml").mkdir()
    assert _problem(project).file == "devbox.toml"


def test_a_link_to_nowhere_is_no_missing_profile(project: Path) -> None:
    (project / "devbox.toml").symlink_to("nowhere")
    with pytest.raises(ProfileError) as caught:
        load(project, environ={}, fallback='name = "x"')
    assert "cannot be read" in caught.value.problems[0].message


def test_a_link_out_of_the_project_is_no_profile(project: Path) -> None:
    (project / "devbox.toml").symlink_to("/etc/hostname")
    assert _problem(project).message == "is a link that leads out of the project"


def test_a_large_file_is_refused_unread(project: Path) -> None:
    with (project / "devbox.toml").open("wb") as file:
        file.truncate(10**11)
    assert _problem(project).message == "is larger than 1 MB, which no profile is"


def test_whose_file_it_may_be() -> None:
    assert source.may_own(1000, user=1000)
    assert source.may_own(0, user=1000)
    assert source.may_own(1000, user=0)
    assert not source.may_own(1001, user=1000)


def test_a_file_of_another_user_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "devbox.toml").write_text("")
    if os.geteuid() == 0:  # root's own files are everybody's
        os.chown(project / "devbox.toml", 12345, -1)
    owner = (project / "devbox.toml").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert "belongs to another user" in _problem(project).message


def test_a_token_in_env_is_a_warning(loaded: Load) -> None:
    found = loaded('[env]\nGITHUB = "ghp_0123456789abcdefghij0123"\nPLAIN = "task-0123456789abcdef"\n')
    (warning,) = found.warnings
    assert (warning.key, warning.line) == ("env.GITHUB", 2)
    assert "0123456789" not in f"{warning.message}{warning.hint}"


PIECES = [
    *(b"[ports]\n", b"[[mounts]]\n", b"web=", b"1\n", b"{", b"}", b"[", b"]", b'"', b"'''", b"a.b=", b"env", b"="),
    *(b"\n", b"inf", b"1e400\n", b"2020-01-01\n", b"0x" + b"f" * 5000, b"\\u0000", b"base", b"extends=", b"['x']\n"),
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
def test_whatever_the_bytes_only_our_errors_leave(content: bytes, project: Path) -> None:
    (project / "devbox.toml").write_bytes(content)
    try:
        load(project, environ={})
    except DevboxError as error:
        assert error.exit_status == 2  # noqa: PT017 (most of these inputs fail, some do not)


def test_a_language_s_variable_goes_before_the_profile_where_that_asks_for_the_language(loaded: Load) -> None:
    environ = {"DEVBOX_PYTHON_VERSION": "3.12", "DEVBOX_NODE_VERSION": "22"}
    found = loaded('packages.python.version = "3.9"\n', environ=environ)
    assert found.profile.packages.python is not None
    assert found.profile.packages.python.version == "3.12"
    assert found.profile.packages.node is None
    assert found.origins["packages.python.version"].source == "DEVBOX_PYTHON_VERSION"
    based = loaded('extends = ["node"]\n', environ=environ)
    assert based.profile.packages.node is not None
    assert based.profile.packages.node.version == "22"
    assert loaded("name = 'x'", environ=environ).profile.packages.python is None


def test_a_language_s_variable_is_checked_as_a_version(refused: Callable[..., tuple[Problem, ...]]) -> None:
    (problem,) = refused("packages.go = {}", environ={"DEVBOX_GO_VERSION": "new"})
    assert problem.key == "packages.go.version"
    (near,) = refused("", environ={"DEVBOX_PYTON_VERSION": "3"})
    assert near.hint == "did you mean DEVBOX_PYTHON_VERSION?"
