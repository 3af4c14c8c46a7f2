"""The HTTP client of one engine; each request passes the policy, the log and the fault points before it is sent."""

import json
import shlex
import socket
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, Final, cast

import docker
import docker.errors
import docker.tls
import requests

from devbox.engine import policy
from devbox.engine.streams import HijackedStream
from devbox.faults import fault
from devbox.reporter import Reporter

CONNECT_TIMEOUT: Final = 5.0  # seconds
PROBE_TIMEOUT: Final = 5.0  # seconds; a busy engine needs more than one
ANSWER_TIMEOUT: Final = 60.0  # seconds, for what an engine does at once
NEWEST_API: Final = (1, 44)  # what this code was written against

_PATIENT: Final = ("/commit", "/images/create", "/images/load", "/build")  # as long as it takes
_PATIENT_ENDS: Final = ("/wait", "/attach", "/logs", "/start", "/stop", "/export", "/get")
_QUIET_ENDS: Final = ("/wait", "/attach", "/resize")  # POSTs that change nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """TLS material, as paths. Without `verify` the engine's certificate is not looked at."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine is expected. `url`: as a person would set DOCKER_HOST; `address`: what is connected to."""

    url: str
    source: str
    address: str
    tls: TlsFiles | None = None
    local: bool = True  # an address on this machine that leads nowhere else


class PolicedClient(docker.APIClient):
    """docker's low-level client with one door: `send`."""

    def __init__(self, endpoint: Endpoint, reporter: Reporter) -> None:
        super().__init__(
            base_url=endpoint.address, version="1.41", timeout=int(ANSWER_TIMEOUT), tls=_tls(endpoint.tls) or False
        )
        self.trust_env = False  # no proxy and no .netrc between devbox and an engine
        self._endpoint = endpoint
        self._reporter = reporter
        path = endpoint.address.removeprefix("unix://")
        self._sockets = frozenset({path}) if path != endpoint.address else frozenset[str]()
        self.probing = False

    def negotiate(self) -> dict[str, Any]:
        """Ask the engine for its version, agree on one of the API, and return the answer."""
        self.probing = True
        try:
            answer: dict[str, Any] = self.version(api_version=False)
        finally:
            self.probing = False
        self._version = agreed_version(str(answer.get("ApiVersion", "1.41")), str(answer.get("MinAPIVersion", "1.24")))
        return answer

    def has(self, major: int, minor: int) -> bool:
        """Tell whether the version of the API that is spoken is at least this."""
        return _version(str(self._version)) >= (major, minor)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 (its base has it so)
        """Send the final request, if the policy lets it pass."""
        method, path = str(request.method), str(request.path_url)
        body = request.body if isinstance(request.body, bytes | str) else None
        policy.check(policy.EngineRequest(method=method, path=path, body=body), sockets=self._sockets)
        self._reporter.debug(pasteable(self._endpoint, method, path, request.body))
        route = policy.route_of(path)
        kwargs["timeout"] = (CONNECT_TIMEOUT, PROBE_TIMEOUT if self.probing else _patience(route))
        kwargs["allow_redirects"] = False
        changes = method in ("POST", "DELETE") and not route.endswith(_QUIET_ENDS)
        name = f"{method.lower()} {_anonymous(route)}"
        if changes:
            fault(f"engine {name}")
        response = super().send(request, **kwargs)
        if changes:
            fault(f"engine {name} done")
        return response

    def open(self, path: str) -> requests.Response:
        """Send a GET and return its answer unread; to be closed by the caller."""
        return _checked(self.get(self._address(path), stream=True))

    def make_container(self, body: dict[str, Any], name: str | None) -> str:
        """Make a container; return its id."""
        params = {"name": name} if name else {}
        response = _checked(self.post(self._address("/containers/create"), json=body, params=params))
        return str(response.json()["Id"])

    def make_exec(self, container_id: str, body: dict[str, Any]) -> str:
        """Make a process of a container, not started; return its id."""
        response = _checked(self.post(self._address(f"/containers/{container_id}/exec"), json=body))
        return str(response.json()["Id"])

    def hijack(self, path: str, *, body: object = None, terminal: bool) -> HijackedStream:
        """Send a POST whose connection becomes a two-way stream, and return that."""
        upgrade = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        data = None if body is None else json.dumps(body)
        response = _checked(self.post(self._address(path), data=data, headers=upgrade, stream=True))
        # The SDK hands out the bare socket and loses what the HTTP layer has read of the stream already.
        reader = cast("BufferedReader", response.raw._fp.fp)  # type: ignore[union-attr]
        try:
            return HijackedStream(reader, release=response.close, multiplexed=not terminal)
        except BaseException:
            response.close()
            raise

    def _address(self, path: str) -> str:
        return f"{self.base_url}/v{self._version}{path}"


def _checked(response: requests.Response) -> requests.Response:
    """Return `response` unless it says that the engine refused, which is docker's `APIError`."""
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        try:
            raise docker.errors.create_api_error_from_http_exception(error) from error
        finally:
            response.close()
    return response


def knock(endpoint: Endpoint) -> None:
    """Connect to a unix socket and leave again: says at once, and by its own `OSError`, why nobody can."""
    if not endpoint.address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(CONNECT_TIMEOUT)
        door.connect(endpoint.address.removeprefix("unix://"))


def agreed_version(newest: str, oldest: str) -> str:
    """Return the API version to speak: the engine's newest that this code knows, or its oldest if that is newer."""
    wanted = min(_version(newest), NEWEST_API)
    return ".".join(map(str, max(wanted, _version(oldest))))


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (1, 41)


def pasteable(endpoint: Endpoint, method: str, path: str, body: object) -> str:
    """Return the request as a curl command, without the values of environment variables."""
    words = ["curl", "-s"]
    host = "http://engine"
    if endpoint.address.startswith("unix://"):
        words += ["--unix-socket", endpoint.address.removeprefix("unix://")]
    else:
        host = endpoint.address.replace("tcp://", "https://" if endpoint.tls else "http://", 1)
        words += _tls_words(endpoint.tls)
    if method != "GET":
        words += ["-X", method]
    if isinstance(body, bytes | str) and body:
        words += ["-H", "Content-Type: application/json", "-d", _masked(body)]
    elif body is not None:
        words += ["-H", "Content-Type: application/x-tar", "--data-binary", "@-"]
    return shlex.join([*words, host + path])


def _masked(body: bytes | str) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return "..."
    if isinstance(value, dict) and isinstance(value.get("Env"), list):
        value["Env"] = [str(item).partition("=")[0] + "=***" for item in value["Env"]]
    return json.dumps(value, ensure_ascii=False)


def _tls_words(tls: TlsFiles | None) -> list[str]:
    if tls is None:
        return []
    pairs = (("--cacert", tls.ca), ("--cert", tls.cert), ("--key", tls.key))
    words = [word for option, path in pairs if path for word in (option, path)]
    return words if tls.verify else [*words, "-k"]


def _tls(files: TlsFiles | None) -> docker.tls.TLSConfig | None:
    if files is None:
        return None
    pair = (files.cert, files.key) if files.cert and files.key else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=files.ca, verify=files.verify)


def _patience(route: str) -> float | None:
    return None if route.startswith(_PATIENT) or route.endswith(_PATIENT_ENDS) else ANSWER_TIMEOUT


def _anonymous(route: str) -> str:
    parts = route.split("/")[1:]
    return f"{parts[0]} {parts[-1]}" if len(parts) > 2 or parts[-1] == "create" else parts[0]
