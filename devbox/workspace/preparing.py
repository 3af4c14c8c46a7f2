"""Which plans are kept for the next `up` and for the hot path, and from which files they were made."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.build import ca
from devbox.build.inputs import Inputs
from devbox.build.manifests import EDITABLE_FILES, NODE, NODE_LOCKS, NODE_SETTINGS
from devbox.engine.base import Engine
from devbox.engine.endpoint import agreed_version
from devbox.profile.explain import digest, effective
from devbox.profile.load import Loaded
from devbox.profile.model import Profile
from devbox.profile.trust import TrustStore
from devbox.record import pack
from devbox.runtimes.base import InstanceSpec
from devbox.supervisor.order import SyncOrder
from devbox.supervisor.protocol import Wanted
from devbox.workspace.base_disk import place
from devbox.workspace.build import Made
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile
from devbox.workspace.entry import HotPlan
from devbox.workspace.hot_plan import hot_plan
from devbox.workspace.locks import lock_digest
from devbox.workspace.prepared import Prepared, remember
from devbox.workspace.revised import revisable
from devbox.workspace.several import noted
from devbox.workspace.signature import Since
from devbox.workspace.spec import excess

_PACKAGE_JSON = "package.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an `up` has come to. `bases` returns the ids of the images that the profile's base can stand for."""

    spec: InstanceSpec
    ports: tuple[Wanted, ...]
    sync: SyncOrder | None
    bases: Callable[[], tuple[str, ...]]


def keep(
    host: Host, workspace: Workspace, loaded: Loaded, made: Made, outcome: Kept, *, began: Since
) -> HotPlan | None:
    """Keep the plan of an `up` that began at `began`, if the next one may go by it without looking at more.

    Return the plan for the hot path; None if that may not be taken.
    """
    profile, spec = loaded.profile, outcome.spec
    hot = plan_hot(host, workspace, loaded, made, spec=spec, synced=outcome.sync is not None)
    # A machine is not the engine's, by which a kept plan is judged; and who looks at one of several looks at them all.
    hot_alone = spec.machine is not None or bool(loaded.machine or _others(workspace, loaded))
    if hot is None or hot_alone or not _is_plain(host, loaded, made) or profile.base.image is None:
        return hot
    engine = host.engine.info
    prepared = Prepared(
        spec=spec,
        reference=made.built.reference,
        recipe=made.built.digest,
        base=profile.base.image,
        bases=outcome.bases(),
        engine=engine,
        api=agreed_version(engine.api_version, "1.24"),
        profile=digest(profile),
        lock=lock_digest(host, workspace),
        ports=outcome.ports,
        sync=outcome.sync,
        hot=hot,
        revisable=revisable(
            workspace.directory,
            values=effective(profile),
            origins=loaded.origins,
            spec=spec,
            steps=made.recipe.steps,
        ),
    )
    files = sorted({*_files(host, workspace, loaded), *_input_files(workspace, profile, made)})
    remember(host, workspace, prepared, files=files, began=began)
    return hot


def plan_hot(
    host: Host, workspace: Workspace, loaded: Loaded, made: Made, *, spec: InstanceSpec, synced: bool
) -> HotPlan | None:
    """Return the plan for the hot path into an Instance of `spec`; None if that may not be taken."""
    if not _is_silent(workspace, loaded) or not spec.agent.directory:
        return None
    wanted = set(_input_files(workspace, loaded.profile, made)) if _suffices(host, loaded, made) else None
    hot = hot_plan(host, workspace, loaded, spec, files=_files(host, workspace, loaded), wanted=wanted)
    hot.fixed["sync"] = "1" if synced else ""
    hot.fixed["machines"] = pack(_others(workspace, loaded))
    return hot


def _others(workspace: Workspace, loaded: Loaded) -> tuple[str, ...]:
    """Return the machines that `up` and `status` of the project itself go to as well."""
    return () if loaded.machine else tuple(sorted({*loaded.members, *noted(workspace)}))


def _files(host: Host, workspace: Workspace, loaded: Loaded) -> set[str]:
    return {*_profile_files(workspace, loaded), *_host_files(host.environ)}


def _is_silent(workspace: Workspace, loaded: Loaded) -> bool:
    """Whether there is a profile, and nothing of it that every verb has to say or to fetch each time."""
    return has_profile(workspace) and not loaded.warnings and not loaded.profile.secrets


def _is_plain(host: Host, loaded: Loaded, made: Made) -> bool:
    """Whether a plan is all there is to an `up`: nothing to say each time, nothing to run, nothing from the host."""
    profile = loaded.profile
    if excess(profile, host.engine.info, host.cpus) or made.inputs.notes or profile.env.from_host:
        return False
    python = profile.packages.python
    editable = python is not None and python.editable
    return not editable and not any(step.when == "create" or step.copy_ is not None for step in profile.provision)


def _suffices(host: Host, loaded: Loaded, made: Made) -> bool:
    """Whether an `up` of unchanged inputs has nothing to do, as long as its container runs.

    Steps of the create stage have run in that very container. What is copied may be a whole tree, which nobody can
    look at in a millisecond; an image of the user's own can be built anew under its name, which the engine alone knows.
    """
    profile = loaded.profile
    if excess(profile, host.engine.info, host.cpus) or made.inputs.notes:
        return False
    if any(step.copy_ is not None or step.repeat == "always" for step in profile.provision):
        return False
    if profile.base.disk is not None:
        return True  # it is among the files
    return profile.base.image is not None and _stays(host.engine, profile.base.image)


def _stays(engine: Engine, base: str) -> bool:
    """Whether the reference `base` goes on to mean what it means, unless somebody asks for another.

    That is so for an id or a digest, for what came from a registry, and for what devbox made itself.
    """
    if "@sha256:" in base or base.startswith("sha256:"):
        return True
    local = engine.image(base)
    return local is None or bool(local.digests)


def _profile_files(workspace: Workspace, loaded: Loaded) -> Iterator[str]:
    yield from map(str, loaded.files)
    for name in (paths.PROFILE, paths.LOCAL_PROFILE, paths.LOCK):
        yield str(workspace.directory / name)
    yield paths.user_profile()
    yield TrustStore(workspace.directory).path
    disk = place(loaded.profile.base, workspace.directory)
    if disk is not None and disk.startswith("/"):
        yield disk
    for mount in loaded.profile.mounts:
        yield str(workspace.directory / mount.source)  # a directory counts as what it is, not by what is in it


def _input_files(workspace: Workspace, profile: Profile, made: Made) -> Iterator[str]:
    directory = workspace.directory
    for group in made.inputs.groups.values():
        yield from (str(directory / file.path) for file in group)
    for looked in made.inputs.looked:
        yield str(directory / looked) + ("/" if looked.endswith("/") else "")
    if profile.packages.node is not None:
        yield from (str(directory / name) for name in (_PACKAGE_JSON, *NODE_LOCKS, *NODE_SETTINGS))
        yield from _members(directory, made.inputs)
    if profile.packages.python is not None and profile.packages.python.editable:
        yield from (str(directory / name) for name in EDITABLE_FILES)
    yield from ca.PLACES  # one that comes goes before those that are there
    if made.bundle is not None:
        yield str(made.bundle)
        yield str(made.bundle.resolve())


def _members(directory: Path, inputs: Inputs) -> Iterator[str]:
    """Yield the directories in which a member of an npm workspace may come or go; "/" at the end: by their content."""
    if "workspaces" not in json.loads(inputs.text(NODE, _PACKAGE_JSON) or "{}"):
        return
    yield f"{directory}/"
    for file in inputs.group(NODE):
        for parent in (directory / file.path).parents:
            if parent.is_relative_to(directory):
                yield f"{parent}/"


def _host_files(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what decides which engine is found, and the time zone."""
    docker = environ.get("DOCKER_CONFIG") or os.path.join(paths.home(), ".docker")  # noqa: PTH118 (paths are text)
    yield from (f"{docker}/config.json", f"{docker}/contexts/meta/", "/var/run/docker.sock", "/etc/localtime")
    yield from (str(path) for path in Path(docker, "contexts", "meta").glob("*/meta.json"))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield f"{runtime}/docker.sock"
