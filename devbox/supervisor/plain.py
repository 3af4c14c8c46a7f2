"""Values of Python as JSON has them. Bytes are names of files, and become what Python calls those."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum


def plain(value: object) -> object:
    """Return `value` as JSON has it: named tuples and dataclasses as objects by their fields, enums as their value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | Enum):
        return os.fsdecode(value) if isinstance(value, bytes) else plain(value.value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in asdict(value).items()}
    named = getattr(value, "_asdict", None)
    if named is not None:
        return plain(named())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"no plain value: {value!r}")
