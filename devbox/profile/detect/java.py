"""Java: Maven's pom.xml, Gradle's build files."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Stack, Task
from devbox.profile.detect.grammars import java_exact, java_level
from devbox.profile.detect.parts import first_of_each, frameworks, make_tasks, needs
from devbox.profile.detect.reading.xml_lines import Element
from devbox.profile.detect.sources import JAVA, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View

_GRADLE: Final = ("build.gradle.kts", "build.gradle", "settings.gradle.kts", "settings.gradle")
_LEVEL: Final = re.compile(
    r"(?:sourceCompatibility|targetCompatibility|options\.release(?:\.set)?)\s*[=( ]\s*\(?['\"]?"
    r"(?:JavaVersion\.VERSION_|JavaVersion\.toVersion\(['\"]?)?(?P<level>\d+(?:[._]\d+)?)"
)
_TOOLCHAIN: Final = re.compile(r"(?:JavaLanguageVersion\.of|jvmToolchain)\(\s*['\"]?(?P<level>\d+)")
_ARTIFACT: Final = re.compile(r"['\"]([\w.-]+):([\w.-]+)(?::[^'\"]*)?['\"]")
_PROPERTIES: Final = ("maven.compiler.release", "maven.compiler.source", "maven.compiler.target", "java.version")


def java(view: View) -> Stack | None:
    """Return the Java stack of a project, or None."""
    gradle = [name for name in _GRADLE if view.has(name)]
    root = view.xml("pom.xml") if view.has("pom.xml") else None
    if not gradle and not view.has("pom.xml"):
        return None
    evidence = [*_maven_evidence(view), *_gradle_evidence(view, gradle)]
    claims: list[Claim | None] = [*version_claims(view, JAVA)]
    dependencies: list[tuple[str, Evidence]] = []
    if root is not None:
        claims += _pom_claims(view, root)
        dependencies += _pom_dependencies(root)
    for name in gradle:
        claims += _gradle_claims(view, name)
        dependencies += _gradle_dependencies(view, name)
    known, version = agree(view, JAVA, claims)
    hits, ports = frameworks(dependencies, tables.JAVA_FRAMEWORKS)
    return Stack(
        name="java",
        profile="java",
        key="java",
        evidence=(*evidence, *hits),
        claims=known,
        version=version,
        tasks=first_of_each([*_tasks(view, gradle, {at.what for at in hits}), *make_tasks(view)]),
        ports=ports,
        services=tuple(needs(dependencies, tables.JAVA_SERVICES)),
    )


def _maven_evidence(view: View) -> Iterator[Evidence]:
    if view.has("pom.xml"):
        yield Evidence(file="pom.xml", line=None, what="a project of Maven")
    if view.has("mvnw"):
        yield Evidence(file="mvnw", line=None, what="Maven's wrapper")


def _gradle_evidence(view: View, gradle: list[str]) -> Iterator[Evidence]:
    if gradle:
        yield Evidence(file=gradle[0], line=None, what="a project of Gradle")
    if view.has("gradlew"):
        yield Evidence(file="gradlew", line=None, what="Gradle's wrapper")


def _pom_claims(view: View, root: Element) -> Iterator[Claim | None]:
    properties = root.first("properties")
    known = {one.name: one for one in properties.inner} if properties else {}
    for name in _PROPERTIES:
        if name in known and not known[name].text.strip().startswith("${"):
            yield claim(view, JAVA, known[name].text, file="pom.xml", line=known[name].line, grammar=java_level)
            break
    for plugin in root.all("build", "plugins", "plugin"):
        artifact = plugin.first("artifactId")
        if artifact is None or artifact.text.strip() != "maven-compiler-plugin":
            continue
        for name in ("release", "source", "target"):
            one = plugin.first("configuration", name)
            if one is not None and not one.text.strip().startswith("${"):
                yield claim(view, JAVA, one.text, file="pom.xml", line=one.line, grammar=java_level)
                break


def _pom_dependencies(root: Element) -> Iterator[tuple[str, Evidence]]:
    paths = (("dependencies", "dependency"), ("dependencyManagement", "dependencies", "dependency"))
    for path in paths:
        for one in root.all(*path):
            artifact = one.first("artifactId")
            if artifact is not None:
                name = artifact.text.strip()
                yield name, Evidence(file="pom.xml", line=artifact.line, what=name)


def _gradle_claims(view: View, file: str) -> Iterator[Claim | None]:
    for number, line in view.lines(file):
        bare = line.partition("//")[0]
        if match := _TOOLCHAIN.search(bare):
            yield claim(view, JAVA, match["level"], file=file, line=number, grammar=java_exact)
        elif match := _LEVEL.search(bare):
            yield claim(view, JAVA, match["level"].replace("_", "."), file=file, line=number, grammar=java_level)


def _gradle_dependencies(view: View, file: str) -> Iterator[tuple[str, Evidence]]:
    for number, line in view.lines(file):
        for match in _ARTIFACT.finditer(line.partition("//")[0]):
            yield match[2], Evidence(file=file, line=number, what=match[2])


def _tasks(view: View, gradle: list[str], frameworks: set[str]) -> Iterator[Task]:
    if view.has("pom.xml"):
        mvn = "./mvnw" if view.has("mvnw") else "mvn"
        at = Evidence(file="pom.xml", line=None, what="Maven")
        commands = {"test": f"{mvn} test", "build": f"{mvn} package -DskipTests"}
        if "Spring Boot" in frameworks:
            commands["start"] = f"{mvn} spring-boot:run"
    else:
        run = "./gradlew" if view.has("gradlew") else "gradle"
        at = Evidence(file=gradle[0], line=None, what="Gradle")
        commands = {"test": f"{run} test", "build": f"{run} assemble"}
        if "Spring Boot" in frameworks:
            commands["start"] = f"{run} bootRun"
    yield from (Task(name=name, run=command, at=at) for name, command in commands.items())
