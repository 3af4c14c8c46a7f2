"""`build`: make the Image of a Workspace's profile."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from devbox import paths
from devbox.build.base import Resolver
from devbox.build.ca import find_bundle, read_bundle
from devbox.build.compose import compose
from devbox.build.inputs import Inputs
from devbox.build.manifests import read_inputs
from devbox.build.recipe import BaseImage, Recipe
from devbox.build.run import Builder, BuildOrder
from devbox.build.run import Built as BuildResult
from devbox.build.steps.apt import KEY as SYSTEM_KEY
from devbox.build.steps.apt import SNAPSHOT_VARIABLE
from devbox.errors import DevboxError
from devbox.profile.load import Loaded
from devbox.profile.lock import Lock, Platform
from devbox.profile.model import Profile
from devbox.values import LABEL_GROUP, LABEL_NAME, LABEL_OWNER, LABEL_SCHEMA, LABEL_WORKSPACE, SCHEMA, GuestUser, slug
from devbox.workspace import early
from devbox.workspace.ahead import ahead
from devbox.workspace.base_disk import place, require_pinned
from devbox.workspace.checked import Checked, checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.identity import guest_user
from devbox.workspace.located import located
from devbox.workspace.lock_content import without_stale_content
from devbox.workspace.locking import Asking, Locked, carry_out, close, platform_for, without_unasked
from devbox.workspace.locks import (
    LockBook,
    architecture,
    input_digests,
    lock_book,
    profile_digest,
    refuse_stale,
    require_shared,
    why_stale,
)
from devbox.workspace.secret_values import SecretValues
from devbox.workspace.state import locked

__all__ = ["BuildResult", "Made", "Wish", "build", "make_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An Image and what else was found out on the way to it. `written`: the devbox.lock that was written, by path."""

    built: BuildResult
    recipe: Recipe
    platform: Platform
    inputs: Inputs
    user: GuestUser
    bundle: Path | None  # the host's file of CA certificates
    written: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How an Image is to be made. `locked`: exactly as devbox.lock has it, or not at all.

    `standing`: ids of the images that the Workspace's Instances stand on; one that fits is kept to. `fresh`: look for a
    newer base. `anew`: answer nothing from lists that were fetched before. `revise`: what the Lock is to forget before
    anything is planned. `repository`: of the Image's name, instead of the Workspace's own. `editing`: the profile was
    changed by this very command, so that the Lock is no news.
    """

    no_cache: bool = False
    locked: bool = False
    standing: tuple[str, ...] = ()
    fresh: bool = False
    anew: bool = False
    repository: str | None = None
    editing: bool = False
    revise: Callable[[Platform], Platform] | None = None


def build(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, wish: Wish | None = None
) -> BuildResult:
    """Make the Image as `wish` says."""
    ready = checked(host, workspace, flags=flags)
    with located(ready.loaded), locked(host, workspace, "devbox build"):
        return make_image(host, workspace, ready, wish or Wish()).built


def make_image(host: Host, workspace: Workspace, ready: Checked, wish: Wish) -> Made:
    """Make the Image of a checked profile, if the engine does not have it, and lock it. The caller holds the lock."""
    if ready.loaded.profile.base.disk is not None:
        return _of_disk(host, workspace, ready, wish)
    making = _making(host, workspace, ready, wish)
    asking, platform = making.asking, making.platform
    whole, built = carry_out(wish.revise(platform) if wish.revise else platform, asking.anew() if wish.anew else asking)
    made = making.made(whole, built)
    if wish.locked:
        return made
    made = replace(made, platform=without_unasked(whole, asking.compose))
    making.expect_another(made.platform)
    return replace(made, written=making.keep(made))


def _of_disk(host: Host, workspace: Workspace, ready: Checked, wish: Wish) -> Made:
    """Have the disk that stands for an Image, into which nothing is built; it is known by its digest."""
    from devbox.runtimes.vm.foreign import foreign_disks  # lazy: who has images alone needs none of it
    from devbox.vm.foreign import Source

    profile = ready.loaded.profile
    if wish.locked:
        require_pinned(ready.loaded)
    origin = place(profile.base, workspace.directory)
    assert origin is not None, "the base is a disk"
    with located(ready.loaded):
        found = foreign_disks(host.processes, host.reporter).prepared(Source(place=origin, sha256=profile.base.sha256))
    return Made(
        built=BuildResult(image=found.image, reference=found.image, digest=found.sha256, run=(), reused=0),
        recipe=Recipe(base=found.image, steps=(), env=(), variables=tuple(sorted(profile.env.values.items()))),
        platform=Platform(),
        inputs=read_inputs(profile, workspace.directory),
        user=guest_user(host, workspace, host.engine.info, profile.user),
        bundle=find_bundle(profile.network.ca_bundle, directory=workspace.directory, environ=host.environ),
    )


@contextmanager
def planned_image(
    host: Host, workspace: Workspace, ready: Checked, *, image: str
) -> Iterator[tuple[Made, Callable[[], dict[str, str]]]]:
    """Within, there is what the Image of a checked profile is made from, with `image` in its place, and what locks it.

    What the Lock does not say is asked. What locks it returns what was written, as `Made.written` has it. The caller
    holds the Workspace's lock.
    """
    making = _making(host, workspace, ready, Wish(standing=(image,), editing=True))
    with making.asking.builder as builder:
        whole = close(making.platform, making.asking)
        left = ahead(builder.let_go)  # to remove a container takes as long as to install a small package
        built = BuildResult(image=image, reference="", digest="", run=(), reused=0)
        made = replace(making.made(whole, built), platform=without_unasked(whole, making.asking.compose))
        try:
            yield made, lambda: making.keep(made)
        finally:
            left()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What an Image is made from, but for what has still to be asked."""

    host: Host
    workspace: Workspace
    profile: Profile
    base: BaseImage
    inputs: Inputs
    user: GuestUser
    bundle: Path | None
    book: LockBook
    known: Lock | None
    platform: Platform
    asking: Asking

    def made(self, whole: Locked, built: BuildResult) -> Made:
        """Return what `built` was made from."""
        return Made(
            built=built,
            recipe=whole.recipe,
            platform=whole.platform,
            inputs=self.inputs,
            user=self.user,
            bundle=self.bundle,
        )

    def keep(self, made: Made) -> dict[str, str]:
        """Write the Lock; return what was written into the project."""
        return _keep(self.host, self.book, self.known, self.profile, made)

    def expect_another(self, platform: Platform) -> None:
        """Write down what one more system package would be asked in; see `build.early`."""
        text = ""
        with suppress(DevboxError):  # a base without a package manager has no next question
            profile = _with_another(self.profile)
            another = _composed(profile, self.workspace, self.base, self.inputs, self.user, platform)
            text = self.asking.builder.expected(replace(self.asking.order, recipe=another))
        early.remember(self.workspace, text)


def _making(host: Host, workspace: Workspace, ready: Checked, wish: Wish) -> _Making:
    profile = ready.loaded.profile
    user = guest_user(host, workspace, host.engine.info, profile.user)
    inputs = read_inputs(profile, workspace.directory)
    for note in inputs.notes:
        host.reporter.note(note)
    if wish.locked:
        require_shared(workspace, ready.loaded)
    book = lock_book(host, workspace, ready.loaded)
    known = _known(host, book, profile, inputs, wish)
    bundle = find_bundle(profile.network.ca_bundle, directory=workspace.directory, environ=host.environ)
    order = _order(host, workspace, ready, inputs=inputs, bundle=bundle, wish=wish)
    base = _base(host, workspace, profile, known, order.labels, fresh=wish.fresh)
    asking = Asking(
        compose=lambda lock: _composed(profile, workspace, base, inputs, user, lock),
        order=order,
        builder=Builder(host.engine, host.reporter, early=host.early),
        reporter=host.reporter,
        strict=wish.locked,
    )
    return _Making(
        host=host,
        workspace=workspace,
        profile=profile,
        base=base,
        inputs=inputs,
        user=user,
        bundle=bundle,
        book=book,
        known=known,
        platform=platform_for(known, base, reporter=host.reporter, strict=wish.locked),
        asking=asking,
    )


def _composed(
    profile: Profile, workspace: Workspace, base: BaseImage, inputs: Inputs, user: GuestUser, lock: Platform
) -> Recipe:
    return compose(profile, base=base, inputs=inputs, user=user, project_name=workspace.name, lock=lock)


def _with_another(profile: Profile) -> Profile:
    """Return the profile with one more system package, of which nobody will ever hear."""
    packages = profile.packages
    more = packages.model_copy(update={"system": (*packages.system, "devbox-another")})
    return profile.model_copy(update={"packages": more})


def _order(
    host: Host, workspace: Workspace, ready: Checked, *, inputs: Inputs, bundle: Path | None, wish: Wish
) -> BuildOrder:
    """Return the order for a Recipe that is still to be found."""
    return BuildOrder(
        recipe=Recipe(base="", steps=(), env=()),
        inputs=inputs,
        labels=_labels(host, workspace, ready.loaded),
        repository=wish.repository or workspace.image_repository,
        log_directory=Path(paths.log_directory(workspace.hash)),
        secrets=SecretValues(host, workspace, ready.loaded.profile.secrets),
        ca_bundle=read_bundle(bundle),
        no_cache=wish.no_cache,
        standing=wish.standing,
        environ={name: value for name in (SNAPSHOT_VARIABLE,) if (value := host.environ.get(name))},
    )


def _keep(host: Host, book: LockBook, known: Lock | None, profile: Profile, made: Made) -> dict[str, str]:
    """Keep the Lock of what was made; return what was written into the project."""
    before = known or Lock()
    machine = architecture(host.engine.info.architecture)
    lock = Lock(
        profile=profile_digest(profile),
        inputs=input_digests(made.inputs),
        platforms={**before.platforms, machine: made.platform},
    )
    written = book.write(without_stale_content(lock, before, machine))
    if written and known is None:
        host.reporter.note(f"{paths.LOCK} is written; commit it, and everybody gets the same")
        if not made.platform.groups and any(step.key == SYSTEM_KEY for step in made.recipe.steps):
            host.reporter.note(f"the versions of {SYSTEM_KEY} are not locked: devbox cannot do that on this base")
    return written


def _known(host: Host, book: LockBook, profile: Profile, inputs: Inputs, wish: Wish) -> Lock | None:
    """Return the Lock; say where it does not fit, or refuse that."""
    lock = book.renewable() if wish.fresh else book.read()
    stale = why_stale(lock, profile, input_digests(inputs), platform=architecture(host.engine.info.architecture))
    if wish.locked:
        refuse_stale(stale)
    elif lock is not None and stale and book.shared and not wish.editing:
        why = "; ".join(" ".join(filter(None, (one.key or one.file, one.message))) for one in stale)
        host.reporter.note(f"{paths.LOCK} is brought up to date: {why}")
    return lock


def _base(
    host: Host,
    workspace: Workspace,
    profile: Profile,
    known: Lock | None,
    labels: Mapping[str, str],
    *,
    fresh: bool,
) -> BaseImage:
    resolver = Resolver(
        engine=host.engine, processes=host.processes, reporter=host.reporter, environ=host.environ, labels=labels
    )
    platform = known.platforms.get(architecture(host.engine.info.architecture)) if known else None
    return resolver.resolve(
        profile.base,
        directory=workspace.directory,
        repository=workspace.image_repository,
        locked=platform.base if platform and not fresh else None,
        fresh=fresh,
    )


def _labels(host: Host, workspace: Workspace, loaded: Loaded) -> dict[str, str]:
    labels = {
        LABEL_WORKSPACE: workspace.hash,
        LABEL_OWNER: host.owner,
        LABEL_SCHEMA: SCHEMA,
        LABEL_NAME: loaded.profile.name or slug(workspace.name),
    }
    return labels | ({LABEL_GROUP: workspace.project_hash} if workspace.machine else {})
