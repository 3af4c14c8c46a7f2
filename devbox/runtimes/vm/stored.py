"""What a machine was made from, kept in its directory: there is no engine that would know it."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from devbox import record
from devbox.faults import fault
from devbox.runtimes.base import AgentSpec, DataVolume, InstanceSpec, MachineOptions, ResourceLimits, Share
from devbox.values import LABEL_AGENT, LABEL_IMAGE, LABEL_SPEC, GuestUser

FILE: Final = "spec.json"
UP: Final = "up"  # beside it: a file: it was started, and nobody has stopped it
SETTLED: Final = "settled"  # beside it: the boot id of the agent for which all is in place inside
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One machine. `id`: its UUID; `labels`: as a container would carry them.

    `share`: what it sees of this host itself, if anything.
    `user`: who the user is in a system that devbox has not made; None where the Image has one.
    """

    id: str
    name: str
    image: str
    spec_digest: str
    hostname: str
    labels: Mapping[str, str]
    env: tuple[tuple[str, str], ...]
    files: tuple[Share, ...]  # each copied inside at a start
    volumes: tuple[DataVolume, ...]
    agent: AgentSpec
    resources: ResourceLimits
    machine: MachineOptions
    user: GuestUser | None = None
    share: Share | None = None


def from_spec(spec: InstanceSpec, machine: MachineOptions, *, uuid: str, env: Mapping[str, str]) -> Stored:
    """Return what is kept of `spec`. `env`: of its image."""
    own = {LABEL_SPEC: spec.digest, LABEL_AGENT: spec.agent.build, LABEL_IMAGE: spec.image}
    return Stored(
        id=uuid,
        name=spec.name,
        image=spec.image,
        spec_digest=spec.digest,
        hostname=spec.hostname,
        labels={**dict(spec.labels), **own},
        env=tuple(sorted({**env, **dict(spec.env)}.items())),
        files=tuple(share for share in spec.shares if share.file),
        volumes=spec.volumes,
        agent=spec.agent,
        resources=spec.resources,
        machine=machine,
        user=None if machine.base is None else spec.user,
        share=next((share for share in spec.shares if not share.file), None),
    )


def write(directory: Path, stored: Stored) -> None:
    """Keep it in `directory`."""
    record.write_text(str(directory / FILE), json.dumps({"schema": _SCHEMA, **asdict(stored)}, indent=1) + "\n")


def read(directory: Path) -> Stored | None:
    """Return what is kept in `directory`; None if there is nothing that can be used."""
    try:
        document = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return _stored(document) if document.pop("schema") == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def erase(directory: Path) -> None:
    """Remove `directory`, what was made from it last: until then it is known, and so found by who begins again."""
    with contextlib.suppress(OSError):
        for one in [entry for entry in directory.iterdir() if entry.name != FILE]:
            shutil.rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink()
    fault("all but forgotten")
    shutil.rmtree(directory, ignore_errors=True)


def _stored(values: dict[str, Any]) -> Stored:
    resources = values["resources"]
    return Stored(
        **{
            **values,
            "labels": dict(values["labels"]),
            "env": tuple((name, value) for name, value in values["env"]),
            "files": tuple(Share(**item) for item in values["files"]),
            "volumes": tuple(
                DataVolume(**{**item, "labels": tuple((name, value) for name, value in item["labels"])})
                for item in values["volumes"]
            ),
            "agent": AgentSpec(**values["agent"]),
            "resources": ResourceLimits(**{**resources, "devices": tuple(resources["devices"])}),
            "machine": MachineOptions(**values["machine"]),
            "user": None if values.get("user") is None else GuestUser(**values["user"]),
            "share": None if values.get("share") is None else Share(**values["share"]),
        }
    )
