"""20 and 27 to 30: very much at once, and what no honest side says."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.waiting import until
from tests.sync.lies import EVENT_LIES, LIES, EventLie, Lie, very_many
from tests.sync.stage import Can, Stage, scenario

_FEW = "for i in 1 2 3 4 5 6 7 8; do echo $i >f$i; done"
_SAFE = "nothing outside is read or written, no file of the host is lost"
_Lies = list[tuple[str, Lie | None, EventLie | None]]


@scenario(
    20,
    "the guest's end tells lies: paths that lead out, names that are none, files beneath files, wrong content",
    _SAFE,
    needs={Can.TAP},
)
def lying_guest(stage: Stage) -> None:
    lies: _Lies = [(name, lie, None) for name, lie in LIES.items()]
    lies += [(name, None, lie) for name, lie in EVENT_LIES.items()]
    _lied_to(stage, [*lies, ("two thousand names", very_many(2_000), None)])


@scenario(20, "the guest's end lies of a hundred thousand names", _SAFE, needs={Can.TAP}, nightly=True)
def lying_guest_of_many_names(stage: Stage) -> None:
    _lied_to(stage, [("a hundred thousand names", very_many(100_000), None)])


def _lied_to(stage: Stage, lies: _Lies) -> None:
    stage.given(f"{_FEW}; mkdir d; echo 1 >d/a; ln -s /etc/hostname link")
    outside = stage.pair.host.path.with_name(f"{stage.pair.host.path.name}-outside")
    outside.write_text("secret")
    before = stage.pair.host.look()
    siblings = {path.name for path in stage.pair.host.path.parent.iterdir()}
    for number, (name, lie, of_events) in enumerate(lies):
        stage.pair.lie(lie, of_events)
        many = 100 if "planted" in name else 3
        new = f"mkdir h{number}; for i in $(seq {many}); do echo $i >h{number}/$i; done"
        stage.at_once(host=new, guest=_work(number))
        until(lambda: stage.pair.tap.lied, within=30)
        stage.pair.settle_if_it_can()
        now = stage.pair.host.look()
        lost = {path for path, thing in before.items() if now.get(path) != thing}
        stage.expect(not lost, f"{name}: the host's {sorted(lost)[:3]} is not what it was")
        stage.expect({path.name for path in stage.pair.host.path.parent.iterdir()} == siblings, f"{name}: it got out")
    stage.pair.lie()
    stage.pair.resume()
    stage.play(host="echo honest >f1")
    stage.on("guest", {"f1": "honest"})
    stage.expect(outside.read_text() == "secret", "what is outside was written")
    read = [path for path, thing in stage.pair.guest.look().items() if b"secret" in thing.data]
    stage.expect(not read, f"guest: what is outside is at {read[:3]}")


def _work(number: int) -> str:
    """Something for the guest to tell of: a new directory, a file, and one that is gone at once."""
    return f"mkdir p{number}; echo x >p{number}/x; echo new >new{number}; echo gone >gone; rm -f gone"


_GIT = (
    "git init -q -b one . && git config user.email a@b && git config user.name a && git config gc.auto 0"
    " && for d in 1 2 3 4 5 6; do mkdir -p d$d; for i in $(seq 50); do echo $d $i >d$d/f$i; done; done"
    " && git add . && git commit -qm 1 && git checkout -qb two && for d in 1 2 3; do for i in $(seq 50);"
    " do echo two $d $i >d$d/f$i; done; done && git rm -qr d6 && mkdir e && for i in $(seq 50); do echo e >e/f$i;"
    " done && git add . && git commit -qm 2 && git checkout -q one"
)


@scenario(27, "git switches branches again and again", "the last state is on both sides")
def git_switches(stage: Stage) -> None:
    stage.given(_GIT)
    for branch in ("two", "one", "two", "one", "two"):
        stage.host(f"git checkout -q {branch}")
    stage.settle()
    stage.same()
    stage.on("guest", {"d1/f1": "two 1 1", "d6/f1": None, "e/f50": "e"})
    stage.host("git status --porcelain | grep . && exit 1 || true")
    stage.conflict()


@scenario(27, "files change many times between two looks", "few of the states are sent", needs={Can.TAP})
def many_changes_few_transfers(stage: Stage) -> None:
    stage.given(_GIT)
    stage.pair.tap.clear()
    for _ in range(10):
        stage.host("git checkout -q two && git checkout -q one")
    stage.settle()
    stage.same()
    changes = 20 * 250
    stage.expect(stage.pair.tap.writes * 3 < changes, f"{stage.pair.tap.writes} writes for {changes} changes")


_SAVES = {
    "a new file over the old one": "echo saved >.a.tmp; mv .a.tmp a",
    "a backup, then anew": "mv a a~; echo saved >a",
    "in place": "echo saved >a",
    "a copy as backup, then in place": "cp a a.bak; echo saved >a; rm a.bak",
    "a swap file beside it": "echo swap >.a.swp; echo saved >a; rm .a.swp",
    "a number to try the directory, then a new file": "echo >4913; rm 4913; mv a a~; echo saved >a; rm a~",
}


@scenario(28, "editors save in their ways, on the host", "one save is seen once, and never an empty file")
def saves_on_the_host(stage: Stage) -> None:
    _saves(stage, stage.host)


@scenario(28, "editors save in their ways, on the guest", "one save is seen once, and never an empty file")
def saves_on_the_guest(stage: Stage) -> None:
    _saves(stage, stage.guest)


def _saves(stage: Stage, save: Callable[[str], str]) -> None:
    stage.given(f"{_FEW}; echo older >a")
    for name, script in _SAVES.items():
        if Can.TAP in stage.pair.can:
            stage.pair.tap.clear()
        save(script)
        stage.settle()
        stage.both({"a": "saved"})
        if Can.TAP in stage.pair.can:
            sizes = [size for path, size in stage.pair.tap.puts if path == b"a"]
            stage.expect(sizes == [len("saved\n")], f"a was put {len(sizes)} times, with {sizes} bytes")
        save("echo between >a")
        stage.settle()
        stage.expect(not stage.wrong, f"that was: {name}")
    stage.same()
    stage.conflict()


@scenario(
    28,
    "a file is saved again and again on the host, and read all the time on the guest",
    "it is never empty",
    needs={Can.TAP},
)
def never_empty(stage: Stage) -> None:
    _never_empty(stage, stage.host, stage.guest)


@scenario(
    28,
    "a file is saved again and again on the guest, and read all the time on the host",
    "it is never empty",
    needs={Can.TAP},
)
def never_empty_on_the_host(stage: Stage) -> None:
    _never_empty(stage, stage.guest, stage.host)


def _never_empty(stage: Stage, save: Callable[[str], str], look: Callable[[str], str]) -> None:
    stage.given(f"{_FEW}; echo older >a; chmod 644 a")
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(look("cat a"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        save('for n in $(seq 0 39); do printf "part one $n " >a; printf "part two $n\\n" >>a; sleep 0.01; done')
        stage.settle()
    finally:
        done.set()
        thread.join()
    stage.expect("" not in seen, "it was empty for a moment")
    stage.both({"a": "part one 39 part two 39"})


@scenario(28, "a file without a name gets one", "it is on the other side", needs={Can.TAP})
def nameless_file(stage: Stage) -> None:
    stage.given(_FEW)
    root = os.open(stage.pair.host.path, os.O_RDONLY)
    try:
        file = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o644, dir_fd=root)
        os.write(file, b"whole\n")
        os.link(f"/proc/self/fd/{file}", "named", dst_dir_fd=root, follow_symlinks=True)
        os.close(file)
    finally:
        os.close(root)
    stage.settle()
    stage.both({"named": "whole"})


@scenario(28, "a file is saved, and nobody asks", "it is on the other side by itself, from both", needs={Can.TAP})
def by_itself(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir d; echo older >d/a; echo older >d/b")
    stage.host("echo newest >d/a; mkdir -p x/y/z; echo 1 >x/y/z/a")
    stage.guest("echo newest >d/b; mkdir -p p/q/r; echo 2 >p/q/r/b")
    until(lambda: stage.guest("cat d/a x/y/z/a 2>/dev/null || true") == "newest\n1\n", within=10)
    until(lambda: stage.host("cat d/b p/q/r/b 2>/dev/null || true") == "newest\n2\n", within=10)


@scenario(
    29,
    "much is installed in a directory that is ignored",
    "nothing of it is sent, looked at or watched; it stays where it is",
    needs={Can.TAP},
    ignore=("node_modules/",),
)
def installed_and_ignored(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo 'dist/' >.gitignore")
    stage.pair.tap.clear()
    much = "for d in $(seq 20); do mkdir -p {0}/p$d; for i in $(seq 20); do echo $i >{0}/p$d/f$i; done; done"
    stage.guest(much.format("node_modules"))
    stage.guest(much.format("dist"))
    stage.host(much.format("sub/node_modules"))
    stage.settle()
    stage.on("host", {"node_modules": None, "dist": None, "sub/node_modules/p1/f1": "1"})
    stage.on("guest", {"node_modules/p20/f20": "20", "sub": "/", "sub/node_modules": None})
    found = [path for path in stage.pair.tap.paths if b"node_modules/" in path or path.startswith(b"dist/")]
    stage.expect(not found, f"it was looked at: {found[:3]}")
    stage.expect(stage.pair.tap.requests < 60, f"{stage.pair.tap.requests} requests for what is ignored")
    stage.play(host="rm -r f1", guest="rm -rf f2")
    stage.both({"f1": None, "f2": None})
    stage.on("guest", {"node_modules/p20/f20": "20"})


@scenario(29, "much is installed in the guest, and the host edits a file meanwhile", "the edit does not wait for it")
def installed_and_edited(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo older >a")
    stage.guest("for d in $(seq 40); do mkdir -p lib/p$d; for i in $(seq 50); do echo $i >lib/p$d/f$i; done; done")
    if Can.TAP in stage.pair.can:
        stage.host("echo newest >a")
        until(lambda: stage.guest("cat a") == "newest\n", within=10)
    stage.settle()
    stage.same()
    stage.on("host", {"lib/p40/f50": "50"})


@scenario(
    30, "more happens than there is room to tell of", "all is looked at anew, nothing is missed", needs={Can.LOCAL}
)
def queue_runs_over(stage: Stage) -> None:
    stage.given(_FEW)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with stage.pair.held():
        for tree in (stage.pair.host.path, stage.pair.guest.path):
            for number in range(most // 2 + 100):  # two events each
                (tree / f"t{number % 50}").write_text(str(number))
        stage.host("for i in 1 2 3; do echo host >h$i; done; rm f1; mkdir -p n/m; echo 1 >n/m/a; rm t*")
        stage.guest("for i in 1 2 3; do echo guest >g$i; done; rm f2; mkdir -p n/o; echo 2 >n/o/b; rm t*")
    stage.settle()
    stage.both({"h3": "host", "g3": "guest", "f1": None, "f2": None, "n/m/a": "1", "n/o/b": "2", "t1": None})
    stage.same()
    stage.play(host="echo later >n/m/a", guest="echo later >n/o/b")
    stage.both({"n/m/a": "later", "n/o/b": "later"})


@scenario(30, "no more watches are to be had", "what cannot be watched is looked at again, and told", needs={Can.TAP})
def no_more_watches(stage: Stage) -> None:
    stage.pair.few_watches(3)
    stage.given("for d in 1 2 3 4 5 6; do mkdir -p d$d/e; echo $d >d$d/a; echo $d >d$d/e/b; done")
    stage.play(guest="for d in 1 2 3 4 5 6; do echo edited >d$d/a; echo new >d$d/e/new; done; rm d6/e/b")
    for number in range(1, 7):
        stage.both({f"d{number}/a": "edited", f"d{number}/e/new": "new"})
    stage.both({"d6/e/b": None})
    stage.guest("echo by itself >d5/e/b")
    until(lambda: stage.host("cat d5/e/b") == "by itself\n", within=60)
    stage.expect(any("watch" in one for one in stage.pair.problems()), "it is not told")


@scenario(30, "directories are made and filled at once", "nothing in them is missed", needs={Can.TAP})
def new_directories(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo older >z")
    stage.play(guest="rm z")  # there is a z in the trash of the host, as there is if one is seen before it is written
    made = "for i in $(seq 60); do mkdir -p {0}$i/x/y; echo $i >{0}$i/x/y/z; done; mv {0}1 {0}m; mv {0}m/x/y {0}m/w"
    stage.host(made.format("h"))
    stage.guest(made.format("g"))
    wanted = {"h60/x/y/z": "60", "g60/x/y/z": "60", "hm/w/z": "1", "gm/w/z": "1"}
    count = "find . -name .devbox -prune -o -name z -print | wc -l"
    until(lambda: stage.host(count) == stage.guest(count) == "120\n", within=30)
    stage.both(wanted)
    stage.settle()
    stage.same()


@scenario(30, "a directory is removed and made anew at once, time and again", "what is in the new one is seen")
def directory_made_anew(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir -p d/e g; echo 1 >d/a; echo 2 >d/e/b; echo 3 >g/c")
    for number in range(1, 6):  # most file systems give the new one the old one's inode
        script = "rm -r {0}; mkdir -p {0}/e; echo {1} >{0}/x; echo {1} >{0}/e/y"
        stage.play(host=script.format("d", number), guest=script.format("g", number))
        stage.same()
        stage.play(host=f"echo later-{number} >d/e/z", guest=f"echo later-{number} >g/e/z")
        stage.both({"d/e/z": f"later-{number}", "g/e/z": f"later-{number}"})
