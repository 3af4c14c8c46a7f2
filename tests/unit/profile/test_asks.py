"""What needs trust, and what nobody gets (bad inputs 5 and 11)."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.errors import ProfileError
from devbox.profile.asks import Grants, TrustItem, digest, granted, requests
from devbox.profile.load import Loaded

Load = Callable[..., Loaded]
Asks = Callable[..., tuple[TrustItem, ...]]


@pytest.fixture
def asks(loaded: Load, project: Path) -> Asks:
    def run(text: str, environ: dict[str, str] | None = None) -> tuple[TrustItem, ...]:
        return requests(loaded(text), project, environ=environ or {})

    return run


def mount(source: str) -> str:
    return f'[[mounts]]\nsource = "{source}"\ntarget = "/data"\n'


def test_an_ordinary_profile_asks_nothing(asks: Asks) -> None:
    assert (
        asks(
            'extends = ["python"]\n[packages]\nsystem = ["git"]\n[env]\nA = "b"\n[ports]\nweb = 8000\n'
            '[[mounts]]\nsource = "./data"\ntarget = "/data"\n[secrets]\nT = { file = ".token" }\n'
            '[[provision]]\nrun = "make"\n[network]\nca_bundle = "certs/ca.pem"\n'
        )
        == ()
    )


def test_everything_that_reaches_the_host_is_asked_for(asks: Asks, project: Path, home: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch\n")
    (home / "data").mkdir()
    items = asks(
        '[base]\ndockerfile = "Dockerfile"\ntarget = "dev"\n[env]\nfrom_host = ["AWS_PROFILE"]\n'
        '[secrets]\nA = { env = "TOKEN" }\nB = { file = "~/.npmrc" }\n'
        '[[mounts]]\nsource = "~/data"\ntarget = "/data"\nread_only = true\n'
        '[ports]\nweb = { guest = 80, host = 8080, expose = "lan" }\n'
        '[resources]\ngpus = "all"\ndevices = ["/dev/kvm"]\n[network]\nca_bundle = "/usr/share/company.pem"\n'
        '[sync]\nallow = [".envrc"]\n'
    )
    assert {(item.kind, item.name, item.key, item.line) for item in items} == {
        ("dockerfile", "base.dockerfile", "base.dockerfile", 2),
        ("variable", "env.from_host AWS_PROFILE", "env.from_host[0]", 5),
        ("variable", "secrets.A", "secrets.A.env", 7),
        ("host-file", "secrets.B", "secrets.B.file", 8),
        ("host-path", "mounts /data", "mounts[0].source", 10),
        ("lan", "ports.web", "ports.web.expose", 14),
        ("gpus", "resources.gpus", "resources.gpus", 16),
        ("device", "resources.devices /dev/kvm", "resources.devices[0]", 17),
        ("host-path", "network.ca_bundle", "network.ca_bundle", 19),
        ("file", "sync.allow .envrc", "sync.allow[0]", 21),
    }
    assert granted(items) == Grants(
        host_paths=frozenset({str(home / "data"), "/usr/share/company.pem"}),
        devices=frozenset({"/dev/kvm"}),
        gpus=True,
        addresses=frozenset({"0.0.0.0"}),
    )
    assert all(item.sentence.isprintable() for item in items)


def test_nothing_asked_grants_nothing() -> None:
    assert granted(()) == Grants()


@pytest.mark.parametrize(
    "source",
    [
        *("/", "~", "~/.ssh", "~/.ssh/id_ed25519", "~/.gnupg", "/proc", "/proc/1/root", "/sys", "/dev", "/dev/sda"),
        *("/etc", "/etc/shadow", "/home/../etc", "~/..", "../..", "~/.local", "~/.local/state/devbox/trust"),
        *("~/.config/devbox", "/var/lib/docker", "/var/run/docker.sock", "/run", "/srv/docker.sock"),
        *("/run/user/engine.sock", "/opt/socks"),
    ],
)
def test_what_no_environment_gets(source: str, asks: Asks) -> None:
    environ = {"DOCKER_HOST": "unix:///run/user/engine.sock", "CONTAINER_HOST": "unix:///opt/socks/p.sock"}
    with pytest.raises(ProfileError) as caught:
        asks(mount(source), environ)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == ("devbox.toml", 2, "mounts[0].source")


@pytest.mark.parametrize("target", ["/", "/etc", "/var/run/docker.sock"])
def test_a_link_in_the_project_is_judged_by_where_it_leads(target: str, asks: Asks, project: Path) -> None:
    (project / "innocent").symlink_to(target)
    with pytest.raises(ProfileError) as caught:
        asks(mount("./innocent"))
    assert "leads to" in caught.value.problems[0].message or target == "/"


def test_a_link_to_the_keys_is_judged_by_where_it_leads(asks: Asks, project: Path, home: Path) -> None:
    (home / ".ssh").mkdir()
    (project / "data").symlink_to(home / ".ssh")
    with pytest.raises(ProfileError):
        asks(mount("./data/id_rsa"))
    with pytest.raises(ProfileError):
        asks('[secrets]\nKEY = { file = "data/id_rsa" }\n')


def test_a_home_below_a_link_is_still_the_home(
    asks: Asks, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = home.parent / "link"
    link.symlink_to(home)
    monkeypatch.setenv("HOME", str(link))
    for source in (str(home), str(link), "~"):
        with pytest.raises(ProfileError):
            asks(mount(source))


def test_a_directory_beside_the_project_can_be_trusted(asks: Asks, project: Path) -> None:
    (project.parent / "other").mkdir()
    (item,) = asks(mount("../other"))
    assert (item.kind, item.value, item.path) == (
        "host-path",
        str(project.parent / "other"),
        str(project.parent / "other"),
    )


def test_an_agents_socket_is_named_as_one(asks: Asks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has 107 bytes at most
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("agent")
    listener.close()
    (item,) = asks(mount(str(tmp_path / "agent")))
    assert item.kind == "socket"


def test_a_circle_of_links_is_refused(asks: Asks, project: Path) -> None:
    (project / "a").symlink_to("b")
    (project / "b").symlink_to("a")
    with pytest.raises(ProfileError):
        asks('[base]\ndockerfile = "a"\n')


def test_a_dockerfile_that_is_not_there_is_said(asks: Asks) -> None:
    with pytest.raises(ProfileError) as caught:
        asks('[base]\ndockerfile = "Dockerfile"\n')
    assert "no such file" in caught.value.problems[0].message


def test_the_digest_changes_with_each_value_and_nothing_else(asks: Asks, project: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch\n")
    text = '[base]\ndockerfile = "Dockerfile"\n[env]\nfrom_host = ["A", "B"]\n'
    first = digest(asks(text))
    assert first == digest(
        asks(f'# moved\nname = "x"\n{text.replace(chr(34) + "A" + chr(34) + ", ", "")[:-2]}, "A"]\n')
    )
    assert first == digest(asks(text + '[packages]\nsystem = ["git"]\n'))
    assert first != digest(asks(text.replace('"B"', '"C"')))
    (project / "Dockerfile").write_text("FROM scratch \n")
    assert first != digest(asks(text))


def test_read_only_and_target_are_part_of_what_is_agreed_to(asks: Asks, project: Path) -> None:
    (project.parent / "other").mkdir()
    text = mount("../other")
    digests = {digest(asks(text)), digest(asks(text + "read_only = true")), digest(asks(text.replace("/data", "/x")))}
    assert len(digests) == 3


def test_the_users_own_certificates_need_no_trust(asks: Asks, home: Path) -> None:
    (home / ".config/devbox").mkdir(parents=True)
    (home / ".config/devbox/config.toml").write_text('[network]\nca_bundle = "/usr/share/company.pem"\n')
    assert asks("") == ()
