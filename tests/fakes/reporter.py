"""A Reporter that keeps what it was told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class RecordedStep:
    """One piece of long work: its title, what was said during it, and whether an exception ended it."""

    title: str
    updates: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ended: bool = False
    failed: bool = False

    def update(self, message: str) -> None:
        self.updates.append(message)

    def output(self, line: str) -> None:
        self.lines.append(line)


class RecordingReporter:
    """Keeps everything, in order, each kind in a list of its own."""

    def __init__(self) -> None:
        self.steps: list[RecordedStep] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.debugged: list[str] = []
        self.pauses = 0

    @property
    def titles(self) -> list[str]:
        return [step.title for step in self.steps]

    @contextmanager
    def step(self, title: str) -> Iterator[RecordedStep]:
        step = RecordedStep(title)
        self.steps.append(step)
        try:
            yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            step.ended = True

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def debug(self, message: str) -> None:
        self.debugged.append(message)

    @contextmanager
    def pause(self) -> Iterator[None]:
        self.pauses += 1
        yield
