"""The grammar of a profile's values, as types of the model. What is wrong is said in plain words.

A check raises `ValueError` for a value that is wrong in itself. `incomplete` is for what only shows when all
layers are merged (a key is missing, two keys exclude each other), so that one layer alone is not blamed for it.
"""

import math
import re
from collections.abc import Callable
from posixpath import normpath
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from devbox.profile.toolchains import constraint
from devbox.values import (
    check_env_name,
    check_guest_path,
    check_hostname,
    check_slug,
    check_text,
    parse_size,
)

INCOMPLETE: Final = "incomplete"  # the pydantic error type of `incomplete`

_SYSTEM_PACKAGE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9+._-]*[A-Za-z0-9+._])?(?::[a-z0-9]+)?(?:=[A-Za-z0-9][A-Za-z0-9.+:~_-]*)?\Z"
)
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"  # registry
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"  # path
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"  # tag, digest
)
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,62}\Z")
_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_SHELL = re.compile(r"[a-z][a-z0-9.-]{0,31}\Z")
_DOMAIN = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?\Z")
_SSH_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*\Z")
_SYSTEM_USERS: Final = frozenset(
    [
        "root",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "nobody",
        "_apt",
    ]
)
_KERNEL_DEVICES: Final = frozenset({"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"})
_MEMORY_MIN: Final = 16 * 1024**2  # engines refuse less than 6 MiB; the container's own first process needs some
_CPUS_MIN: Final = 0.01  # the kernel hands out no less than 1 ms in 100
_RUNS_CODE: Final = frozenset({"BASH_ENV", "ENV", "PROMPT_COMMAND"})


def incomplete(why: str, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Return the error for a table that is wrong as a whole, once all layers are merged.

    `at`: the keys that lead from the table to what the user must look at.
    """
    return PydanticCustomError(INCOMPLETE, "{why}", {"why": why, "at": at})


def _matching(pattern: re.Pattern[str], complaint: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.match(value):
            return value
        raise ValueError(complaint)

    return check


def check_package(value: str) -> str:
    """Return `value` if a package can be called so, else raise `ValueError` that says what to write."""
    if _SYSTEM_PACKAGE.match(value):
        return value
    if value.startswith("-"):
        raise ValueError("not a package but an option; options of the package manager cannot be given")
    raise ValueError('not a package name; write "name", "name=version" or "name:arch"')


def check_image(value: str) -> str:
    """Return `value` if it is a reference to an image, else raise `ValueError`."""
    if not _IMAGE.match(value) or len(value) > 512:
        raise ValueError('not an image; write "name:tag" or "registry/name@sha256:...", as "debian:12"')
    return value


def _check_variable(value: str) -> str:
    check_env_name(value)
    if value == "PATH":
        raise ValueError(
            "PATH is put together by devbox; let a provision step write /etc/profile.d/NAME.sh to add a directory"
        )
    if value.startswith("LD_") or value in _RUNS_CODE:
        raise ValueError("makes every program inside load or run something; it cannot be set in a profile")
    return value


def _check_repo_path(value: str) -> str:
    check_text(value)
    if not value:
        raise ValueError("is empty; write a path in the project")
    if value.startswith(("/", "~")):
        raise ValueError("lies outside the project; write a path relative to it")
    if normpath(value).split("/", 1)[0] == "..":
        raise ValueError("leads out of the project; write a path in it")
    return value


def _check_host_path(value: str) -> str:
    check_text(value)
    if not value:
        raise ValueError('is empty; write a path, as "./data"')
    if value.startswith("$"):
        raise ValueError("variables are not replaced in a path; write the path itself, ~/ is your home")
    if value.startswith("~") and value != "~" and not value.startswith("~/"):
        raise ValueError("only your own home can be written with ~; write the path itself")
    return value


def _check_mount_target(value: str) -> str:
    return check_guest_path(value)


def _check_inside(value: str) -> str:
    check_guest_path(value, may_be_system=True)
    if value == "/run/devbox" or value.startswith("/run/devbox/"):
        raise ValueError("is devbox's own; choose another directory")
    return value


def _check_user(value: str) -> str:
    if value in _SYSTEM_USERS:
        raise ValueError('is a user of the system itself; choose another name, as "dev"')
    if not _USER.match(value):
        raise ValueError("not a user name: lower-case letters, digits, _ and -, at most 32, a letter first")
    return value


def _check_shell(value: str) -> str:
    if value.startswith("/"):
        return check_guest_path(value, may_be_system=True)
    if not _SHELL.match(value):
        raise ValueError('not a shell; write its name or path, as "bash" or "/usr/bin/zsh"')
    return value


def _check_size(value: str) -> str:
    parse_size(value)
    return value


def _check_memory(value: str) -> str:
    if parse_size(value) >= _MEMORY_MIN:
        return value
    raise ValueError('too little for anything to run in; write at least "16 MiB"')


def _check_device(value: str) -> str:
    check_text(value)
    parts = value.split("/")
    if parts[:2] != ["", "dev"] or len(parts) < 3 or any(part in ("", ".", "..") for part in parts[2:]):
        raise ValueError('not a device; write its path, as "/dev/kvm"')
    if ":" in value or value in _KERNEL_DEVICES:
        raise ValueError("this device is never given to an environment")
    return value


def _check_guest_port(value: int) -> int:
    if 1 <= value <= 65535:
        return value
    raise ValueError("not a port; write a number from 1 to 65535")


def _check_host_port(value: int) -> int:
    if 0 <= value <= 65535:
        return value
    raise ValueError("not a port; write a number from 1 to 65535, or 0 for any free one")


def _check_cpus(value: float) -> float:
    if math.isfinite(value) and _CPUS_MIN <= value <= 65536:
        return value
    raise ValueError("not a number of cores; write one from 0.01, as 2 or 1.5")


def _check_pids(value: int) -> int:
    if 16 <= value <= 4194304:
        return value
    raise ValueError("not a limit of processes; write a number from 16 to 4194304")


Text = Annotated[str, AfterValidator(check_text)]
Command = Annotated[str, StringConstraints(min_length=1), AfterValidator(check_text)]
Slug = Annotated[str, AfterValidator(check_slug)]
HostName = Annotated[str, AfterValidator(check_hostname)]
KeyName = Annotated[
    str, AfterValidator(_matching(_KEY_NAME, "not a name; use letters, digits, _ and -, a letter or digit first"))
]
Variable = Annotated[str, AfterValidator(_check_variable)]  # a variable that the environment gets (S-31)
HostVariable = Annotated[str, AfterValidator(check_env_name)]  # one that is read on the host
Version = Annotated[str, AfterValidator(constraint.check)]
SystemPackage = Annotated[str, AfterValidator(check_package)]
PhpExtension = Annotated[
    str,
    AfterValidator(_matching(re.compile(r"[a-z][a-z0-9_]*\Z"), 'not the name of an extension; write it as "intl"')),
]
ImageReference = Annotated[str, AfterValidator(check_image)]
Stage = Annotated[str, AfterValidator(_matching(_STAGE, "not the name of a build stage"))]
Sha256 = Annotated[str, AfterValidator(_matching(re.compile(r"[0-9a-f]{64}\Z"), "not a SHA-256: 64 hex digits"))]
RepoPath = Annotated[str, AfterValidator(_check_repo_path)]
HostPath = Annotated[str, AfterValidator(_check_host_path)]
MountTarget = Annotated[str, AfterValidator(_check_mount_target)]
InsidePath = Annotated[str, AfterValidator(_check_inside)]
UserName = Annotated[str, AfterValidator(_check_user)]
Shell = Annotated[str, AfterValidator(_check_shell)]
Size = Annotated[str, AfterValidator(_check_size)]
Memory = Annotated[str, AfterValidator(_check_memory)]
Device = Annotated[str, AfterValidator(_check_device)]
Domain = Annotated[str, AfterValidator(_matching(_DOMAIN, 'not a host; write it as "registry.example"'))]
SshHost = Annotated[str, AfterValidator(_matching(_SSH_HOST, 'not a host; write "host" or "user@host"'))]
GuestPort = Annotated[int, AfterValidator(_check_guest_port), Field(json_schema_extra={"minimum": 1, "maximum": 65535})]
HostPort = Annotated[int, AfterValidator(_check_host_port), Field(json_schema_extra={"minimum": 0, "maximum": 65535})]
Cpus = Annotated[float, AfterValidator(_check_cpus), Field(json_schema_extra={"minimum": _CPUS_MIN})]
Pids = Annotated[int, AfterValidator(_check_pids), Field(json_schema_extra={"minimum": 16, "maximum": 4194304})]

# TOML has lists where the model has tuples; the items stay strict.
Unstrict = Field(strict=False)
