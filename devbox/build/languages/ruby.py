"""Ruby: the gems of Gemfile.lock, outside of the repo. Pure."""

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.shared import (
    Work,
    needed,
    no_packages,
    own_home,
    owned_by_user,
    question,
    step,
    with_toolchain,
)
from devbox.build.manifests import RUBY
from devbox.build.manifests.ruby import GEMFILES
from devbox.build.recipe import Question, Step
from devbox.build.steps.script import locked_cache
from devbox.build.toolchains import declared
from devbox.profile.model import Managed

BUNDLE = "/opt/bundle"
GEMS = "ruby.packages"  # the question: which gems a project without a lock file comes to
_OWNED = ("BUNDLE_",)
# A compiler and make: for gems with a part in C; git: gemspecs ask it for their files
_SYSTEM = {
    "debian": ("ca-certificates", "g++", "gcc", "git", "libc6-dev", "make", "pkg-config"),
    "alpine": ("build-base", "ca-certificates", "git"),
    "fedora": ("gcc", "gcc-c++", "git", "make", "redhat-rpm-config"),
}
_BUNDLER = {"debian": ("bundler",), "alpine": ("ruby-bundler",), "fedora": ("rubygem-bundler",)}


def ruby(setting: Setting) -> Part | None:
    """Return Ruby's share: the interpreter, Bundler, and the gems of the project, if it has a Gemfile."""
    wanted = setting.profile.packages.ruby
    if wanted is None:
        return None
    family = setting.base.family
    bundler = () if declared(setting.base, "ruby") else _BUNDLER.get(family, ())  # an image with Ruby has it
    own = Part(
        system=(*_SYSTEM.get(family, ()), *bundler),
        # The settings of a host's .bundle/config are for the host: its path, mostly.
        env=(("BUNDLE_APP_CONFIG", BUNDLE), ("BUNDLE_PATH", BUNDLE)),
        chain=_chain(setting, wanted),
    )
    return with_toolchain(setting, "ruby", own)


def _chain(setting: Setting, wanted: Managed) -> tuple[Step | Question, ...]:
    names = {file.path for file in setting.inputs.group(RUBY)}
    gemfile = next((name for name in GEMFILES if name in names), None)
    if gemfile is None:
        return no_packages(setting, wanted, "Gemfile", key=RUBY, place=BUNDLE)
    lock = GEMFILES[gemfile]
    if wanted.install or lock in names:
        return (_gems(setting, wanted, gemfile, ()),)
    lines = [*_prepare(gemfile), f"bundle lock >&2 && cat {lock}"]
    asking = question(setting, _work(setting, "choose the gems", lines), key=GEMS)
    answer = setting.answer(asking)
    if answer is None:
        return (asking,)
    return (_gems(setting, wanted, gemfile, ((lock, "\n".join(answer) + "\n"),)),)


def _gems(setting: Setting, wanted: Managed, gemfile: str, texts: tuple[tuple[str, str], ...]) -> Step:
    lines = [
        *_prepare(gemfile),
        "export BUNDLE_FROZEN=true",
        f"( {wanted.install or 'bundle install'}\n)",
        # What is in the way of comparing two builds: what compiling leaves, with names of temporary files in it.
        f"find {BUNDLE} -name extconf.rb | while IFS= read -r file; do",
        '  rm -f "${file%/*}/Makefile" "${file%/*}"/*.o "${file%/*}"/.*.time',
        "done",
        f"find {BUNDLE} -type f \\( -name gem_make.out -o -name mkmf.log \\) -exec rm -f {{}} +",
        f"find {BUNDLE} -mindepth 3 -maxdepth 3 -name cache -exec rm -rf {{}} +",
        owned_by_user(setting, BUNDLE),
    ]
    return step(setting, _work(setting, "ruby gems", lines, texts))


def _work(setting: Setting, name: str, lines: list[str], texts: tuple[tuple[str, str], ...] = ()) -> Work:
    context = setting.inputs.group(RUBY)
    return Work(key=RUBY, name=name, lines=tuple(lines), context=context, texts=texts, cache="bundle", owned=_OWNED)


def _prepare(gemfile: str) -> list[str]:
    return [
        *locked_cache("bundle"),
        needed("bundle"),
        *own_home(),
        f"export BUNDLE_PATH={BUNDLE} BUNDLE_APP_CONFIG={BUNDLE} BUNDLE_GEMFILE=$PWD/{gemfile}",
        'export BUNDLE_USER_CACHE="$cache" BUNDLE_GLOBAL_GEM_CACHE=true BUNDLE_RETRY=3',
        'rm -rf "$cache/extensions"',  # compiled for another base, perhaps; and what compiles leaves other files
        "export BUNDLE_SILENCE_ROOT_WARNING=true BUNDLE_IGNORE_MESSAGES=true",
        f"mkdir -p {BUNDLE}",
    ]
