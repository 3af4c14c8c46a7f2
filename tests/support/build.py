"""Values that the tests of the build room start from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devbox.build.compose import compose
from devbox.build.inputs import Inputs
from devbox.build.languages.base import Setting
from devbox.build.layout import settle
from devbox.build.manifests import read_inputs
from devbox.build.recipe import BaseImage, Recipe
from devbox.profile.lock import Answer, Platform
from devbox.profile.model import Profile
from devbox.values import LABEL_OWNER, LABEL_SCHEMA, LABEL_WORKSPACE, SCHEMA, GuestUser

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEV = GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev")
ROOT = GuestUser(name="root", uid=0, gid=0, home="/root")
DEBIAN = BaseImage(
    id="sha256:" + "b" * 64,
    reference="debian:12",
    family="debian",
    distribution="debian",
    version="12",
    env=(("PATH", PATH),),
    workdir="",
    epoch=1_700_000_000,
    architecture="amd64",
    layers=1,
    prepared=True,
    said="debian:12, from a test",
)
ALPINE = replace(DEBIAN, reference="alpine:3.20", family="alpine", distribution="alpine", version="3.20")
FEDORA = replace(DEBIAN, reference="fedora:42", family="fedora", distribution="fedora", version="42")
UNKNOWN = replace(DEBIAN, reference="odd:1", family="unknown", distribution="odd", version="1")


def profile(**values: Any) -> Profile:
    """Return a profile of these keys, as from TOML."""
    return Profile.model_validate(values)


def recipe(
    directory: Path,
    *,
    base: BaseImage = DEBIAN,
    user: GuestUser = DEV,
    answers: Mapping[str, Sequence[str]] = MappingProxyType({}),
    **values: Any,
) -> Recipe:
    """Return the recipe of a profile of these keys in the project `directory`; every question is answered."""
    asked = profile(**values)
    inputs = read_inputs(asked, directory)
    lock = Platform()
    while True:
        made = compose(asked, base=base, inputs=inputs, user=user, project_name=directory.name, lock=lock)
        if made.open is None:
            return made
        lock = answered(made, *answers.get(made.open.key, ()))


def answered(made: Recipe, *lines: str) -> Platform:
    """Return the lock of `made` with `lines` as the answer to its open question."""
    assert made.open is not None
    if made.pending is not None:
        return settle(made.lock, made.pending, lines)
    answer = Answer(asked=made.open.asked, lines=lines)
    return replace(made.lock, answers={**made.lock.answers, made.open.key: answer})


def nothing(directory: Path) -> Inputs:
    """Return the inputs of a profile that reads no file."""
    return Inputs(directory=directory)


def labels(workspace: str, owner: str = "test") -> dict[str, str]:
    """Return the labels that a build puts on everything."""
    return {LABEL_WORKSPACE: workspace, LABEL_OWNER: owner, LABEL_SCHEMA: SCHEMA}


def setting(directory: Path, *, base: BaseImage = DEBIAN, user: GuestUser = DEV, **values: Any) -> Setting:
    """Return what a language's share is planned from, for a profile of these keys in the project `directory`."""
    asked = profile(**values)
    return Setting(
        profile=asked,
        base=base,
        inputs=read_inputs(asked, directory),
        user=user,
        directory=f"/workspaces/{directory.name}",
    )
