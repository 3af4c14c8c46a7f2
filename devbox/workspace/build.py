"""`build`: make the Image of a Workspace's profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.build.base import Resolver
from devbox.build.ca import find_bundle, read_bundle
from devbox.build.compose import compose, modules_digest
from devbox.build.inputs import Inputs
from devbox.build.manifests import read_inputs
from devbox.build.recipe import Recipe
from devbox.build.run import Builder, BuildOrder
from devbox.build.run import Built as BuildResult
from devbox.profile.load import Loaded
from devbox.values import LABEL_NAME, LABEL_OWNER, LABEL_SCHEMA, LABEL_WORKSPACE, SCHEMA, GuestUser, slug
from devbox.workspace.checked import Checked, checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.identity import guest_user
from devbox.workspace.located import located
from devbox.workspace.secret_values import SecretValues
from devbox.workspace.state import locked

__all__ = ["BuildResult", "Made", "build", "make_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An Image and what else was found out on the way to it."""

    built: BuildResult
    inputs: Inputs
    user: GuestUser
    modules: str | None  # digest of the step that filled node_modules
    bundle: Path | None  # the host's file of CA certificates
    recipe: Recipe


def build(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, no_cache: bool = False
) -> BuildResult:
    """Make the Image; `no_cache` runs every step again."""
    ready = checked(host, workspace, flags=flags)
    with located(ready.loaded), locked(host, workspace, "devbox build"):
        return make_image(host, workspace, ready, no_cache=no_cache).built


def make_image(
    host: Host,
    workspace: Workspace,
    ready: Checked,
    *,
    no_cache: bool = False,
    standing: tuple[str, ...] = (),
    repository: str | None = None,
) -> Made:
    """Make the Image of a checked profile, if the engine does not have it. The caller holds the lock.

    `standing`: ids of the images that the Workspace's Instances stand on; one that fits is kept to. `repository`: of
    the Image's name, instead of the Workspace's own.
    """
    profile = ready.loaded.profile
    user = guest_user(host, workspace, host.engine.info, profile.user)
    inputs = read_inputs(profile, workspace.directory)
    for note in inputs.notes:
        host.reporter.note(note)
    bundle = find_bundle(profile.network.ca_bundle, directory=workspace.directory, environ=host.environ)
    labels = _labels(host, workspace, ready.loaded)
    base = Resolver(
        engine=host.engine, processes=host.processes, reporter=host.reporter, environ=host.environ, labels=labels
    ).resolve(profile.base, directory=workspace.directory, repository=workspace.image_repository)
    recipe = compose(profile, base=base, inputs=inputs, user=user, project_name=workspace.name)
    order = BuildOrder(
        recipe=recipe,
        inputs=inputs,
        labels=labels,
        repository=repository or workspace.image_repository,
        log_directory=Path(paths.log_directory(workspace.hash)),
        secrets=SecretValues(host, workspace, profile.secrets),
        ca_bundle=read_bundle(bundle),
        no_cache=no_cache,
        standing=standing,
    )
    built = Builder(host.engine, host.reporter).build(order)
    return Made(built=built, inputs=inputs, user=user, modules=modules_digest(recipe), bundle=bundle, recipe=recipe)


def _labels(host: Host, workspace: Workspace, loaded: Loaded) -> dict[str, str]:
    return {
        LABEL_WORKSPACE: workspace.hash,
        LABEL_OWNER: host.owner,
        LABEL_SCHEMA: SCHEMA,
        LABEL_NAME: loaded.profile.name or slug(workspace.name),
    }
