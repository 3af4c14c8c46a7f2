"""The catalogue of base profiles: shipped in the wheel, or beside the package in an editable install."""

import re
from pathlib import Path
from typing import Final

import devbox

_PACKAGE: Final = Path(devbox.__file__).resolve().parent
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def directory() -> Path:
    """Return where the base profiles lie."""
    shipped = _PACKAGE / "data" / "profiles"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "profiles"


def names() -> tuple[str, ...]:
    """Return the names of all base profiles, sorted."""
    try:
        return tuple(sorted(entry.parent.name for entry in directory().glob("*/devbox.toml")))
    except OSError:
        return ()


def path(name: str) -> Path | None:
    """Return the file of the base profile `name`, or None if there is none."""
    if not _NAME.match(name):
        return None
    file = directory() / name / "devbox.toml"
    return file if file.is_file() else None


def read(name: str) -> str:
    """Return the text of the base profile `name`; `KeyError` if there is none."""
    file = path(name)
    if file is None:
        raise KeyError(name)
    return file.read_text(encoding="utf-8")


def summary(name: str) -> str:
    """Return the first comment line of the base profile `name`: what it is for."""
    comments = (line[1:].strip() for line in read(name).splitlines() if line.startswith("# "))
    return next(comments, "")


def about(name: str) -> str:
    """Return the first paragraph of the base profile's README, links reduced to their words."""
    text = (directory() / name / "README.md").read_text(encoding="utf-8")
    paragraphs = (part.strip() for part in text.split("\n\n"))
    first = next((part for part in paragraphs if part and not part.startswith("#")), "")
    return _LINK.sub(r"\1", first)
