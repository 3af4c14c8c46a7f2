"""The policy: what no request may have, by every spelling that leads to it (S-14)."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from devbox.engine import payload, policy
from devbox.engine.base import Allowance, ContainerRequest, ExecRequest, ImageConfig, Mount, MountKind
from devbox.engine.policy_container import RUN_CAPABILITIES, STEP_CAPABILITIES
from devbox.errors import PolicyError
from devbox.values import LABEL_OWNER, LABEL_ROLE

LABELS = ((LABEL_ROLE, "step"), (LABEL_OWNER, "1000-abc"))
PROJECT = "/home/someone/project"


def _request(**options: Any) -> ContainerRequest:
    mounts = (
        Mount(kind=MountKind.BIND, source=PROJECT, target="/workspaces/project"),
        Mount(kind=MountKind.VOLUME, source="devbox-cache", target="/cache", labels=LABELS),
        Mount(kind=MountKind.TMPFS, source="", target="/run/devbox"),
    )
    defaults = {
        "name": "devbox-x",
        "image": "sha256:" + "0" * 64,
        "command": ("sleep", "infinity"),
        "labels": LABELS,
        "mounts": mounts,
        "capabilities": STEP_CAPABILITIES,
        "workdir": "/workspaces/project",
        "hostname": "project",
        "cpus": 1.5,
        "memory": 2**30,
        "pids": 4096,
    }
    return ContainerRequest(**{**defaults, **options})


def _check(body: Any, *, path: str = "/v1.41/containers/create?name=x", method: str = "POST", **allowed: Any) -> None:
    text = body if isinstance(body, str | bytes | None) else json.dumps(body)
    with policy.allowing(Allowance(**{"bind_sources": frozenset({PROJECT}), **allowed})):
        policy.check(policy.EngineRequest(method=method, path=path, body=text), resolve=_resolve)


def _resolve(path: str) -> str:
    """Follow the links of a host that has some."""
    links = {f"{PROJECT}/link": "/var/run/docker.sock", f"{PROJECT}/root": "/"}
    return links.get(path, path)


def _body(change: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a good request with `change` put in; keys with dots go deeper, None takes a key out."""
    body = copy.deepcopy(payload.container_body(_request()))
    for dotted, value in change.items():
        *way, last = dotted.split(".")
        target = body
        for part in way:
            target = target.setdefault(part, {})
        if value is ...:
            target.pop(last, None)
        else:
            target[last] = value
    return body


def _bind(**mount: Any) -> dict[str, Any]:
    return {"HostConfig.Mounts": [{"Type": "bind", "Source": PROJECT, "Target": "/data", **mount}]}


def _volume(**mount: Any) -> dict[str, Any]:
    options = {"Labels": dict(LABELS)}
    return {
        "HostConfig.Mounts": [{"Type": "volume", "Source": "v1", "Target": "/data", "VolumeOptions": options, **mount}]
    }


def test_the_requests_that_devbox_makes_pass() -> None:
    _check(payload.container_body(_request()))
    _check(payload.container_body(_request(capabilities=RUN_CAPABILITIES, init=True, stdin=True, network="none")))
    process = ExecRequest(argv=("sh",), user="dev", workdir="/tmp", env=(("A", "1"),), terminal=True)
    _check(payload.exec_body(process, sized=True), path="/v1.44/containers/abc/exec")
    image = ImageConfig(env=(("A", "1"),), command=("sh",), labels=LABELS)
    _check(payload.image_body(image), path="/v1.41/commit?container=abc")


FORBIDDEN: dict[str, dict[str, Any]] = {
    "privileged": {"HostConfig.Privileged": True},
    "privileged, as a word": {"HostConfig.Privileged": "true"},
    "privileged, in lower case": {"HostConfig.privileged": True},
    "privileged, in a twin of HostConfig": {"hostconfig": {"Privileged": True}},
    "privileged, in an odd S": {"Ho\u017ftConfig": {"Privileged": True}},
    "an empty twin that would win": {"HostConfig.capdrop": []},
    "bind by Binds": {"HostConfig.Binds": ["/:/host"]},
    "bind by Binds of the project": {"HostConfig.Binds": [f"{PROJECT}:/data"]},
    "bind by Volumes": {"Volumes": {"/:/host": {}}},
    "bind of the root": _bind(Source="/"),
    "bind of the engine's socket": _bind(Source="/var/run/docker.sock"),
    "bind of the engine's socket, read-only": _bind(Source="/run/docker.sock", ReadOnly=True),
    "bind of a directory that holds it": _bind(Source="/run"),
    "bind of a link to the socket": _bind(Source=f"{PROJECT}/link"),
    "bind of a link to the root": _bind(Source=f"{PROJECT}/root"),
    "bind of the engine's store": _bind(Source="/var/lib/docker/volumes/x/_data"),
    "bind of /proc": _bind(Source="/proc"),
    "bind of /sys below": _bind(Source="/sys/fs/cgroup"),
    "bind of a device": _bind(Source="/dev/sda"),
    "bind of a sibling by name": _bind(Source=f"{PROJECT}-other"),
    "bind of a parent": _bind(Source="/home/someone"),
    "bind upward by dots": _bind(Source=f"{PROJECT}/../.."),
    "bind without a source": _bind(Source=""),
    "bind with source left out": {"HostConfig.Mounts": [{"Type": "bind", "Target": "/data"}]},
    "bind of a relative path": _bind(Source="project"),
    "bind that makes its source": _bind(BindOptions={"CreateMountpoint": True}),
    "bind that spreads mounts": _bind(BindOptions={"Propagation": "rshared"}),
    "bind, its type in upper case": _bind(Type="BIND"),
    "mount over /proc inside": _bind(Target="/proc/1"),
    "mount over / inside": _bind(Target="/"),
    "mount with a source by another name": _bind(source="/"),
    "pipe": {"HostConfig.Mounts": [{"Type": "npipe", "Source": "x", "Target": "/x"}]},
    "volume that is a bind": _volume(
        VolumeOptions={
            "Labels": dict(LABELS),
            "DriverConfig": {"Name": "local", "Options": {"o": "bind", "device": "/"}},
        }
    ),
    "volume by path": _volume(Source="/etc"),
    "volume without labels": _volume(VolumeOptions={}),
    "volume without options": {"HostConfig.Mounts": [{"Type": "volume", "Source": "v1", "Target": "/data"}]},
    "volumes of another container": {"HostConfig.VolumesFrom": ["other"]},
    "volume driver": {"HostConfig.VolumeDriver": "local"},
    "tmpfs by its own key": {"HostConfig.Tmpfs": {"/proc": ""}},
    "host pid": {"HostConfig.PidMode": "host"},
    "pid of another": {"HostConfig.PidMode": "container:x"},
    "host ipc": {"HostConfig.IpcMode": "host"},
    "shareable ipc": {"HostConfig.IpcMode": "shareable"},
    "host uts": {"HostConfig.UTSMode": "host"},
    "host users": {"HostConfig.UsernsMode": "host"},
    "host cgroups": {"HostConfig.CgroupnsMode": "host"},
    "host network": {"HostConfig.NetworkMode": "host"},
    "host network, in upper case": {"HostConfig.NetworkMode": "HOST"},
    "network of another": {"HostConfig.NetworkMode": "container:x"},
    "network by path": {"HostConfig.NetworkMode": "ns:/proc/1/ns/net"},
    "foreign network": {"HostConfig.NetworkMode": "company"},
    "host network by endpoints": {"NetworkingConfig": {"EndpointsConfig": {"host": {}}}},
    "no capability dropped": {"HostConfig.CapDrop": []},
    "capabilities to drop left out": {"HostConfig.CapDrop": ...},
    "only some dropped": {"HostConfig.CapDrop": ["NET_RAW"]},
    "all capabilities": {"HostConfig.CapAdd": ["ALL"]},
    "a strong capability": {"HostConfig.CapAdd": ["SYS_ADMIN"]},
    "a strong capability, spelled out": {"HostConfig.CapAdd": ["cap_sys_ptrace"]},
    "capabilities by the old key": {"HostConfig.Capabilities": ["CAP_SYS_ADMIN"]},
    "new privileges": {"HostConfig.SecurityOpt": []},
    "security options left out": {"HostConfig.SecurityOpt": ...},
    "new privileges by false": {"HostConfig.SecurityOpt": ["no-new-privileges:false"]},
    "new privileges by a second word": {"HostConfig.SecurityOpt": ["no-new-privileges", "no-new-privileges=false"]},
    "no seccomp": {"HostConfig.SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "no apparmor": {"HostConfig.SecurityOpt": ["no-new-privileges", "apparmor:unconfined"]},
    "no masked paths by option": {"HostConfig.SecurityOpt": ["no-new-privileges", "systempaths=unconfined"]},
    "no masked paths": {"HostConfig.MaskedPaths": ["/x"]},
    "no read-only paths": {"HostConfig.ReadonlyPaths": ["/x"]},
    "device": {"HostConfig.Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm"}]},
    "device without a path": {"HostConfig.Devices": [{}]},
    "device by rule": {"HostConfig.DeviceCgroupRules": ["a *:* rwm"]},
    "gpu": {"HostConfig.DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]},
    "link": {"HostConfig.Links": ["other:db"]},
    "sysctl": {"HostConfig.Sysctls": {"kernel.core_pattern": "|/x"}},
    "runtime": {"HostConfig.Runtime": "evil"},
    "cgroup": {"HostConfig.CgroupParent": "/"},
    "oom": {"HostConfig.OomKillDisable": True},
    "oom score": {"HostConfig.OomScoreAdj": -1000},
    "groups": {"HostConfig.GroupAdd": ["0"]},
    "host names": {"HostConfig.ExtraHosts": ["registry:1.2.3.4"]},
    "log sink": {"HostConfig.LogConfig": {"Type": "syslog", "Config": {"syslog-address": "tcp://1.2.3.4"}}},
    "restart for ever": {"HostConfig.RestartPolicy": {"Name": "always"}},
    "endless processes": {"HostConfig.PidsLimit": -1},
    "annotations": {"HostConfig.Annotations": {"run.oci.keep_original_groups": "1"}},
    "a key of tomorrow": {"HostConfig.Tomorrow": True},
    "a top-level key of tomorrow": {"Tomorrow": True},
    "workdir in a descriptor": {"WorkingDir": "/proc/self/fd/8"},
    "workdir with dots": {"WorkingDir": "/a/../proc"},
    "user that is none": {"User": "0:0\n"},
    "labels left out": {"Labels": ...},
    "a label left out": {"Labels": {LABEL_ROLE: "step"}},
    "host config left out": {"HostConfig": ...},
    "host config null": {"HostConfig": None},
}


@pytest.mark.parametrize("change", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_container_is_refused_with(change: dict[str, Any]) -> None:
    with pytest.raises(PolicyError) as caught:
        _check(_body(change))
    assert caught.value.problems


ALLOWED = {
    "host network": ({"HostConfig.NetworkMode": "host"}, {"host_network": True}),
    "capability": ({"HostConfig.CapAdd": ["CAP_SYS_PTRACE"]}, {"capabilities": frozenset({"SYS_PTRACE"})}),
    "device": (
        {"HostConfig.Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm", "CgroupPermissions": "rwm"}]},
        {"devices": frozenset({"/dev/kvm"})},
    ),
    "gpu": ({"HostConfig.DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, {"gpus": True}),
    "path": (_bind(Source="/srv/data/below"), {"bind_sources": frozenset({"/srv/data"})}),
}


@pytest.mark.parametrize(("change", "consent"), ALLOWED.values(), ids=ALLOWED.keys())
def test_consent_lets_pass_what_is_refused_without(change: dict[str, Any], consent: dict[str, Any]) -> None:
    body = _body({"HostConfig.Mounts": [], **change})
    with pytest.raises(PolicyError):
        _check(body)
    _check(body, **consent)


EVERYTHING: dict[str, Any] = {
    "bind_sources": frozenset({"/"}),
    "capabilities": frozenset({"ALL"}),
    "devices": frozenset({"/dev"}),
    "gpus": True,
    "host_network": True,
}


def test_no_consent_reaches_the_engine_or_all_capabilities() -> None:
    for name in (
        "bind of the engine's socket",
        "bind of the root",
        "bind of a directory that holds it",
        "all capabilities",
    ):
        with pytest.raises(PolicyError):
            _check(_body(FORBIDDEN[name]), **EVERYTHING)
    for path in ("/run/user/1000", "/run/user/1000/podman", "/home/x/.local/docker.sock", "/var", "/proc/1/root"):
        with pytest.raises(PolicyError):
            _check(_body(_bind(Source=path)), **EVERYTHING)


def _published(port: str = "80/tcp", **binding: str) -> dict[str, Any]:
    return {port: [{"HostIp": "127.0.0.1", "HostPort": "8080", **binding}]}


PUBLISHED: dict[str, dict[str, Any]] = {
    "on loopback": {"HostConfig.PortBindings": _published()},
    "on loopback by v6": {"HostConfig.PortBindings": _published(HostIp="::1")},
    "on loopback, the engine's choice": {"HostConfig.PortBindings": _published(HostPort="")},
    "by udp": {"HostConfig.PortBindings": _published("53/udp")},
    "a range": {"HostConfig.PortBindings": _published("80-90/tcp", HostPort="8080-8090")},
    "everywhere": {"HostConfig.PortBindings": _published(HostIp="0.0.0.0")},
    "everywhere by no address": {"HostConfig.PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
    "everywhere by no binding": {"HostConfig.PortBindings": {"80/tcp": None}},
    "as a list": {"HostConfig.PortBindings": ["127.0.0.1:8080:80"]},
    "in lower case": {"HostConfig.portbindings": _published()},
    "in an odd S": {"HostConfig.PortBinding\u017f": _published()},
    "by an empty twin": {"HostConfig.PORTBINDINGS": {}},
    "at the top": {"PortBindings": _published()},
    "by the oldest key": {"PortSpecs": ["8080:80"]},
    "all": {"HostConfig.PublishAllPorts": True},
    "all, as a word": {"HostConfig.PublishAllPorts": "false"},
    "all, as a number": {"HostConfig.PublishAllPorts": 1},
    "all, in lower case": {"HostConfig.publishallports": True},
    "all, in an odd S": {"HostConfig.Publi\u017fhAllPorts": True},
    "all, at the top": {"PublishAllPorts": True},
    "exposed": {"ExposedPorts": {"80/tcp": {}}},
    "exposed, in lower case": {"exposedports": {"80/tcp": {}}},
}


@pytest.mark.parametrize("change", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_no_port_is_published_whatever_was_consented_to(change: dict[str, Any]) -> None:
    _check(_body({}), **EVERYTHING)
    with pytest.raises(PolicyError) as caught:
        _check(_body(change), **EVERYTHING)
    assert {problem.key for problem in caught.value.problems} == set(change)


def test_the_socket_in_use_is_never_mounted() -> None:
    socket = frozenset({f"{PROJECT}/state/api.sock"})
    for source in (f"{PROJECT}/state/api.sock", f"{PROJECT}/state", PROJECT):
        request = policy.EngineRequest(
            method="POST", path="/containers/create", body=json.dumps(_body(_bind(Source=source)))
        )
        with policy.allowing(Allowance(bind_sources=frozenset({PROJECT}))), pytest.raises(PolicyError, match="socket"):
            policy.check(request, sockets=socket, resolve=_resolve)


def test_consent_ends_with_its_block() -> None:
    body = json.dumps(_body({}))
    request = policy.EngineRequest(method="POST", path="/containers/create", body=body)
    with policy.allowing(Allowance(bind_sources=frozenset({PROJECT}))):
        policy.check(request, resolve=_resolve)
    with pytest.raises(PolicyError, match="outside"):
        policy.check(request, resolve=_resolve)


def test_a_link_of_the_real_file_system_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    with policy.allowing(Allowance(bind_sources=frozenset({str(tmp_path)}))):
        for source, ok in ((real, True), (link, False)):
            body = json.dumps(_body(_bind(Source=str(source))))
            request = policy.EngineRequest(method="POST", path="/containers/create", body=body)
            if ok:
                policy.check(request)
            else:
                with pytest.raises(PolicyError, match="symbolic link"):
                    policy.check(request)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        _check(_body({"HostConfig.Privileged": True, "HostConfig.PidMode": "host", "Labels": ...}))
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"HostConfig.Privileged", "HostConfig.PidMode", "Labels"}


BODIES = ("", "null", "[]", "1", '{"Labels": {}, "Labels": {}}', "{", "[" * 100_000, b"\xff")


@pytest.mark.parametrize("body", BODIES, ids=[str(body)[:20] for body in BODIES])
def test_a_body_that_is_no_plain_object_is_refused(body: str | bytes) -> None:
    with pytest.raises(PolicyError):
        _check(body)


ROUTES = {
    "copy in": ("PUT", "/v1.41/containers/x/archive?path=/", None),
    "copy in by POST": ("POST", "/containers/x/archive", None),
    "copy out": ("GET", "/v1.41/containers/x/archive?path=/", None),
    "copy in by escapes": ("PUT", "/v1.41/containers/x/%61rchive", None),
    "dots": ("GET", "/v1.41/images/../containers/x/archive", None),
    "double escapes": ("GET", "/v1.41/containers/x/%2561rchive", None),
    "double slash": ("POST", "/v1.41//containers/create", "{}"),
    "Podman's own": ("POST", "/v4.0.0/libpod/containers/create", "{}"),
    "start with a host config": ("POST", "/containers/x/start", '{"Binds": ["/:/x"]}'),
    "start with ports": ("POST", "/containers/x/start", '{"PublishAllPorts": true}'),
    "ports in an image": ("POST", "/commit", json.dumps({"Labels": dict(LABELS), "ExposedPorts": {"80/tcp": {}}})),
    "update": ("POST", "/containers/x/update", "{}"),
    "attach by websocket": ("GET", "/containers/x/attach/ws", None),
    "privileged process": ("POST", "/containers/x/exec", '{"Cmd": ["sh"], "Privileged": true}'),
    "privileged process, lower case": ("POST", "/containers/x/exec", '{"Cmd": ["sh"], "privileged": true}'),
    "process in a descriptor": ("POST", "/containers/x/exec", '{"WorkingDir": "/proc/self/fd/7"}'),
    "volume that is a bind": (
        "POST",
        "/volumes/create",
        json.dumps({"Labels": dict(LABELS), "DriverOpts": {"o": "bind"}}),
    ),
    "volume without labels": ("POST", "/volumes/create", '{"Name": "x"}'),
    "network with options": ("POST", "/networks/create", json.dumps({"Labels": dict(LABELS), "Options": {"x": "y"}})),
    "network of another driver": (
        "POST",
        "/networks/create",
        json.dumps({"Labels": dict(LABELS), "Driver": "macvlan"}),
    ),
    "connect to a network that is none of ours": ("POST", "/networks/x/connect", "{}"),
    "connect with an address": (
        "POST",
        "/networks/devbox-shop-0123abcd/connect",
        json.dumps({"Container": "x", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.0.0.1"}}}),
    ),
    "image from a URL": ("POST", "/images/create?fromSrc=http://x/y.tar", None),
    "build on the host network": ("POST", "/build?networkmode=host", None),
    "build in another container's": ("POST", "/build?networkmode=container:x", None),
    "build from a URL": ("POST", "/build?remote=http://x", None),
    "build with a session": ("POST", "/build?session=x&version=2", None),
    "volumes in an image": ("POST", "/commit", json.dumps({"Labels": dict(LABELS), "Volumes": {"/x": {}}})),
    "plugins": ("POST", "/plugins/pull", None),
    "swarm": ("POST", "/swarm/init", "{}"),
    "secrets": ("POST", "/secrets/create", "{}"),
    "services": ("POST", "/services/create", "{}"),
    "session": ("POST", "/session", None),
    "prune": ("POST", "/containers/prune", None),
    "push": ("POST", "/images/x/push", None),
    "login": ("POST", "/auth", "{}"),
}


@pytest.mark.parametrize(("method", "path", "body"), ROUTES.values(), ids=ROUTES.keys())
def test_a_request_is_refused(method: str, path: str, body: str | None) -> None:
    with pytest.raises(PolicyError):
        _check(body, path=path, method=method)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/networks/devbox-shop-0123abcd/connect", '{"Container": "x", "EndpointConfig": {"Aliases": ["a"]}}'),
        ("GET", "/version", None),
        ("GET", "/v1.41/images/registry.example:5000/a/b@sha256:00/json", None),
        ("DELETE", "/v1.41/images/devbox/x:1?force=1", None),
        ("POST", "/v1.41/images/devbox/x:1/tag?repo=a/b&tag=1", None),
        ("POST", "/v1.41/images/create?fromImage=debian&tag=12", None),
        ("POST", "/v1.41/containers/x/start", None),
        ("POST", "/v1.41/build?t=x&dockerfile=Dockerfile&rm=True", None),
        ("POST", "/volumes/create", json.dumps({"Name": "x", "Driver": None, "Labels": dict(LABELS)})),
    ],
)
def test_a_request_passes(method: str, path: str, body: str | None) -> None:
    _check(body, path=path, method=method)
