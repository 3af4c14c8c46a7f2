"""What may be asked of an engine: a check of the final request, whatever code and spelling led to it (S-14).

Everything is allow-listed: the routes, the keys of each body, the values of each key. A key that is not known is
refused even when it is empty, because the engine reads keys without regard to case and takes the last of two.
Pure but for `resolve`, which follows symbolic links of the host.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from devbox.engine.base import Allowance
from devbox.engine.policy_container import CONTAINER, EXEC, IMAGE_CONFIG
from devbox.engine.policy_rules import (
    Context,
    Rule,
    Rules,
    check_object,
    flag,
    labels,
    list_of,
    nothing,
    number,
    object_of,
    one_of,
    text,
)
from devbox.errors import PolicyError, Problem

_ALLOWANCE: ContextVar[Allowance] = ContextVar("allowance", default=Allowance())  # noqa: B039 (frozen)

_NAME = r"[^/]+"
_IMAGE = r".+"
_OURS = r"/networks/devbox-[a-z0-9-]+-[0-9a-f]{8}"  # a network of a project's machines, and nobody else's


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """One request as it is about to be sent. `path`: with its query. `body`: None also for a stream."""

    method: str
    path: str
    body: bytes | str | None = None


@contextmanager
def allowing(allowance: Allowance) -> Iterator[None]:
    """Let the requests inside this block use `allowance`; none before and after."""
    token = _ALLOWANCE.set(allowance)
    try:
        yield
    finally:
        _ALLOWANCE.reset(token)


def check(
    request: EngineRequest,
    *,
    sockets: frozenset[str] = frozenset(),
    resolve: Callable[[str], str] = os.path.realpath,
) -> None:
    """Raise `PolicyError` unless `request` keeps within the policy and the `allowing` block around it.

    `sockets`: real paths of engine sockets beyond the well-known ones; they are never mounted.
    """
    context = Context(allowance=_ALLOWANCE.get(), sockets=sockets, resolve=resolve)
    problems = tuple(_problems(request, context))
    if problems:
        first = problems[0]
        raise PolicyError(
            f"not sent to the engine: {first.key}: {first.message}",
            hint="take it out of the profile; what needs your consent is given with: devbox trust",
            problems=problems,
        )


def route_of(path: str) -> str:
    """Return `path` without query and API version, percent-escapes resolved: `/containers/create`."""
    return re.sub(r"^/v[0-9.]+(?=/)", "", unquote(urlsplit("http://engine" + path).path))


def _problems(request: EngineRequest, context: Context) -> Iterator[Problem]:
    route = route_of(request.path)
    method = request.method.upper()
    parts = route.split("/")[1:]
    if not route.startswith("/") or any(part in ("", ".", "..") for part in parts) or "%" in route:
        yield Problem(key=f"{method} {route}", message="not a plain path")
        return
    for rule in _ROUTES:
        if rule.method == method and re.fullmatch(rule.route, route):
            yield from _query_problems(rule, request, context)
            yield from _body_problems(rule, request, context)
            return
    yield Problem(key=f"{method} {route}", message="devbox never asks an engine for this")


def _query_problems(rule: "_Route", request: EngineRequest, context: Context) -> Iterator[Problem]:
    if rule.query is None:
        return
    query = parse_qsl(urlsplit("http://engine" + request.path).query, keep_blank_values=True)
    for key, value in query:
        yield from check_object("query", {key: value}, rule.query, context)


def _body_problems(rule: "_Route", request: EngineRequest, context: Context) -> Iterator[Problem]:
    if rule.body is None:
        if request.body and not rule.stream:
            yield Problem(key=f"{rule.method} {route_of(request.path)}", message="takes no body")
        return
    try:
        value = json.loads(request.body or b"null", object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        yield Problem(key="body", message=f"not readable: {error}")
        return
    yield from rule.body("", value, context)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """A request that devbox makes. `query` None: any; `body` None: none, or unread bytes if `stream`."""

    method: str
    route: str
    query: Rules | None = None
    body: Rule | None = None
    stream: bool = False


def _reads(*routes: str) -> tuple[_Route, ...]:
    return tuple(_Route(method="GET", route=route) for route in routes)


def _acts(method: str, *routes: str) -> tuple[_Route, ...]:
    return tuple(_Route(method=method, route=route) for route in routes)


_VOLUME_BODY: Final[Rules] = {
    "Name": text,
    "Driver": one_of("", "local", None),
    "DriverOpts": nothing,  # a volume with options is a bind mount in disguise
    "ClusterVolumeSpec": nothing,
    "Labels": labels,
}
_NETWORK_BODY: Final[Rules] = {
    "Name": text,
    "CheckDuplicate": flag,
    "Driver": one_of("", "bridge", None),
    "Internal": flag,
    "Attachable": nothing,
    "Ingress": nothing,
    "Scope": nothing,
    "ConfigOnly": nothing,
    "ConfigFrom": nothing,
    "IPAM": nothing,
    "EnableIPv6": flag,
    "Options": nothing,
    "Labels": labels,
}
_CONNECT_BODY: Final[Rules] = {
    "Container": text,
    "EndpointConfig": object_of({"Aliases": list_of(text)}),  # no address, link or option of a driver
}
_BUILD_QUERY: Final[Rules] = {
    **dict.fromkeys(("dockerfile", "t", "q", "nocache", "rm", "forcerm", "pull", "labels"), text),
    **dict.fromkeys(("target", "buildargs", "platform"), text),
    "networkmode": one_of("", "default", "bridge", "none"),
    **dict.fromkeys(("remote", "extrahosts", "securityopt", "cgroupparent", "outputs", "session"), nothing),
}
_PULL_QUERY: Final[Rules] = {"fromImage": text, "tag": text, "platform": text, "fromSrc": nothing}
_CREATE_QUERY: Final[Rules] = {"name": text, "platform": text}
_START_EXEC: Final[Rules] = {
    "Tty": flag,
    "Detach": flag,
    "ConsoleSize": list_of(number),
}

_ROUTES: Final = (
    *_reads(
        "/_ping",
        "/version",
        "/info",
        "/events",
        "/containers/json",
        rf"/containers/{_NAME}/(json|logs|top|changes|stats|export)",
        rf"/exec/{_NAME}/json",
        "/images/json",
        rf"/images/{_IMAGE}/(json|history|get)",
        "/images/get",
        "/volumes",
        rf"/volumes/{_NAME}",
        "/networks",
        rf"/networks/{_NAME}",
        "/system/df",
    ),
    *_acts("HEAD", "/_ping"),
    _Route(method="POST", route="/containers/create", query=_CREATE_QUERY, body=CONTAINER),
    _Route(method="POST", route=rf"/containers/{_NAME}/exec", body=EXEC),
    _Route(method="POST", route=rf"/exec/{_NAME}/start", body=object_of(_START_EXEC, required=())),
    *_acts("POST", rf"/containers/{_NAME}/(start|stop|kill|wait|resize|attach|rename)", rf"/exec/{_NAME}/resize"),
    *_acts("DELETE", rf"/containers/{_NAME}", rf"/images/{_IMAGE}", rf"/volumes/{_NAME}", rf"/networks/{_NAME}"),
    _Route(method="POST", route="/commit", body=IMAGE_CONFIG),
    _Route(method="POST", route="/images/create", query=_PULL_QUERY),
    _Route(method="POST", route="/images/load", stream=True),
    *_acts("POST", rf"/images/{_IMAGE}/tag"),
    _Route(method="POST", route="/build", query=_BUILD_QUERY, stream=True),
    _Route(method="POST", route="/volumes/create", body=object_of(_VOLUME_BODY, required=("Labels",))),
    _Route(method="POST", route=_OURS + "/connect", body=object_of(_CONNECT_BODY, required=())),
    _Route(method="POST", route="/networks/create", body=object_of(_NETWORK_BODY, required=("Labels",))),
)
