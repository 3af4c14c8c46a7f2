"""Java's manifests: Maven's pom.xml with those of its modules and the settings in .mvn; of Gradle the names alone."""

from collections.abc import Iterator
from posixpath import dirname, join, normpath
from xml.etree import ElementTree as Xml

from devbox.build.inputs import Collector

JAVA = "packages.java"
POM = "pom.xml"
MAVEN_SETTINGS = (".mvn/maven.config", ".mvn/jvm.config", ".mvn/extensions.xml", ".mvn/settings.xml")
GRADLE_BUILDS = ("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts")
GRADLE_WRAPPER = "gradlew"
# What of a pom.xml is for people alone.
_SAID = (
    "name", "description", "url", "inceptionYear", "organization", "licenses", "developers", "contributors",
    "mailingLists", "scm", "issueManagement", "ciManagement", "distributionManagement",
)  # fmt: skip


def read_java(collector: Collector) -> None:
    """Take the project's pom.xml and its modules', as far as they decide about packages; or Gradle's names."""
    if collector.exists(POM):
        _module(collector, POM, POM)
        for name in MAVEN_SETTINGS:
            if collector.exists(name):
                collector.manifest(JAVA, name, key=JAVA)
    for name in (*GRADLE_BUILDS, GRADLE_WRAPPER):
        if collector.exists(name):
            collector.put(JAVA, name, b"")


def _module(collector: Collector, path: str, needed_by: str) -> None:
    if path.startswith(("../", "/")):
        collector.complain(f"{needed_by} needs {path}, which lies outside of the project", key=JAVA)
        return
    if collector.has(JAVA, path):
        return
    content = collector.manifest(JAVA, path, key=JAVA)
    if content is None:
        return
    try:
        project = _plain(Xml.fromstring(content))
    except Xml.ParseError as error:
        collector.complain(f"{path} is not valid XML: {error}", key=JAVA)
        return
    collector.put(JAVA, path, Xml.tostring(project, encoding="utf-8") + b"\n")
    for module in _modules(project):
        place = normpath(join(dirname(path), module))
        _module(collector, place if place.endswith(".xml") else f"{place}/{POM}", path)


def _plain(project: Xml.Element) -> Xml.Element:
    """Return a pom.xml without its namespace, without comments and without what is for people."""
    for element in project.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail = "\n"
        if len(element) and not (element.text or "").strip():
            element.text = "\n"
    project.attrib.clear()
    for element in list(project):
        if element.tag in _SAID:
            project.remove(element)
    return project


def _modules(project: Xml.Element) -> Iterator[str]:
    for place in ("modules/module", "profiles/profile/modules/module"):
        for element in project.findall(place):
            if element.text and element.text.strip():
                yield element.text.strip()
