"""Toolchains that the distribution does not hold, from who ships the real thing, on the real engine."""

from dataclasses import replace

import pytest

from devbox.build.base import BaseImage
from devbox.build.languages.base import Setting
from devbox.build.recipe import Recipe, Step
from devbox.errors import ToolchainError
from devbox.profile.load import load
from devbox.profile.lock import Platform
from tests.integration.build.conftest import Room
from tests.support.build import nothing
from tests.support.languages import setting as setting_of
from tests.support.skips import NOT_HERE
from tests.support.toolchains import carry_out, stand_in

pytestmark = [pytest.mark.docker, pytest.mark.network]


class Bench:
    """One base on which toolchains are carried out; what a test wants to know of the image it asks in a shell."""

    def __init__(self, room: Room, base: BaseImage) -> None:
        self.room, self.base = room, base
        self.image, self.lock = "", Platform()

    def make(
        self,
        tool: str,
        version: str | None,
        *,
        lock: Platform | None = None,
        no_cache: bool = False,
        before: tuple[Step, ...] = (),
        **env: str,
    ) -> None:
        asked = {} if version is None else {"version": version}
        setting: Setting = setting_of(
            self.room.directory, base=self.base, lock=lock, packages={tool: asked}, env=env or {}
        )
        inputs = nothing(self.room.directory)
        order = self.room.order(Recipe(base=self.base.id, steps=(), env=self.base.env), inputs)
        order = replace(order, no_cache=no_cache)
        built, self.lock = carry_out(self.room.engine, self.room.reporter, order, setting, tool, before)
        self.image = built.image

    def says(self, command: str) -> str:
        """Return what a command says as an ordinary user."""
        return self.room.inside(self.image, "sh", "-c", command, user="1234:1234").strip()

    def answer(self, tool: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.lock.answers[f"{tool}.toolchain"].lines)


@pytest.fixture
def bench(room: Room, debian: BaseImage) -> Bench:
    return Bench(room, debian)


_LEFT = "ls -A /var/tmp /tmp /root 2>/dev/null | grep -v -e : -e '^[.]bashrc$' -e '^[.]profile$' -e '^$'; true"
_PROGRAM = """\
mkdir /tmp/p && cd /tmp/p && export HOME=/tmp/p && go mod init example >/dev/null 2>&1
printf 'package main\\nimport \"os\"\\nfunc main() { os.Exit(7) }\\n' > main.go && go build . && ./example || echo $?
"""
# Everything but what the system packages and the kernel change; two builds of one Lock have to have the same.
_FILES = "find /opt /root /home /tmp /var/tmp /run -xdev -type f -exec sha256sum {} + -o -type l -print | sort"
_SIGNALLED = """\
cat > /tmp/wait.js <<'end'
process.on("SIGTERM", () => { console.log("TERM"); process.exit(7) })
setInterval(() => {}, 1000)
console.log("up")
end
node /tmp/wait.js > /tmp/said & node=$!
until grep -q up /tmp/said; do sleep 0.1; done
kill -TERM $node
code=0; wait $node || code=$?
echo "$(tail -n 1 /tmp/said) $code"
"""


@pytest.mark.nightly  # by day Go's is, as below, and here what came is looked at
def test_node_comes_from_npm_with_the_npm_that_belongs_to_it(bench: Bench) -> None:
    bench.make("node", "22")
    answer = bench.answer("node")
    assert answer["source"] == "npm"
    assert answer["version"].startswith("22.")
    assert bench.says("node --version") == f"v{answer['version']}"
    assert bench.says("npm --version") == answer["npm"]
    assert bench.says("command -v node; command -v npm; command -v npx").split() == [
        f"/opt/node/bin/{name}" for name in ("node", "npm", "npx")
    ]
    assert bench.says("head -c 4 $(command -v node)") == "\x7fELF", "the real program, and no wrapper around it"
    assert bench.says("cd /tmp && npm init -y >/dev/null && node -p 'require(\"./package.json\").name'") == "tmp"
    assert bench.says("node -e 'process.exit(7)' || echo $?") == "7"
    assert bench.says(_SIGNALLED) == "TERM 7"
    assert bench.says("node -e 'process.kill(process.pid, \"SIGTERM\")' || echo $?") == "143"
    assert bench.says(_LEFT) == ""


@pytest.mark.nightly  # by day a real project in Go is tested with it: tests/real
def test_go_comes_from_the_module_proxy_and_stays_what_it_is(bench: Bench) -> None:
    bench.make("go", ">=1.21,<1.23")
    answer = bench.answer("go")
    assert answer["source"] == "go-modules"
    assert answer["version"].startswith("1.22.")
    assert bench.says("go version") == f"go version go{answer['version']} linux/{bench.base.architecture}"
    assert bench.says("go env GOTOOLCHAIN; command -v gofmt").split() == ["local", "/opt/go/bin/gofmt"]
    assert bench.says(_PROGRAM) == "7"
    assert bench.says(_LEFT) == ""
    first = bench.says(_FILES)
    bench.make("go", ">=1.21,<1.23", lock=bench.lock, no_cache=True)
    assert bench.says(_FILES) == first, "one Lock, the same files"
    known_as = "go.toolchain"
    known = bench.lock.answers[known_as]
    lines = tuple(line.replace("sum=h1:", "sum=h1:A") for line in known.lines)
    with pytest.raises(ToolchainError, match=r"is not what devbox\.lock says: the module proxy has another sum for it"):
        bench.make("go", ">=1.21,<1.23", lock=replace(bench.lock, answers={known_as: replace(known, lines=lines)}))


@pytest.mark.nightly
@pytest.mark.parametrize(("tool", "version"), [("python", "3.10"), ("rust", "1.70")])
def test_a_version_whose_server_does_not_answer_is_refused_with_what_there_is(
    bench: Bench, tool: str, version: str
) -> None:
    nowhere = {"UV_PYTHON_INSTALL_MIRROR": "http://127.0.0.1:9", "RUSTUP_DIST_SERVER": "http://127.0.0.1:9"}
    with pytest.raises(ToolchainError) as caught:
        bench.make(tool, version, **nowhere)
    assert caught.value.exit_status == 2
    said = caught.value.message
    have = {"python": "Python 3.11.2", "rust": "Rust 1.85 and 1.63"}[tool]
    assert said.startswith(f"debian:12 holds {have}, not {version}, and the server from which ")
    assert said.endswith(" in [env] names another")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("tool", "version", "mirror", "program", "said"),
    [
        ("python", "3.10", {"UV_PYTHON_DOWNLOADS_JSON_URL": "/srv/python.json"}, "python3", "3.10.99"),
        ("rust", "1.70", {"RUSTUP_DIST_SERVER": "file:///srv/rust"}, "rustc", "rustc 1.70.0 (90c541806 2023-05-31)"),
    ],
)
def test_a_mirror_of_the_users_own_brings_it(
    bench: Bench, tool: str, version: str, mirror: dict[str, str], program: str, said: str
) -> None:
    if bench.base.architecture != "amd64":
        pytest.skip(f"{NOT_HERE}the stand-in is for another processor")
    bench.make(tool, version, before=(stand_in(tool),), **mirror)
    assert bench.answer(tool)["version"] in said
    assert bench.says(f"{program} --version") == said
    assert bench.says(f"command -v {program}") == f"/opt/{tool}/current/bin/{program}"
    assert bench.says(_LEFT) == ""
    assert bench.says("find /opt -name __pycache__ -o -name '.temp' -o -name '*.lock' -o -name '.lock'") == ""
    known = bench.lock.answers[f"{tool}.toolchain"]
    lines = tuple(line.replace("sha256=", "sha256=0") for line in known.lines)
    changed = replace(bench.lock, answers={f"{tool}.toolchain": replace(known, lines=lines)})
    with pytest.raises(ToolchainError, match=r"is not what devbox\.lock says: its files have the digest"):
        bench.make(tool, version, before=(stand_in(tool),), lock=changed, **mirror)


@pytest.mark.nightly
@pytest.mark.parametrize(("version", "image"), [("17", "debian:12"), ("21", "debian:13")])
def test_java_is_that_of_a_base_that_holds_it(room: Room, version: str, image: str) -> None:
    (room.directory / "devbox.toml").write_text(f'[packages]\njava = {{ version = "{version}" }}\n')
    assert load(room.directory, environ={}).profile.base.image == image
    bench = Bench(room, room.base(image=image))
    bench.make("java", version)
    assert bench.says("java -version 2>&1 | head -n 1").split()[2].startswith(f'"{version}.')
    assert bench.says('test -x "$JAVA_HOME/bin/javac" && command -v javac').startswith(f"/usr/lib/jvm/java-{version}-")


def test_what_came_is_looked_at(bench: Bench) -> None:
    """A distribution that holds something else than its release says, as one of the user's own."""
    bench.base = replace(bench.base, version="99")
    with pytest.raises(ToolchainError, match=r"this base has GCC 12\.2\.0, the profile asks for 14"):
        bench.make("c", "14")
