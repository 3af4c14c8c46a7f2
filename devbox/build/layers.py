"""Layers that earlier builds left: which steps need not run, and how deep an image may get."""

from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.recipe import Recipe
from devbox.engine.base import Engine, ImageInfo, Labels
from devbox.errors import Problem, ProfileError
from devbox.values import LABEL_OWNER, LABEL_RECIPE, LABEL_ROLE, ROLE_LAYER

DEPTH_LIMIT = 100  # the engine refuses between 125 and 128, with words that nobody understands


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a build begins: the image to go on from, and how many steps it has behind it."""

    image: str
    done: int
    named: bool = False  # the whole image is there under its name already


def find_start(engine: Engine, recipe: Recipe, *, labels: Labels, references: Sequence[str], known: Start) -> Start:
    """Return the longest prefix of `recipe` that the engine holds, `known` or longer.

    `references`: what the whole image may be known by, which answers the common case in one look. The image that the
    Workspace stands on comes first: two projects of one name may have made the same one twice, and share its name.
    Otherwise each digest is asked for, the last first: an engine lists images of one label value quickly, all slowly.
    """
    digests = recipe.digests()
    looked_at = [one for one in map(engine.image, references) if one and _is_own(one, labels)]
    for whole in looked_at:
        if digests and whole.labels.get(LABEL_RECIPE) == digests[-1]:
            return Start(image=whole.id, done=len(digests), named=bool(whole.tags))
    for whole in looked_at:
        below = _below(engine, recipe, whole, labels)
        if below is not None and below.done > known.done:
            return below
    for done in range(len(digests), known.done, -1):
        if found := _layers(engine, labels, digests[done - 1]):
            return Start(image=found[0].id, done=done)
    return known


def _below(engine: Engine, recipe: Recipe, other: ImageInfo, labels: Labels) -> Start | None:
    """Return a state that `other` was made from, if nothing is missing after it but steps without a script.

    They are quicker carried out than looked for.
    """
    digests = recipe.digests()
    cheap = next((count for count, step in enumerate(reversed(recipe.steps)) if step.script), len(recipe.steps))
    image: ImageInfo | None = other
    for _ in range(cheap):
        image = engine.image(image.parent) if image and image.parent else None
        if image is None or not _is_own(image, labels):
            return None
        digest = image.labels.get(LABEL_RECIPE)
        if digest in digests and digests.index(digest) + 1 >= len(digests) - cheap:
            return Start(image=image.id, done=digests.index(digest) + 1)
    return None


def _is_own(image: ImageInfo, labels: Labels) -> bool:
    return image.labels.get(LABEL_OWNER) == labels.get(LABEL_OWNER)


def _layers(engine: Engine, labels: Labels, digest: str) -> list[ImageInfo]:
    wanted = {LABEL_ROLE: ROLE_LAYER, LABEL_RECIPE: digest}
    if owner := labels.get(LABEL_OWNER):
        wanted[LABEL_OWNER] = owner
    return engine.images(wanted)


def check_depth(recipe: Recipe) -> None:
    """Raise `ProfileError` if the image would have more layers than engines bear."""
    depth = recipe.base_layers + len(recipe.steps)
    if not is_deep(recipe):
        return
    provision = [step.key for step in recipe.steps if step.key.startswith("provision[")]
    if len(provision) > 1:
        where, hint = provision[-1], 'join several [[provision]] steps with when = "build" into one script'
    else:
        where, hint = "base", "choose a base with fewer layers, or fold its Dockerfile's RUN lines"
    message = (
        f"the image would have {depth} layers ({recipe.base_layers} of the base, {len(recipe.steps)} steps); "
        f"engines bear about {DEPTH_LIMIT}"
    )
    raise ProfileError(message, hint=hint, problems=[Problem(message=message, key=where, hint=hint)])


def is_deep(recipe: Recipe) -> bool:
    """Whether the image would have more layers than engines bear."""
    return recipe.base_layers + len(recipe.steps) > DEPTH_LIMIT
