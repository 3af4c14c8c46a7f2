"""The HTTP client of one engine; each request passes the policy, the log and the fault points before it is sent."""

import json
from io import BufferedReader
from typing import Any, cast

import docker
import docker.errors
import docker.tls
import requests

from devbox.engine import endpoint as limits
from devbox.engine import policy
from devbox.engine.endpoint import (
    ANSWER_TIMEOUT,
    CONNECT_TIMEOUT,
    Endpoint,
    TlsFiles,
    agreed_version,
    changing,
    pasteable,
    patience,
    version_of,
)
from devbox.engine.streams import HijackedStream
from devbox.reporter import Reporter


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
        return version_of(str(self._version)) >= (major, minor)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 (its base has it so)
        """Send the final request, if the policy lets it pass."""
        method, path = str(request.method), str(request.path_url)
        body = request.body if isinstance(request.body, bytes | str) else None
        policy.check(policy.EngineRequest(method=method, path=path, body=body), sockets=self._sockets)
        self._reporter.debug(pasteable(self._endpoint, method, path, request.body))
        route = policy.route_of(path)
        kwargs["timeout"] = (CONNECT_TIMEOUT, limits.PROBE_TIMEOUT if self.probing else patience(route))
        kwargs["allow_redirects"] = False
        with changing(method, route):
            return super().send(request, **kwargs)

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


def _tls(files: TlsFiles | None) -> docker.tls.TLSConfig | None:
    if files is None:
        return None
    pair = (files.cert, files.key) if files.cert and files.key else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=files.ca, verify=files.verify)
