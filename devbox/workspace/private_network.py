"""The network that the machines of one project have among themselves, beside their way to outside.

It leads nowhere else, and on it each is found by its machine's name; the profile's own also by the profile's name.
Containers have one of their engine; virtual machines a wire to each other (`devbox.vm.wire`). There is no way between
the two kinds.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from devbox.errors import AgentError, DevboxError, EngineError
from devbox.profile.load import Loaded
from devbox.profile.several import DEFAULT
from devbox.runtimes.base import ExecSpec, Instance, InstanceSpec
from devbox.values import (
    LABEL_GROUP,
    LABEL_OWNER,
    LABEL_ROLE,
    LABEL_SCHEMA,
    LABEL_WORKSPACE,
    ROLE_ENVIRONMENT,
    ROLE_NETWORK,
    SCHEMA,
    slug,
)
from devbox.vm.qemu_args import private_mac
from devbox.workspace.context import Host, Workspace

_NETWORK: Final = "198.19"  # of RFC 2544: no network that anybody is on, nor one of an engine
_HOSTS: Final = 1 << 16
_MARK: Final = "# of this project"
_KNOW: Final = """
kept=
while IFS= read -r line || [ -n "$line" ]; do
  case "$line" in *"$0") ;; *) kept="$kept$line
" ;; esac
done < /etc/hosts
more=$(cat)
printf '%s%s\\n' "$kept" "$more" > /etc/hosts
"""


_ADDRESS: Final = """
for one in /sys/class/net/*; do
  its=
  read -r its 2> /dev/null < "$one/address" || true
  if [ "$its" = "$0" ]; then
    ip link set "${one##*/}" up
    ip addr show dev "${one##*/}" | grep -qF " $1 " || ip addr add "$1" dev "${one##*/}"
    exit
  fi
done
exit 1
"""


def private_address(loaded: Loaded) -> str:
    """Return what a virtual machine of this profile has as its address among the others; empty if it is the only one.

    It follows from the names alone, and stays when others come or go, but for two of which one made room. Pure.
    """
    if not loaded.members:
        return ""
    return f"{addresses(_names(loaded))[loaded.machine or DEFAULT]}/16"


def addresses(names: Iterable[str]) -> dict[str, str]:
    """Return an address for each of `names`, no two the same. Pure."""
    found: dict[str, str] = {}
    taken: set[int] = {0, 1, _HOSTS - 1}  # the network itself, one that is nobody yet, and everybody
    for name in sorted(names):
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big")
        while number in taken:
            number = (number + 1) % _HOSTS
        taken.add(number)
        found[name] = f"{_NETWORK}.{number >> 8}.{number & 255}"
    return found


def _names(loaded: Loaded) -> tuple[str, ...]:
    return (DEFAULT, *filter(None, {loaded.machine, *loaded.members}))


def join(host: Host, workspace: Workspace, loaded: Loaded, spec: InstanceSpec, instance: Instance) -> None:
    """Have the running `instance` find the others of its kind by name, if the project has several machines.

    What cannot do it is only said; to be called under the project's lock.
    """
    if not loaded.members:
        return
    if not workspace.machine and len({one.profile.runtime for one in (loaded, *loaded.members.values())}) > 1:
        host.reporter.note("containers and virtual machines of this project do not reach each other by name")
    if spec.machine is not None:
        if spec.machine.base is not None:
            _reach(host, instance, spec.machine.private)
        _know(host, loaded, instance)
        return
    engine, name = host.engine, _name(workspace)
    names = (workspace.machine,) if workspace.machine else tuple(dict.fromkeys((DEFAULT, spec.hostname)))
    try:
        if name not in engine.networks(_labels(host, workspace)):
            own = {LABEL_SCHEMA: SCHEMA, LABEL_ROLE: ROLE_NETWORK}
            engine.make_network(name, _labels(host, workspace) | own)
        engine.join_network(name, instance.id, names)
    except EngineError as error:
        host.reporter.note(f"the machines of this project do not find each other by name: {error.message}")


def _know(host: Host, loaded: Loaded, instance: Instance) -> None:
    """Have the names of the project's virtual machines in the /etc/hosts of this one, and none of those that went."""
    whole = loaded.members.get("", loaded)
    known = {DEFAULT: whole, **{name: one for name, one in loaded.members.items() if name}}
    if loaded.machine:
        known[loaded.machine] = loaded
    where = addresses(known)
    here = {name: where[name] for name, one in known.items() if one.profile.runtime == loaded.profile.runtime}
    also = {DEFAULT: f" {slug(whole.profile.name)}"} if whole.profile.name else {}
    lines = [f"{address} {name}{also.get(name, '')} {_MARK}\n" for name, address in sorted(here.items())]
    _tell(host, instance, (_KNOW, _MARK), "its /etc/hosts cannot be written", given="".join(lines))


def _reach(host: Host, instance: Instance, address: str) -> None:
    """Have a system that somebody else has made on the wire to the others, if it did not take that from its seed."""
    _tell(host, instance, (_ADDRESS, private_mac(address), address), "it has no address among them")


def _tell(host: Host, instance: Instance, script: Sequence[str], failure: str, *, given: str = "") -> None:
    told = ExecSpec(argv=("/bin/sh", "-c", *script), user="0:0", workdir="/")
    try:
        with contextlib.closing(instance.exec(told)) as telling:
            telling.send(given.encode())
            telling.close_stdin()
            while telling.receive() is not None:
                pass
            if telling.exit_code():
                raise AgentError(failure)
    except DevboxError as error:
        host.reporter.note(f"{instance.name} does not find the other machines by name: {error.message}")


def removable(host: Host, workspace: Workspace) -> tuple[str, ...]:
    """Return the project's network by its name, if nothing of the project but `workspace` is there any more."""
    engine = host.engine
    found = engine.networks(_labels(host, workspace))
    return tuple(sorted(found)) if found and not _has_others(host, workspace) else ()


def _has_others(host: Host, workspace: Workspace) -> bool:
    own = {LABEL_OWNER: host.owner, LABEL_ROLE: ROLE_ENVIRONMENT}
    alike = ({LABEL_GROUP: workspace.project_hash}, {LABEL_WORKSPACE: workspace.project_hash})
    found = (one for labels in alike for one in host.engine.containers(own | labels))
    return any(one.labels.get(LABEL_WORKSPACE) != workspace.hash for one in found)


def _labels(host: Host, workspace: Workspace) -> dict[str, str]:
    return {LABEL_WORKSPACE: workspace.project_hash, LABEL_OWNER: host.owner}


def _name(workspace: Workspace) -> str:
    return f"devbox-{slug(workspace.name)}-{workspace.project_hash}"
