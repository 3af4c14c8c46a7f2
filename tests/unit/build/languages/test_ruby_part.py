"""Ruby's share in a Recipe, as a value."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.ruby import ruby
from devbox.build.manifests import read_inputs
from devbox.errors import ProfileError
from tests.support.build import DEBIAN, profile
from tests.support.languages import answered, only_question, only_step, part, setting, write

ASKED = {"packages": {"ruby": {}}}
GEMFILE = 'source "https://gems.example"\ngem "rack"\n'


def taken(directory: Path) -> list[str]:
    return [file.path for file in only_step(part(ruby, setting(directory, **ASKED))).context]


def test_a_profile_without_ruby_gets_none(tmp_path: Path) -> None:
    write(tmp_path, {"Gemfile": GEMFILE})
    assert ruby(setting(tmp_path)) is None


def test_ruby_without_a_gemfile_is_the_interpreter_and_a_place_for_packages(tmp_path: Path) -> None:
    found = part(ruby, setting(tmp_path, **ASKED))
    # The first package that somebody adds inside has a place.
    assert "chown -R -h 1000:1000 /opt/bundle" in only_step(found).script
    assert {"ruby-full", "bundler"} <= set(found.system)


def test_an_image_with_ruby_keeps_to_its_own_bundler(tmp_path: Path) -> None:
    base = replace(DEBIAN, env=(*DEBIAN.env, ("RUBY_VERSION", "3.3.6")))
    system = part(ruby, setting(tmp_path, base=base, **ASKED)).system
    assert "gcc" in system
    assert not {"ruby-full", "bundler"} & set(system)


def test_the_lock_file_of_the_repo_is_kept_to(tmp_path: Path) -> None:
    write(tmp_path, {"Gemfile": GEMFILE, "Gemfile.lock": "GEM\n", ".ruby-version": "3.1\n"})
    found = part(ruby, setting(tmp_path, **ASKED))
    step = only_step(found)
    assert "export BUNDLE_FROZEN=true" in step.script
    assert "( bundle install\n)" in step.script
    assert [file.path for file in step.context] == [".ruby-version", "Gemfile", "Gemfile.lock"]
    assert dict(found.env) == {"BUNDLE_PATH": "/opt/bundle", "BUNDLE_APP_CONFIG": "/opt/bundle"}


def test_the_newer_names_are_known(tmp_path: Path) -> None:
    write(tmp_path, {"gems.rb": GEMFILE, "gems.locked": "GEM\n"})
    step = only_step(part(ruby, setting(tmp_path, **ASKED)))
    assert "BUNDLE_GEMFILE=$PWD/gems.rb" in step.script
    assert [file.path for file in step.context] == ["gems.locked", "gems.rb"]


def test_without_one_it_is_asked_for_and_stands_in_the_lock(tmp_path: Path) -> None:
    write(tmp_path, {"Gemfile": GEMFILE})
    question = only_question(part(ruby, setting(tmp_path, **ASKED)))
    assert question.key == "ruby.packages"
    assert question.script.endswith("bundle lock >&2 && cat Gemfile.lock\n")
    step = only_step(part(ruby, setting(tmp_path, lock=answered(question, "GEM", "  specs:"), **ASKED)))
    assert step.texts == (("Gemfile.lock", "GEM\n  specs:\n"),)


def test_what_a_gemfile_reads_comes_along(tmp_path: Path) -> None:
    gemfile = 'gemspec\neval_gemfile "gems/more.rb"\ngem "part", path: "parts/part"\npath "engines" do\nend\n'
    write(
        tmp_path,
        {
            "Gemfile": gemfile,
            "Gemfile.lock": "GEM\n",
            "shop.gemspec": "",
            "lib/shop/version.rb": "",
            "lib/shop/other.rb": "",
            "gems/more.rb": 'gem "rake"\n',
            "parts/part/part.gemspec": "",
            "engines/one/one.gemspec": "",
            "engines/one/lib/one/version.rb": "",
        },
    )
    assert taken(tmp_path) == [
        "Gemfile",
        "Gemfile.lock",
        "engines/one/lib/one/version.rb",
        "engines/one/one.gemspec",
        "gems/more.rb",
        "lib/shop/version.rb",
        "parts/part/part.gemspec",
        "shop.gemspec",
    ]


@pytest.mark.parametrize("line", ['gem "x", path: "../x"', 'gem "x", :path => "/x"', 'eval_gemfile "../Gemfile"'])
def test_what_lies_outside_is_told(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"Gemfile": line + "\n"})
    with pytest.raises(ProfileError) as caught:
        read_inputs(profile(**ASKED), tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "packages.ruby"
    assert problem.message.endswith("which lies outside of the project")


def test_another_command_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    write(tmp_path, {"Gemfile": GEMFILE})
    step = only_step(part(ruby, setting(tmp_path, packages={"ruby": {"install": "bundle install --jobs 1"}})))
    assert "( bundle install --jobs 1\n)" in step.script


def test_a_command_without_anything_to_work_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError):
        ruby(setting(tmp_path, packages={"ruby": {"install": "bundle install"}}))
