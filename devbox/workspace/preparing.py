"""Which plans are kept for the next `up`, and from which files they were made."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from devbox import paths
from devbox.build.inputs import Inputs
from devbox.engine.client import agreed_version
from devbox.profile.explain import digest
from devbox.profile.load import Loaded
from devbox.profile.model import Profile
from devbox.profile.trust import TrustStore
from devbox.runtimes.base import InstanceSpec
from devbox.workspace.build import Made
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile
from devbox.workspace.prepared import Prepared, candidates, remember
from devbox.workspace.spec import excess


def keep(host: Host, workspace: Workspace, loaded: Loaded, made: Made, spec: InstanceSpec, *, began: int) -> None:
    """Keep the plan of an `up` that began at `began`, if the next one may go by it without looking at more."""
    profile = loaded.profile
    if not _is_plain(host, workspace, loaded) or made.inputs.notes or profile.base.image is None:
        return
    engine = host.engine.info
    prepared = Prepared(
        spec=spec,
        reference=made.built.reference,
        recipe=made.built.digest,
        base=profile.base.image,
        bases=candidates(host.engine, profile.base.image),
        engine=engine,
        api=agreed_version(engine.api_version, "1.24"),
        profile=digest(profile),
    )
    files = sorted({*_profile_files(workspace, loaded), *_input_files(workspace, made), *_host_files(host.environ)})
    remember(host, workspace, prepared, files=files, began=began)


def _is_plain(host: Host, workspace: Workspace, loaded: Loaded) -> bool:
    """Whether a plan is all there is: nothing to say each time, nothing to run, nothing taken from the host."""
    profile = loaded.profile
    if loaded.warnings or excess(profile, host.engine.info) or not has_profile(workspace):
        return False
    return not profile.secrets and not profile.env.from_host and not _runs_or_copies(profile)


def _runs_or_copies(profile: Profile) -> bool:
    python = profile.packages.python
    editable = python is not None and python.editable
    return editable or any(step.when == "create" or step.copy_ is not None for step in profile.provision)


def _profile_files(workspace: Workspace, loaded: Loaded) -> Iterator[str]:
    yield str(workspace.directory)  # a file that comes or goes changes its directory
    yield from map(str, loaded.files)
    for name in (paths.PROFILE, paths.LOCAL_PROFILE):
        yield str(workspace.directory / name)
    yield paths.user_profile()
    yield TrustStore(workspace.directory).path


def _input_files(workspace: Workspace, made: Made) -> Iterator[str]:
    yield from _with_directories(workspace.directory, made.inputs)
    if made.bundle is not None:
        yield str(made.bundle)
        yield str(made.bundle.resolve())


def _with_directories(project: Path, inputs: Inputs) -> Iterator[str]:
    for file in (file for group in inputs.groups.values() for file in group):
        path = project / file.path
        yield str(path)
        yield from (str(parent) for parent in path.parents if parent.is_relative_to(project))


def _host_files(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what decides which engine is found."""
    docker = environ.get("DOCKER_CONFIG") or os.path.join(paths.home(), ".docker")  # noqa: PTH118 (paths are text)
    yield from (f"{docker}/config.json", f"{docker}/contexts/meta", "/var/run/docker.sock")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield f"{runtime}/docker.sock"
