"""Java: what a Maven build needs, in the user's local repository. Pure.

Maven finds out while it builds what it needs: plugins, their dependencies, and the provider that fits the project's
tests. So it builds a skeleton, the project's poms with a class and a test each that do nothing.
"""

import shlex
from posixpath import dirname

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.shared import (
    Work,
    build_directories,
    keep_function,
    needed,
    no_packages,
    own_home,
    owned_by_user,
    step,
    with_toolchain,
)
from devbox.build.manifests import JAVA
from devbox.build.manifests.java import GRADLE_BUILDS, GRADLE_WRAPPER, MAVEN_SETTINGS, POM
from devbox.build.recipe import CONTEXT_DIRECTORY, RUN_DIRECTORY, Step
from devbox.build.steps.script import locked_cache
from devbox.profile.model import Managed

_GO_OFFLINE = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:go-offline"
# Checks of sources that are not there; that they are skipped has them fetched nevertheless.
_SKIPPED = (
    "checkstyle.skip", "pmd.skip", "cpd.skip", "spotbugs.skip", "findbugs.skip", "rat.skip", "license.skip",
    "enforcer.skip", "spotless.check.skip", "animal.sniffer.skip", "gpg.skip", "maven.javadoc.skip",
    "spring-boot.repackage.skip", "maven.test.failure.ignore",
)  # fmt: skip
_NOISE = ("_remote.repositories", "*.lastUpdated", "resolver-status.properties")
_SETTINGS = RUN_DIRECTORY + "/settings.xml"


def java(setting: Setting) -> Part | None:
    """Return Java's share: the JDK, Maven or Gradle where the project is built with it, and what Maven needs."""
    wanted = setting.profile.packages.java
    if wanted is None:
        return None
    names = {file.path for file in setting.inputs.group(JAVA)}
    maven, gradle = POM in names, not names.isdisjoint((*GRADLE_BUILDS, GRADLE_WRAPPER))
    volumes = [*(_targets(names) if maven else ()), *((".gradle",) if gradle else ())]
    chain = (_repository(setting, wanted, names),) if maven else no_packages(setting, wanted, POM, key=JAVA)
    own = Part(
        system=_system(setting, maven=maven, gradle=gradle and GRADLE_WRAPPER not in names),
        env=(("GRADLE_USER_HOME", f"{setting.user.home}/.cache/gradle"),) if gradle else (),
        chain=(*chain, *build_directories(setting, volumes, key=JAVA)),
        volumes=tuple(volumes),
    )
    return with_toolchain(setting, "java", own)


def _system(setting: Setting, *, maven: bool, gradle: bool) -> tuple[str, ...]:
    """Return what builds; an image with a Maven of its own keeps to that."""
    maven = maven and "MAVEN_HOME" not in dict(setting.base.env)
    return ("ca-certificates", *(("maven",) if maven else ()), *(("gradle",) if gradle else ()))


def _targets(names: set[str]) -> list[str]:
    """Return the directories that Maven builds in, one beside each pom."""
    poms = (name for name in names if name.endswith(".xml") and name not in MAVEN_SETTINGS)
    return sorted({f"{dirname(name)}/target".lstrip("/") for name in poms})


def _repository(setting: Setting, wanted: Managed, names: set[str]) -> Step:
    home = f"{setting.user.home}/.m2"
    repository = shlex.quote(f"{home}/repository")
    skipped = " ".join(f"-D{name}=true" for name in _SKIPPED)
    lines = [
        *locked_cache("maven"),
        *own_home(),
        *_maven(repository),
        *_skeletons(sorted({dirname(name) or "." for name in names if name.endswith(".xml")} - {".mvn"})),
        *(
            [f"( {wanted.install}\n)"]
            if wanted.install
            else [
                f"mvn -fae -DfailIfNoTests=false {skipped} clean verify || {{",
                '  echo "the skeleton of this project cannot be built; fetching what its poms name"',
                f"  mvn {_GO_OFFLINE}",
                "}",
            ]
        ),
        *(f"find {repository} -name {shlex.quote(name)} -exec rm -f {{}} +" for name in _NOISE),
        # target is a mount, which `clean` can empty and not remove.
        "echo 'MAVEN_OPTS=\"$MAVEN_OPTS -Dmaven.clean.failOnError=false\"' > /etc/mavenrc",
        *keep_function(),
        f'keep {repository} "$cache/repository"',
        owned_by_user(setting, home),
    ]
    context = tuple(file for file in setting.inputs.group(JAVA) if file.path.endswith((".xml", ".config")))
    return step(
        setting,
        Work(key=JAVA, name="maven packages", lines=tuple(lines), context=context, cache="maven", owned=("MAVEN_",)),
    )


def _maven(repository: str) -> list[str]:
    """Return lines that define `mvn`: with the user's local repository, and the cache as a remote one before others."""
    place = "<id>devbox</id><url>file://$cache/repository</url><snapshots><enabled>false</enabled></snapshots>"
    return [
        needed("mvn"),
        f'export MAVEN_OPTS="${{MAVEN_OPTS:-}} -Duser.home=$HOME -Dmaven.repo.local="{repository}',
        'mkdir -p "$cache/repository"',
        f"cat > {_SETTINGS} <<devbox-end",
        "<settings><profiles><profile><id>devbox</id>",
        f"<repositories><repository>{place}</repository></repositories>",
        f"<pluginRepositories><pluginRepository>{place}</pluginRepository></pluginRepositories>",
        "</profile></profiles><activeProfiles><activeProfile>devbox</activeProfile></activeProfiles></settings>",
        "devbox-end",
        f'mvn() {{ command mvn -B -ntp -gs {_SETTINGS} "$@"; }}',
    ]


def _skeletons(places: list[str]) -> list[str]:
    return [
        f"for place in {' '.join(map(shlex.quote, places))}; do",
        f'  cd {CONTEXT_DIRECTORY}/"$place"',
        "  mkdir -p src/main/java/skeleton src/test/java/skeleton",
        "  echo 'package skeleton; public class Skeleton { public static void main(String[] words) {} }'"
        " > src/main/java/skeleton/Skeleton.java",
        "  for test in SkeletonTest SkeletonIT; do",
        '    echo "package skeleton; public class $test {}" > "src/test/java/skeleton/$test.java"',
        "  done",
        "done",
        f"cd {CONTEXT_DIRECTORY}",
    ]
