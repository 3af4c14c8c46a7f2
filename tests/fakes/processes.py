"""Processes that run nothing: each argv is recorded, and answered from a script."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devbox.errors import CommandFailedError
from devbox.process import Account, Completed


@dataclass(frozen=True, kw_only=True)
class Call:
    """One program that would have been run. `how`: run, lines, start or start_into."""

    how: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: str | None = None


Answer = Completed | Exception | Callable[[Call], Completed]


def completed(stdout: str = "", *, status: int = 0, stderr: str = "") -> Completed:
    """Return how a program ended."""
    return Completed(status=status, stdout=stdout, stderr=stderr)


class FakeProcesses:
    """Answers `argv` by the longest scripted prefix; without one the program counts as missing.

    `calls` has every call in order. `programs` is what `which` finds; a scripted answer makes its program found.
    """

    def __init__(self, *programs: str) -> None:
        self.programs = set(programs)
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, ...], list[Answer]] = {}

    @property
    def argvs(self) -> list[tuple[str, ...]]:
        return [call.argv for call in self.calls]

    def answer(self, *prefix: str, with_: Answer | str = "") -> None:
        """Answer programs whose argv starts with `prefix`; given several times, in order, the last one for good."""
        self.programs.add(prefix[0])
        found = completed(with_) if isinstance(with_, str) else with_
        self._answers.setdefault(prefix, []).append(found)

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.programs else None

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,
        check: bool = True,
        stdin: str | None = None,
        inherit: Sequence[int] = (),
    ) -> Completed:
        done = self._answer(Call(how="run", argv=tuple(argv), env=env or {}, cwd=cwd, stdin=stdin))
        if check and done.status != 0:
            raise _failed(argv, done)
        return done

    def lines(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Iterator[str]:
        done = self._answer(Call(how="lines", argv=tuple(argv), env=env or {}, cwd=cwd))
        yield from done.stdout.splitlines()
        if done.status != 0:
            raise _failed(argv, done)

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path, inherit: Sequence[int] = ()
    ) -> int:
        self._answer(Call(how="start", argv=tuple(argv), env=env or {}))
        return 4000 + len(self.calls)

    def start_into(
        self,
        reader: Sequence[str],
        argv: Sequence[str],
        *,
        cwd: Path,
        inherit: Sequence[int] = (),
        account: Account | None = None,
        stdin: int = -1,
    ) -> int:
        self._answer(Call(how="start_into", argv=tuple(argv), env={}, cwd=cwd))
        return 4000 + len(self.calls)

    def _answer(self, call: Call) -> Completed:
        self.calls.append(call)
        for length in range(len(call.argv), 0, -1):
            answers = self._answers.get(call.argv[:length])
            if answers:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                break
        else:
            if call.argv[0] in self.programs:
                return completed()
            raise CommandFailedError(f"{call.argv[0]} is not installed")
        if isinstance(answer, Exception):
            raise answer
        return answer(call) if callable(answer) else answer


def _failed(argv: Sequence[str], done: Completed) -> CommandFailedError:
    return CommandFailedError(
        f"{argv[0]} failed with exit code {done.status}: {' '.join(argv)}", detail=done.stderr or done.stdout or None
    )
