"""1 to 6: both sides do something at the same time."""

from tests.sync.stage import Can, Stage, scenario


@scenario(1, "a file is deleted on the host, edited on the guest", "the edit comes back, and is told as restored")
def deleted_and_edited(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b; echo older >c; echo older >d")
    stage.play(host="rm a", guest="echo edited >a")
    stage.kept("edited")
    stage.both({"a": "edited", "b": "older"})


@scenario(1, "a file is deleted on the guest, edited on the host", "the edit comes back, and is told as restored")
def edited_and_deleted(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b; echo older >c; echo older >d")
    stage.play(host="echo edited >a", guest="rm a")
    stage.kept("edited")
    stage.both({"a": "edited", "b": "older"})


@scenario(2, "a file is edited differently on both", "a conflict: each side keeps its own, all else goes on")
def edited_differently(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b")
    stage.play(host="echo of the host >a; echo new >b", guest="echo of the guest >a; echo new >c")
    stage.kept("of the host", "of the guest")
    stage.on("host", {"a": "of the host"})
    stage.on("guest", {"a": "of the guest"})
    stage.both({"b": "new", "c": "new"})
    stage.conflict("a")


@scenario(2, "two files of one name are made, with other content", "a conflict: each side keeps its own")
def made_differently(stage: Stage) -> None:
    stage.given("echo older >b")
    stage.play(host="mkdir d; echo of the host >d/a", guest="mkdir d; echo of the guest >d/a")
    stage.kept("of the host", "of the guest")
    stage.on("host", {"d/a": "of the host"})
    stage.on("guest", {"d/a": "of the guest"})
    stage.conflict("d/a")


@scenario(
    2,
    "the same where the host's counts",
    "the host's is in place, the guest's in its trash",
    mode="two-way-resolved",
)
def edited_differently_and_resolved(stage: Stage) -> None:
    stage.given("echo older >a")
    stage.play(host="echo of the host >a", guest="echo of the guest >a")
    stage.both({"a": "of the host"})
    stage.conflict()
    stage.kept("of the guest")


@scenario(2, "a conflict is solved by deleting the loser", "the other side's content takes its place")
def solved_by_deleting(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b")
    stage.play(host="echo of the host >a", guest="echo of the guest >a")
    stage.play(host="rm a")
    stage.both({"a": "of the guest"})
    stage.conflict()


@scenario(3, "a file is edited in the same way on both", "they agree; nothing is written")
def edited_alike(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b")
    stage.at_once(host="echo newest >a; echo more >c", guest="echo newest >a; echo more >c")
    before = _inodes(stage)
    stage.settle()
    stage.both({"a": "newest", "c": "more"})
    stage.conflict()
    stage.expect(_inodes(stage) == before, "a file was written anew")
    stage.play(host="rm a")
    stage.both({"a": None})


def _inodes(stage: Stage) -> tuple[str, str]:
    return stage.host("stat -c '%i %Y' a c"), stage.guest("stat -c '%i %Y' a c")


@scenario(3, "nothing changes", "nothing is written on either side")
def nothing_changes(stage: Stage) -> None:
    stage.given("mkdir d; echo 1 >d/a; ln -s a d/l; echo 2 >b; chmod +x b")
    before = stage.host("stat -c '%i %Y %Z' . d b d/a"), stage.guest("stat -c '%i %Y %Z' . d b d/a")
    stage.settle()
    stage.settle()
    after = stage.host("stat -c '%i %Y %Z' . d b d/a"), stage.guest("stat -c '%i %Y %Z' . d b d/a")
    stage.expect(before == after, "something was written though nothing had changed")


@scenario(
    4,
    "a directory is deleted on the host, a file is made in it on the guest",
    "the new file is on both sides; what was not changed in it is gone",
)
def deleted_and_added_to(stage: Stage) -> None:
    stage.given("mkdir -p d/e; echo 1 >d/a; echo 2 >d/e/b; echo 3 >c; echo 4 >f; echo 5 >g")
    stage.play(host="rm -r d", guest="echo new >d/e/new")
    stage.kept("new")
    stage.both({"d/e/new": "new", "d/a": None, "d/e/b": None, "c": "3"})
    stage.same()


@scenario(4, "the same with the sides exchanged", "the new file is on both sides; what was not changed in it is gone")
def added_to_and_deleted(stage: Stage) -> None:
    stage.given("mkdir -p d/e; echo 1 >d/a; echo 2 >d/e/b; echo 3 >c; echo 4 >f; echo 5 >g")
    stage.play(host="echo new >d/e/new", guest="rm -r d")
    stage.kept("new")
    stage.both({"d/e/new": "new", "d/a": None, "d/e/b": None, "c": "3"})
    stage.same()


@scenario(5, "a directory becomes a file on the host, a file in it is edited on the guest", "a conflict; both are kept")
def replaced_and_edited_inside(stage: Stage) -> None:
    stage.given("mkdir d; echo 1 >d/a; echo 2 >d/b; echo 3 >c")
    stage.play(host="rm -r d; echo file >d; echo new >c", guest="echo edited >d/a")
    stage.kept("edited", "file")
    stage.on("host", {"d": "file"})
    stage.on("guest", {"d/a": "edited"})
    stage.both({"c": "new"})
    stage.conflict("d")


@scenario(5, "a file becomes a directory on the host, and is edited on the guest", "a conflict; both are kept")
def file_to_directory_and_edited(stage: Stage) -> None:
    stage.given("echo 1 >a; echo 3 >c")
    stage.play(host="rm a; mkdir a; echo inside >a/b", guest="echo edited >a")
    stage.kept("edited", "inside")
    stage.conflict("a")


@scenario(5, "files, directories and links take each other's places on the host", "so they do on the guest")
def kinds_change(stage: Stage) -> None:
    stage.given("mkdir d e; echo 1 >d/a; echo 2 >e/b; echo 3 >f; echo 4 >g; ln -s f l; ln -s e m; echo 5 >h")
    stage.play(
        host="rm -r d; echo file >d; rm -r e; ln -s f e; rm f; mkdir f; echo in >f/x; rm g; ln -s h g;"
        " rm l; echo file >l; rm m; mkdir m; echo in >m/y"
    )
    stage.both({"d": "file", "e": "> f", "f/x": "in", "g": "> h", "l": "file", "m/y": "in", "h": "5"})
    stage.same()
    stage.conflict()


@scenario(5, "the same on the guest", "so they do on the host")
def kinds_change_on_the_guest(stage: Stage) -> None:
    stage.given("mkdir d e; echo 1 >d/a; echo 2 >e/b; echo 3 >f; echo 4 >g; ln -s f l; ln -s e m; echo 5 >h")
    stage.play(
        guest="rm -r d; echo file >d; rm -r e; ln -s f e; rm f; mkdir f; echo in >f/x; rm g; ln -s h g;"
        " rm l; echo file >l; rm m; mkdir m; echo in >m/y"
    )
    stage.both({"d": "file", "e": "> f", "f/x": "in", "g": "> h", "l": "file", "m/y": "in", "h": "5"})
    stage.same()
    stage.conflict()
    if Can.TRASH in stage.pair.can:
        stage.kept("1", "2", "3", "4")


@scenario(6, "both rename one directory, each in its way", "both new names are on both sides, no file is lost")
def renamed_differently(stage: Stage) -> None:
    stage.given("mkdir -p d/e; echo 1 >d/a; echo 2 >d/e/b; echo 3 >c; echo 4 >f")
    stage.play(host="mv d host", guest="mv d guest")
    stage.both({"host/a": "1", "host/e/b": "2", "guest/a": "1", "guest/e/b": "2", "d": None})
    stage.same()


@scenario(6, "a directory is renamed on the host, a file in it is edited on the guest", "no edit is lost")
def renamed_and_edited(stage: Stage) -> None:
    stage.given("mkdir -p d; echo 1 >d/a; echo 2 >d/b; echo 3 >c; echo 4 >f")
    stage.play(host="mv d moved", guest="echo edited >d/a")
    stage.kept("edited", "2")
    stage.same()
