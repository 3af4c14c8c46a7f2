"""`add` and `remove`: the profile, the Lock, the running Environment and the Image, changed together.

The files are edited first and put back if anything fails, so that a name that does not exist changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.build.manifests import read_inputs
from devbox.errors import DevboxError, LockGoneError, ProfileError
from devbox.profile.explain import digest
from devbox.record import RecordFromTheFuture, read
from devbox.runtimes.base import InstanceState
from devbox.workspace.base_disk import require_image
from devbox.workspace.behind import change_first
from devbox.workspace.build import Wish, make_image
from devbox.workspace.checked import checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.edits import Edits, added, removed
from devbox.workspace.effective import has_profile, read_profile
from devbox.workspace.files import write_in_project
from devbox.workspace.find import current
from devbox.workspace.located import located
from devbox.workspace.locks import architecture, input_digests, lock_book, why_stale
from devbox.workspace.state import locked
from devbox.workspace.up import bring_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What was done. `names`: what was not so already; `files`: what was edited.

    `live`: it is in what runs, and the Image is being made behind.
    """

    names: tuple[str, ...]
    files: tuple[str, ...]
    live: bool


def add(host: Host, workspace: Workspace, names: Sequence[str], *, group: str) -> Changed:
    """Add packages to the profile, the Lock and the Image, and to the Environment if it runs."""
    return _change(host, workspace, added, names, group=group, command="devbox add")


def remove(host: Host, workspace: Workspace, names: Sequence[str], *, group: str) -> Changed:
    """Take packages away again, everywhere."""
    return _change(host, workspace, removed, names, group=group, command="devbox remove")


def _change(
    host: Host, workspace: Workspace, plan: Edits, names: Sequence[str], *, group: str, command: str
) -> Changed:
    if not has_profile(workspace):
        raise ProfileError(f"there is no {paths.PROFILE} to change", hint="write a profile: devbox init")
    loaded = read_profile(host, workspace)
    require_image(loaded, command.removeprefix("devbox "))
    edit = plan(workspace, loaded, names, group)
    runs = _runs(host, workspace)
    fits = runs and _fits(host, workspace)
    if not edit.names and (fits or not runs):
        return Changed(names=(), files=(), live=False)
    checked(host, workspace)  # whatever would be refused is refused before a file is touched
    edited = {str(path): text for path, text in edit.texts.items()}
    with _edited(edit.texts):
        first = fits and _changed_first(host, workspace, edited, command)
        if not first and runs:  # what does not fit, as after a kill in the midst of this, is made to
            bring_up(host, workspace, flags=None, command=command, editing=True)
        elif not first:
            _build(host, workspace, command)
    files = tuple(str(path.relative_to(workspace.directory)) for path in edit.texts)
    return Changed(names=edit.names or tuple(names), files=files, live=first)


def _changed_first(host: Host, workspace: Workspace, edited: dict[str, str], command: str) -> bool:
    try:
        return change_first(host, workspace, edited, command)
    except LockGoneError:  # the layers below have to be made anew, with what has become of the packages in them
        return False


def _build(host: Host, workspace: Workspace, command: str) -> None:
    ready = checked(host, workspace)
    with located(ready.loaded), locked(host, workspace, command):
        make_image(host, workspace, ready, Wish(editing=True))


def _runs(host: Host, workspace: Workspace) -> bool:
    instance = current(host, workspace)
    return instance is not None and instance.state is InstanceState.RUNNING


def _fits(host: Host, workspace: Workspace) -> bool:
    """Whether what runs is what profile and Lock say, so that it can be changed in place."""
    instance = current(host, workspace)
    if instance is None or instance.state is not InstanceState.RUNNING:
        return False
    try:
        known = read(paths.record_file(workspace.hash))
    except RecordFromTheFuture:
        return False
    loaded = read_profile(host, workspace)
    if known is None or known["instance"] != instance.id or known["profile"] != digest(loaded.profile):
        return False
    try:
        lock = lock_book(host, workspace, loaded).read()
        inputs = input_digests(read_inputs(loaded.profile, workspace.directory))
    except DevboxError:
        return False
    return not why_stale(lock, loaded.profile, inputs, platform=architecture(host.engine.info.architecture))


@contextmanager
def _edited(texts: Mapping[Path, str]) -> Iterator[None]:
    """Within, the files hold `texts`; if it is left by an exception they are again what they were before."""
    before = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in texts}
    try:
        for path, text in texts.items():
            write_in_project(path, text)
        yield
    except BaseException:
        for path, old in before.items():
            if old is None:
                path.unlink(missing_ok=True)
            else:
                write_in_project(path, old)
        raise
