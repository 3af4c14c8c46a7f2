"""Java's share in a Recipe, as a value."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.java import java
from devbox.build.manifests import JAVA, read_inputs
from devbox.build.recipe import Step
from devbox.errors import ProfileError
from tests.support.build import DEBIAN, UNKNOWN, profile
from tests.support.languages import only_step, part, setting, write

ASKED = {"packages": {"java": {}}}
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <!-- a shop -->
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId><artifactId>shop</artifactId><version>1.0</version>
  <description>a shop</description>
  <modules><module>core</module></modules>
  <profiles><profile><modules><module>tools/extra.xml</module></modules></profile></profiles>
</project>
"""
MODULE = "<project><artifactId>core</artifactId></project>"


def project(directory: Path) -> None:
    write(directory, {"pom.xml": POM, "core/pom.xml": MODULE, "tools/extra.xml": MODULE, ".mvn/maven.config": "-T1\n"})


def maven(directory: Path) -> Step:
    step = part(java, setting(directory, **ASKED)).chain[0]
    assert isinstance(step, Step)
    return step


def test_a_profile_without_java_gets_none(tmp_path: Path) -> None:
    project(tmp_path)
    assert java(setting(tmp_path)) is None


def test_java_without_a_build_is_the_jdk_alone(tmp_path: Path) -> None:
    found = part(java, setting(tmp_path, **ASKED))
    assert set(found.system) == {"ca-certificates", "default-jdk-headless"}
    assert (found.chain, found.volumes) == ((), ())
    assert "default-jdk-headless" not in part(java, setting(tmp_path, base=UNKNOWN, **ASKED)).system


def test_maven_builds_a_skeleton_of_all_modules(tmp_path: Path) -> None:
    project(tmp_path)
    found = part(java, setting(tmp_path, **ASKED))
    assert "maven" in found.system
    assert found.volumes == ("core/target", "target", "tools/target")
    step = maven(tmp_path)
    assert [file.path for file in step.context] == [".mvn/maven.config", "core/pom.xml", "pom.xml", "tools/extra.xml"]
    assert "for place in . core tools; do" in step.script
    assert '-Dmaven.repo.local="/home/dev/.m2/repository' in step.script
    assert step.caches == ("maven",)


def test_clean_may_leave_what_is_a_mount(tmp_path: Path) -> None:
    project(tmp_path)
    assert "-Dmaven.clean.failOnError=false\"' > /etc/mavenrc" in maven(tmp_path).script


def test_an_image_with_a_maven_of_its_own_keeps_to_that(tmp_path: Path) -> None:
    project(tmp_path)
    base = replace(DEBIAN, env=(*DEBIAN.env, ("MAVEN_HOME", "/usr/share/maven"), ("JAVA_VERSION", "21.0.5")))
    assert part(java, setting(tmp_path, base=base, **ASKED)).system == ("ca-certificates",)


def test_comments_layout_and_what_is_for_people_decide_nothing(tmp_path: Path) -> None:
    project(tmp_path)
    before = maven(tmp_path)
    write(
        tmp_path,
        {"pom.xml": POM.replace("a shop", "the shop").replace("\n  ", "\n\t"), "core/src/A.java": "class A {}"},
    )
    assert maven(tmp_path) == before
    write(tmp_path, {"pom.xml": POM.replace("1.0", "1.1")})
    assert maven(tmp_path) != before


@pytest.mark.parametrize(
    ("pom", "message"),
    [
        ("<project>", "pom.xml is not valid XML"),
        (
            "<project><modules><module>../x</module></modules></project>",
            "pom.xml needs ../x/pom.xml, which lies outside",
        ),
        ("<project><modules><module>x</module></modules></project>", "there is no x/pom.xml in the project"),
    ],
)
def test_a_pom_that_cannot_be_used_is_told(tmp_path: Path, pom: str, message: str) -> None:
    write(tmp_path, {"pom.xml": pom})
    with pytest.raises(ProfileError) as caught:
        read_inputs(profile(**ASKED), tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == JAVA
    assert problem.message.startswith(message)


def test_gradle_is_the_distributions_where_the_project_brings_none(tmp_path: Path) -> None:
    write(tmp_path, {"build.gradle": "plugins {}"})
    found = part(java, setting(tmp_path, **ASKED))
    assert "gradle" in found.system
    assert dict(found.env)["GRADLE_USER_HOME"] == "/home/dev/.cache/gradle"
    assert found.volumes == (".gradle",)
    only_step(found)
    write(tmp_path, {"gradlew": "#!/bin/sh\n"})
    assert "gradle" not in part(java, setting(tmp_path, **ASKED)).system


def test_a_command_without_anything_to_work_on_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"build.gradle": "plugins {}"})
    with pytest.raises(ProfileError) as caught:
        java(setting(tmp_path, packages={"java": {"install": "gradle dependencies"}}))
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("packages.java.install", "there is no pom.xml in the project")
