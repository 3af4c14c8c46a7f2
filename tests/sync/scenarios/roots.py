"""7, 8 and 32: a root is another one, is empty, is gone, or is in the hands of two."""

from tests.sync.stage import Can, Stage, scenario

_MANY = "i=0; while [ $i -lt 100 ]; do mkdir -p d$((i / 10)); echo $i >d$((i / 10))/f$i; i=$((i + 1)); done"
_MOST_GONE = 30  # of 101 files, before a brake knows: three in ten may go without a question
_HAS = {"d0/f0": "0", "d9/f99": "99", "keep": "mine"}


@scenario(7, "the environment is made anew, its directory is empty", "nothing is deleted on the host; it goes in again")
def made_anew_and_empty(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.pair.recreate("true")
    stage.settle()
    stage.on("host", _HAS)
    stage.kept("mine", "42")
    stage.same()


@scenario(
    7,
    "the environment is made anew, its directory holds what the image has there",
    "nothing is deleted on the host; what only the image has stays in the guest and is told",
)
def made_anew_with_other_content(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.pair.recreate("echo image >image; mkdir d0; echo image >d0/f0")
    stage.settle()
    stage.kept("mine", "0", "42", "99")
    stage.on("host", _HAS)
    stage.on("guest", {"d9/f99": "99", "image": "image"})


@scenario(
    7,
    "the environment is made anew and has edits of its own before it is synced",
    "the host's counts; the guest's is kept in the guest",
)
def made_anew_with_an_edit(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.pair.recreate("echo theirs >keep")
    stage.settle()
    stage.on("host", _HAS)
    stage.kept("theirs")
    stage.play(host="echo again >keep")
    stage.on("host", {"keep": "again"})


@scenario(8, "all is deleted on the host", "it stops and asks; the guest keeps all")
def emptied_on_the_host(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.play(host="rm -rf ./*")
    _stopped(stage, "the directory is empty")
    stage.on("guest", _HAS)


@scenario(8, "all is deleted on the guest", "it stops and asks; what went before that is in the trash")
def emptied_on_the_guest(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.play(guest="rm -rf ./*")
    _stopped(stage, "the directory is empty", "much would be deleted")
    _few_gone(stage)


def _stopped(stage: Stage, *whys: str) -> None:
    if Can.BRAKE in stage.pair.can:
        said = stage.pair.halted
        stage.expect(any(why in said for why in whys), f"it did not stop and say {whys[0]!r}, but {said!r}")


def _few_gone(stage: Stage) -> None:
    """A brake sees the first deletions before it can know of the others."""
    gone = 101 - sum(thing.kind == "file" for thing in stage.pair.host.look().values())
    stage.expect(gone <= _MOST_GONE, f"host: {gone} of 101 files are gone")
    stage.kept("mine", *map(str, range(100)))


@scenario(8, "the host's directory is renamed away", "it stops; the guest keeps all")
def root_renamed_away(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    path = stage.pair.host.path
    away = path.with_name(f"{path.name}-away")
    path.rename(away)
    try:
        stage.settle()
        _stopped(stage, "directory is gone")
        stage.on("guest", _HAS)
        stage.expect(not path.exists() or not any(path.iterdir()), "it was made anew on the host")
    finally:
        if path.exists():
            path.rename(path.with_name(f"{path.name}-other"))
        away.rename(path)
    stage.play(host="echo later >later")
    stage.both({"later": "later", **_HAS})


@scenario(8, "another, empty directory is in the host's place", "it stops; the guest keeps all")
def root_replaced(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    path = stage.pair.host.path
    path.rename(path.with_name(f"{path.name}-away"))
    path.mkdir()
    stage.settle()
    _stopped(stage, "the directory is empty")
    stage.on("guest", _HAS)


@scenario(8, "sixty of 101 files are deleted on the guest", "it stops and asks; what went before that is in the trash")
def much_deleted_on_the_guest(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.play(guest="rm -rf d1 d2 d3 d4 d5 d6")
    _stopped(stage, "much would be deleted")
    _few_gone(stage)


@scenario(
    8,
    "the same, and the user agrees",
    "they go on the host as well, and can be had back from the trash",
    needs={Can.BRAKE, Can.TRASH},
)
def much_deleted_and_agreed(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.play(guest="rm -rf d1 d2 d3 d4 d5 d6")
    stage.pair.confirm()
    stage.settle()
    stage.on("host", {"d1": None, "d6": None, "d7/f70": "70", "keep": "mine"})
    stage.same()
    stage.kept("10", "69")


@scenario(8, "a few files are deleted on the guest", "they go on the host as well, without a question")
def few_deleted_on_the_guest(stage: Stage) -> None:
    stage.given(f"{_MANY}; echo mine >keep")
    stage.play(guest="rm -rf d1")
    stage.both({"d1": None, "d2/f20": "20"})


@scenario(32, "a second one on the same directory", "it is refused, the first one goes on", needs={Can.LOCK})
def two_on_one_root(stage: Stage) -> None:
    stage.given("echo 1 >a")
    refused = stage.pair.second(stage.pair.host.path)
    stage.expect(refused, "a second one was let in")
    stage.play(host="echo 2 >a")
    stage.both({"a": "2"})


@scenario(32, "a second one on a directory inside", "it is refused, the first one goes on", needs={Can.LOCK})
def nested_roots(stage: Stage) -> None:
    stage.given("mkdir d; echo 1 >d/a")
    refused = stage.pair.second(stage.pair.host.path / "d")
    stage.expect(refused, "a second one was let in")
    stage.play(host="echo 2 >d/a")
    stage.both({"d/a": "2"})
