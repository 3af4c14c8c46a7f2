"""What is not compared, and why: the one place that lists it. Pure.

A pattern is an absolute path; `*` stands for any characters of one name, `/**` at the end for all that lies below.
"""

import re
from dataclasses import dataclass
from enum import Enum


class Treatment(Enum):
    """What becomes of a path that a pattern fits."""

    DROPPED = "not in the manifest"
    CONTENT = "content not compared, all else is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One pattern. `why`: for the page that lists them."""

    pattern: str
    treatment: Treatment
    why: str


_ENGINE = "the engine puts it into every container"
_LISTS = "state of the archive on the day, not what is installed"
_LOG = "a log, with times in it"
_INDEX = "an index with times of this build in it, made anew when it is missing"
_OLD = "the package manager's copy of its state before the last change"
_KEY = "made at random where it was installed, and must be"

ENGINE_MADE = tuple(
    Noise(pattern=pattern, treatment=Treatment.DROPPED, why=_ENGINE)
    for pattern in (
        "/.dockerenv",
        "/run/.containerenv",
        "/dev/**",
        "/proc/**",
        "/sys/**",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/mtab",
    )
)
NOISE = (
    *ENGINE_MADE,
    Noise(pattern="/etc/machine-id", treatment=Treatment.DROPPED, why=_KEY),
    Noise(pattern="/var/lib/dbus/machine-id", treatment=Treatment.DROPPED, why=_KEY),
    Noise(pattern="/etc/ssh/ssh_host_*_key", treatment=Treatment.CONTENT, why=_KEY),
    Noise(pattern="/etc/ssh/ssh_host_*_key.pub", treatment=Treatment.CONTENT, why=_KEY),
    Noise(pattern="/etc/ssl/private/ssl-cert-snakeoil.key", treatment=Treatment.CONTENT, why=_KEY),
    Noise(pattern="/etc/ssl/certs/ssl-cert-snakeoil.pem", treatment=Treatment.CONTENT, why=_KEY),
    Noise(
        pattern="/etc/ssl/certs/java/cacerts",
        treatment=Treatment.CONTENT,
        why="Java's copy of the certificates beside it, with the time in it at which it was made",
    ),
    *(
        Noise(
            pattern=f"/var/lib/postgresql/*/main/{name}",
            treatment=Treatment.CONTENT,
            why="of the empty database that the package makes: its random id and times",
        )
        for name in ("global/pg_control", "pg_stat/*", "pg_wal/*")
    ),
    Noise(pattern="/var/log/apt/**", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/log/dpkg.log", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/log/alternatives.log", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/log/bootstrap.log", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/log/apk.log", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/log/dnf*", treatment=Treatment.DROPPED, why=_LOG),
    Noise(pattern="/var/lib/apt/lists/**", treatment=Treatment.DROPPED, why=_LISTS),
    Noise(pattern="/var/cache/apt/*.bin", treatment=Treatment.DROPPED, why=_LISTS),
    Noise(pattern="/var/cache/apk/**", treatment=Treatment.DROPPED, why=_LISTS),
    Noise(pattern="/var/cache/ldconfig/aux-cache", treatment=Treatment.DROPPED, why=_INDEX),
    Noise(pattern="/var/cache/man/**", treatment=Treatment.DROPPED, why=_INDEX),
    Noise(pattern="/var/cache/fontconfig/**", treatment=Treatment.DROPPED, why=_INDEX),
    Noise(pattern="/var/cache/debconf/*-old", treatment=Treatment.DROPPED, why=_OLD),
    Noise(pattern="/var/lib/dpkg/*-old", treatment=Treatment.DROPPED, why=_OLD),
    *(
        Noise(
            pattern=f"/etc/{name}-",
            treatment=Treatment.DROPPED,
            why="the copy that the account tools make before a change; it depends on how often they ran",
        )
        for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
    ),
)


def _compiled(noise: tuple[Noise, ...], treatment: Treatment) -> re.Pattern[str]:
    found = [_expression(one.pattern) for one in noise if one.treatment is treatment]
    return re.compile("|".join(found) or r"(?!)", re.DOTALL)


def _expression(pattern: str) -> str:
    head, deep, _ = pattern.partition("/**")
    return re.escape(head).replace(r"\*", "[^/]*") + ("/.+" if deep else "")


_DROPPED, _CONTENT = _compiled(NOISE, Treatment.DROPPED), _compiled(NOISE, Treatment.CONTENT)
_ENGINE_MADE = _compiled(ENGINE_MADE, Treatment.DROPPED)


def treatment(path: str) -> Treatment | None:
    """Return what becomes of `path`; None: all of it is compared."""
    if _DROPPED.fullmatch(path):
        return Treatment.DROPPED
    return Treatment.CONTENT if _CONTENT.fullmatch(path) else None


def is_made_by_engine(path: str) -> bool:
    """Whether `path` is in a container because the engine put it there, whatever the image holds."""
    return _ENGINE_MADE.fullmatch(path) is not None
