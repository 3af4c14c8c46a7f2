"""What `up` worked out last, kept with the state of its inputs: the next `up` of the same inputs need not again.

A cache of a pure computation: a Profile's Recipe and InstanceSpec. It says nothing of what runs, it is not used when
anything differs, and deleting it costs half a second once.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from devbox import paths, record
from devbox.engine.base import Engine, EngineInfo
from devbox.hot import inputs
from devbox.runtimes.base import AgentSpec, DataVolume, Granted, InstanceSpec, MachineOptions, ResourceLimits, Share
from devbox.supervisor.order import SyncOrder, parse_order
from devbox.supervisor.protocol import ControlError, Wanted
from devbox.values import LABEL_BASE, LABEL_RECIPE, LABEL_ROLE, ROLE_BASE, GuestUser
from devbox.workspace.context import Host, Workspace
from devbox.workspace.entry import HotPlan
from devbox.workspace.revised import Revisable, revise
from devbox.workspace.signature import Since, settled

SCHEMA: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The outcome of a plan. `bases`: ids of the images that can stand for `base`; `api`: the version spoken."""

    spec: InstanceSpec
    reference: str  # the Image's name
    recipe: str  # its digest
    base: str  # the reference in the profile
    bases: tuple[str, ...]
    engine: EngineInfo
    api: str
    profile: str  # digest of the effective values
    lock: str  # digest of the lock
    ports: tuple[Wanted, ...] = ()
    sync: SyncOrder | None = None
    hot: HotPlan | None = None
    revisable: Revisable | None = None

    def holds(self, engine: Engine) -> bool:
        """Whether the engine still has the Image, and the base still means what it meant."""
        image = engine.image(self.reference)
        if image is None or image.id != self.spec.image or image.labels.get(LABEL_RECIPE) != self.recipe:
            return False
        return candidates(engine, self.base) == self.bases


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A plan that was kept. `revised`: it is another one by now, made from `files` as the one that was kept."""

    prepared: Prepared
    files: list[str]
    revised: bool


def candidates(engine: Engine, base: str) -> tuple[str, ...]:
    """Return the ids of the images that the reference `base` can mean: its own, else those bootstrapped for it."""
    local = engine.image(base)
    if local is not None:
        return (local.id,)
    return tuple(sorted(image.id for image in engine.images({LABEL_BASE: base, LABEL_ROLE: ROLE_BASE})))


def remember(host: Host, workspace: Workspace, prepared: Prepared, *, files: list[str], began: Since) -> None:
    """Keep `prepared`, made from `files` by a command that began at `began`.

    Quietly not, if it cannot be, or if one of the files has changed meanwhile.
    """
    path = paths.prepared_file(workspace.hash)
    if not settled(files, since=began):
        return
    document = {
        "schema": SCHEMA,
        "around": inputs.around(host.environ, uid=host.uid, gid=host.gid),
        "states": inputs.states(files),
        "prepared": asdict(prepared),
    }
    text = json.dumps(document, default=sorted)
    try:
        if Path(path).read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass  # there is none, or another
    try:
        paths.private_directory(os.path.dirname(path))  # noqa: PTH120 (paths are text)
        record.write_text(path, text)
    except OSError:
        return


def recall(environ: Mapping[str, str], workspace: Workspace, *, uid: int, gid: int) -> Recalled | None:
    """Return what was kept, if every input is as it was, or what it comes to if only variables have other values.

    None for anything else, a file that is damaged too.
    """
    try:
        document = json.loads(Path(paths.prepared_file(workspace.hash)).read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA or document["around"] != inputs.around(environ, uid=uid, gid=gid):
            return None
        states = dict(zip(document["states"][::2], document["states"][1::2], strict=True))
        changed = [path for path, then in states.items() if inputs.state(path) != then]
        if changed and changed != [str(workspace.directory / paths.PROFILE)]:
            return None
        prepared = _prepared(document["prepared"])
        plan = _revised(workspace, prepared) if changed else prepared
        return None if plan is None else Recalled(prepared=plan, files=list(states), revised=bool(changed))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ControlError):
        return None


def _revised(workspace: Workspace, prepared: Prepared) -> Prepared | None:
    if prepared.revisable is None:
        return None
    made = revise(workspace.directory, prepared.revisable, prepared.spec)
    if made is None:
        return None
    return replace(prepared, spec=made.spec, profile=made.profile, revisable=made.revisable)


def now() -> int:
    """Return the time as `remember` wants it."""
    return time.time_ns()


def _prepared(values: dict[str, Any]) -> Prepared:
    return Prepared(
        **{
            **values,
            "spec": _spec(values["spec"]),
            "engine": EngineInfo(**values["engine"]),
            "bases": tuple(values["bases"]),
            "ports": tuple(Wanted(**item) for item in values["ports"]),
            "sync": None if values["sync"] is None else parse_order(values["sync"]),
            "hot": _hot_plan(values["hot"]),
            "revisable": _revisable(values["revisable"]),
        }
    )


def _hot_plan(values: dict[str, Any] | None) -> HotPlan | None:
    if values is None:
        return None
    return HotPlan(fixed=values["fixed"], files=tuple(values["files"]), inputs=tuple(values["inputs"]))


def _revisable(values: dict[str, Any] | None) -> Revisable | None:
    return None if values is None else Revisable(**{**values, "names": tuple(values["names"])})


def _spec(values: dict[str, Any]) -> InstanceSpec:
    granted, resources, machine = values["granted"], values["resources"], values["machine"]
    return InstanceSpec(
        **{
            **values,
            "user": GuestUser(**values["user"]),
            "agent": AgentSpec(**values["agent"]),
            "env": _pairs(values["env"]),
            "labels": _pairs(values["labels"]),
            "shares": tuple(Share(**item) for item in values["shares"]),
            "volumes": tuple(DataVolume(**{**item, "labels": _pairs(item["labels"])}) for item in values["volumes"]),
            "resources": ResourceLimits(**{**resources, "devices": tuple(resources["devices"])}),
            "machine": None if machine is None else MachineOptions(**machine),
            "granted": Granted(
                host_paths=frozenset(granted["host_paths"]),
                devices=frozenset(granted["devices"]),
                gpus=granted["gpus"],
            ),
        }
    )


def _pairs(items: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in items)
