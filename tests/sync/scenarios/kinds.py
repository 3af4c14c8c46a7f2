"""17 to 19 and 21 to 26: names, kinds, modes and times."""

import os
from pathlib import Path

from tests.sync.stage import Can, Stage, scenario

_FEW = "for i in 1 2 3 4 5 6 7 8; do echo $i >f$i; done"


@scenario(17, "a file is renamed in case alone", "so it is on the other side")
def renamed_in_case(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir d; echo 1 >d/readme; echo 2 >d/Other")
    stage.play(host="mv d/readme d/README", guest="mv d/Other d/other")
    stage.both({"d/README": "1", "d/readme": None, "d/other": "2", "d/Other": None})


@scenario(17, "two names differ in case alone", "both are on both sides, as this file system has them")
def pair_of_cases(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo small >name; echo big >NAME")
    stage.play(guest="echo bigger >NAME; echo third >Name")
    stage.both({"name": "small", "NAME": "bigger", "Name": "third"})


@scenario(18, "two names differ in how a letter is composed", "both are on both sides, byte for byte")
def composed_and_not(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo one >\"$(printf 'caf\\303\\251')\"; echo two >\"$(printf 'cafe\\314\\201')\"")
    stage.play(guest="echo three >\"$(printf 'caf\\303\\251')\"")
    stage.both({"caf\u00e9": "three", "cafe\u0301": "two"})


@scenario(19, "links that lead out, nowhere, or in a circle", "they are links on both sides, and are never followed")
def links_that_lead_out(stage: Stage) -> None:
    secret = _outside(stage)
    stage.given(_FEW)
    links = f"ln -s {secret.parent} out; ln -s ../../../etc/passwd up; ln -s loop loop; ln -s nothing none"
    stage.play(host=links)
    stage.play(guest="ln -s /etc/hostname absolute")
    stage.on("host", {"loop": "> loop"})
    stage.expect(stage.host("readlink out").strip() == str(secret.parent), "host: a link was changed")
    stage.both({"none": "> nothing"})
    guest = stage.pair.guest.look()
    stage.expect("out" not in guest or guest["out"].kind == "link", "guest: a link was followed")
    stage.expect(secret.read_text() == "secret", "something outside was written")
    stage.expect(not any(name.startswith("out/") for name in guest), "what is outside was read")


def _outside(stage: Stage) -> Path:
    directory = stage.pair.host.path.with_name(f"{stage.pair.host.path.name}-outside")
    directory.mkdir()
    (directory / "secret").write_text("secret")
    return directory / "secret"


@scenario(
    19,
    "a directory is exchanged for a link to the outside just before a file is written in it",
    "nothing outside is written",
    needs={Can.TAP, Can.LOCAL},
)
def link_swapped_in(stage: Stage) -> None:
    secret = _outside(stage)
    stage.given(f"{_FEW}; mkdir d; echo 1 >d/secret")

    def swap() -> None:
        stage.guest(f"[ -L d ] || {{ mv d away; ln -s {secret.parent} d; }}")

    stage.pair.before_write(swap)
    stage.play(host="echo edited >d/secret")
    stage.expect(secret.read_text() == "secret", "something outside was written")
    stage.kept("edited")


_PLANTED = ".git/hooks/pre-commit .envrc .vscode/tasks.json devbox.toml sub/.git/hooks/post-checkout sub/.envrc"


@scenario(21, "the guest plants what the host would run", "it does not come to the host, and is told")
def planted_on_the_host(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir -p .git/hooks .vscode sub/.git/hooks; echo ref >.git/HEAD; echo ref >sub/.git/HEAD")
    plant = f"mkdir -p .git/hooks .vscode sub/.git/hooks; for f in {_PLANTED}; do echo evil >$f; chmod +x $f; done"
    stage.play(guest=f"{plant}; echo good >good")
    stage.on("host", dict.fromkeys(_PLANTED.split()))
    stage.on("host", {"good": "good"})


@scenario(21, "the guest changes what the host would run", "the host's stays as it is", needs={Can.TELL})
def changed_on_the_host(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir .vscode; echo mine >.envrc; echo mine >devbox.toml; echo mine >.vscode/tasks.json")
    stage.play(guest="for f in .envrc devbox.toml .vscode/tasks.json; do echo planted >$f; done; echo good >good")
    stage.on("host", {".envrc": "mine", "devbox.toml": "mine", ".vscode/tasks.json": "mine", "good": "good"})
    stage.play(host="echo newer >.envrc2; rm f1")
    stage.both({".envrc2": "newer", "f1": None})


@scenario(22, "a fifo is in a directory that the other side deletes", "it is never opened, and keeps its directory")
def fifo_keeps_its_directory(stage: Stage) -> None:
    stage.given(f"{_FEW}; mkdir d; echo 1 >d/a")
    stage.guest("mkfifo d/pipe")
    stage.settle()
    stage.play(host="rm -r d")
    stage.on("guest", {"d/pipe": "(other)"})
    stage.play(host="echo on >on")
    stage.both({"on": "on"})


@scenario(22, "a file becomes a fifo, and is edited on the other side", "neither is lost")
def fifo_against_an_edit(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo older >a")
    stage.play(host="rm a; mkfifo a", guest="echo edited >a; echo on >on")
    stage.kept("edited")
    stage.on("host", {"a": "(other)"})
    stage.both({"on": "on"})


@scenario(23, "two names of one file, one of them outside", "the content is copied; what is outside is not written")
def hard_links(stage: Stage) -> None:
    stage.given(f"{_FEW}; echo one >a; ln a b")
    outside = stage.pair.host.path.with_name(f"{stage.pair.host.path.name}-outside")
    os.link(stage.pair.host.path / "a", outside)
    stage.play(guest="echo edited >a.new; mv a.new a")
    stage.both({"a": "edited"})
    stage.play(guest="echo again >a")
    stage.both({"a": "again"})
    stage.expect(outside.read_text() == "one\n", "a name outside of the tree has other content")


@scenario(24, "modes and times", "being executable and the time go along; setuid never does")
def modes_and_times(stage: Stage) -> None:
    stage.given(
        "echo 2 >b; chmod 755 b; echo 3 >c; chmod 4755 c; echo 4 >d"
        "; echo 1 >../a; touch -d '2001-02-03 04:05:06' ../a; mv ../a a"  # at once: a time alone is no change
    )
    stage.expect("x" in stage.guest("ls -l b | cut -c4"), "guest: b is not executable")
    stage.expect(stage.guest("stat -c %a c").strip() != "4755", "guest: c is setuid")
    stage.expect(stage.guest("stat -c %Y a") == stage.host("stat -c %Y a"), "guest: a has another time")
    stage.play(host="chmod +x a", guest="chmod -x b; chmod 4755 d")
    stage.expect(stage.guest("ls -l a | cut -c4").strip() == "x", "guest: a is not executable")
    stage.expect(stage.host("ls -l b | cut -c4").strip() == "-", "host: b is executable")
    stage.expect(stage.host("stat -c %a d").strip()[-3:] == "755", "host: d is not executable")
    stage.expect(len(stage.host("stat -c %a d").strip()) == 3, "host: d is setuid")


@scenario(25, "an edit of the same size with the time put back", "it is seen")
def edit_in_disguise(stage: Stage) -> None:
    stage.given("echo aaaa >a; echo aaaa >b; touch -d '2020-01-01 00:00:00' a b; echo 1 >c; echo 2 >d")
    stage.play(
        host="echo bbbb >a; touch -d '2020-01-01 00:00:00' a", guest="echo cccc >b; touch -d '2020-01-01 00:00:00' b"
    )
    stage.both({"a": "bbbb", "b": "cccc"})


@scenario(25, "times in the future, in 1970 and before", "they are as good as others")
def odd_times(stage: Stage) -> None:
    stage.given("for y in 1960 1970 2037 2100; do echo older >y$y; touch -d $y-01-02 y$y; done")
    stage.play(host="echo new >y2100; touch -d 2100-01-02 y2100", guest="echo new >y1970; touch -d 1970-01-02 y1970")
    stage.both({"y1960": "older", "y1970": "new", "y2037": "older", "y2100": "new"})


@scenario(25, "many edits within one tick of the clock", "the last one counts on both sides")
def edits_in_one_tick(stage: Stage) -> None:
    stage.given("echo 0 >a; echo 0 >b")
    for number in range(1, 6):
        stage.host(f"echo {number} >a")
        stage.guest(f"echo {number} >b")
        stage.settle()
        stage.host(f"echo {number + 4} >a")
        stage.guest(f"echo {number + 4} >b")
    stage.settle()
    stage.both({"a": "9", "b": "9"})


@scenario(26, "names of all sorts", "they are carried byte for byte")
def odd_names(stage: Stage) -> None:
    names = (
        b"\xff\xfe",
        b"new\nline",
        b"-rf",
        b" space ",
        b"end.",
        b"CON",
        b"c:\\x",
        b"a*b?",
        b"n" * 255,
        b"\xf0\x9f\x98\x80",
    )
    stage.host("echo 1 >plain")
    for number, name in enumerate(names):
        (stage.pair.host.path / os.fsdecode(name)).write_text(str(number))
    stage.settle()
    stage.same()
    stage.play(guest='echo edited >./-rf; mv "c:\\x" "d:\\y"; mkdir "$(printf \'\\351\\n\')"')
    stage.both({"-rf": "edited", "d:\\y": "6", "c:\\x": None})
    stage.same()
