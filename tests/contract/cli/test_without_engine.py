"""What the command line promises where no engine is needed, or none is there."""

import json
import tomllib

import pytest

from devbox import __version__
from devbox.cli.catalogue import ENTRIES
from tests.contract.cli.conftest import FakeWorld

NEEDS_ENGINE = {
    "up": (),
    "build": (),
    "status": (),
    "list": (),
    "logs": (),
    "halt": (),
    "destroy": ("-f",),
    "prune": (),
}


@pytest.mark.parametrize("words", [("--version",), ("up", "--version")])
def test_version(fake: FakeWorld, words: tuple[str, ...]) -> None:
    done = fake(*words)
    assert (done.status, done.stdout, done.stderr) == (0, f"devbox {__version__}\n", "")
    assert fake("--json", *words).document == {"schema": 1, "version": __version__}


def test_alone_it_shows_the_overview(fake: FakeWorld) -> None:
    done = fake()
    assert done.status == 0
    assert done.stderr == ""
    assert all(name in done.stdout for name in ENTRIES)
    assert fake("--help").stdout == done.stdout


@pytest.mark.parametrize("name", ENTRIES)
def test_every_verb_has_help_with_examples_on_stdout(fake: FakeWorld, name: str) -> None:
    done = fake(name, "--help")
    assert done.status == 0
    assert done.stdout.startswith(f"Usage: devbox {name}")
    assert "Examples:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", ENTRIES)
def test_an_unknown_option_is_a_usage_error_in_both_forms(fake: FakeWorld, name: str) -> None:
    done = fake(name, "--no-such-option")
    assert (done.status, done.error, done.stdout) == (2, "usage", "")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    document = fake(name, "--no-such-option", "--json").document
    assert document["schema"] == 1
    assert document["error"]["code"] == "usage"
    assert set(document["error"]) == {"code", "message", "detail", "hint", "problems"}


@pytest.mark.parametrize("words", [("hlat",), ("--json", "hlat"), ("hlat", "--json")])
def test_an_unknown_verb_is_a_usage_error_that_says_what_was_meant(fake: FakeWorld, words: tuple[str, ...]) -> None:
    done = fake(*words)
    assert (done.status, done.error) == (2, "usage")
    assert "devbox halt" in (done.stdout + done.stderr)


def test_global_options_work_before_and_after_the_verb_and_not_after_two_dashes(fake: FakeWorld) -> None:
    fake.write()
    before = fake("--json", "-q", "config")
    after = fake("config", "-q", "--json")
    assert before.status == after.status == 0
    assert before.document == after.document
    inside = fake("exec", "--", "true", "--json")
    assert inside.stdout == ""
    assert inside.stderr.startswith("error[not-running]")


def test_the_project_can_be_named(fake: FakeWorld) -> None:
    fake.write()
    below = fake.directory / "src" / "deep"
    below.mkdir(parents=True)
    documents = [fake("-C", str(place), "config", "--json").document for place in (fake.directory, below)]
    assert documents[0] == documents[1]
    missing = fake("config", "--project", "no-such-directory")
    assert (missing.status, missing.error) == (2, "usage")


@pytest.mark.parametrize(("name", "words"), NEEDS_ENGINE.items())
def test_without_an_engine_it_is_3_in_both_forms(fake: FakeWorld, name: str, words: tuple[str, ...]) -> None:
    fake.write()
    fake.down = True
    done = fake(name, *words)
    assert (done.status, done.error, done.stdout) == (3, "engine-unavailable", "")
    machine = fake(name, *words, "--json")
    assert (machine.status, machine.error, machine.stderr) == (3, "engine-unavailable", "")


@pytest.mark.parametrize("words", [("shell", "--", "true"), ("ssh", "--", "true"), ("exec", "--", "true")])
def test_devboxs_own_failure_is_125_where_a_command_was_given(fake: FakeWorld, words: tuple[str, ...]) -> None:
    fake.write()
    fake.down = True
    done = fake(*words)
    assert (done.status, done.error) == (125, "engine-unavailable")
    assert fake(words[0], "--no-such-option", *words[1:]).status == 125
    fake.write('name = "Not A Name"\n')
    assert fake(*words).status == 125


def test_a_shell_without_a_command_keeps_the_errors_own_status(fake: FakeWorld) -> None:
    fake.write()
    fake.down = True
    assert fake("shell").status == 3
    assert fake("exec").status == 2


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("-e", "NAME"), "-e NAME"),
        (("-e", "1A=x"), "-e 1A=x"),
        (("-w", "relative"), "-w relative"),
        (("-w", "/proc/self/fd/8"), "-w /proc/self/fd/8"),
        (("-u", "--"), "-u --"),
    ],
)
def test_options_of_exec_are_checked_before_anything_else(fake: FakeWorld, words: tuple[str, ...], key: str) -> None:
    fake.down = True
    done = fake("exec", "--json", *words, "--", "true")
    assert (done.status, done.error) == (125, "usage")
    assert [problem["key"] for problem in done.document["error"]["problems"]] == [key]


def test_destroy_without_force_and_without_a_terminal_is_refused_whatever_is_there(fake: FakeWorld) -> None:
    fake.down = True  # it does not even look
    for words in (("destroy",), ("destroy", "--json"), ("destroy", "--no-input")):
        done = fake(*words)
        assert (done.status, done.error) == (2, "not-confirmed")


def test_every_problem_of_a_profile_is_shown_with_file_line_and_key(fake: FakeWorld) -> None:
    fake.write('[base]\nimage = "debian:12"\n\n[pakages]\nsystem = ["jq"]\n\n[ports]\nweb = true\n')
    done = fake("config")
    assert (done.status, done.error, done.stdout) == (2, "profile-invalid", "")
    assert any(line.startswith("devbox.toml:4: pakages: ") for line in done.stderr.splitlines())
    assert any(line.startswith("devbox.toml:8: ports.web: ") for line in done.stderr.splitlines())
    problems = fake("config", "--json").document["error"]["problems"]
    assert [(problem["file"], problem["line"]) for problem in problems] == [("devbox.toml", 4), ("devbox.toml", 8)]


def test_config_is_toml_for_a_person_and_values_for_a_machine(fake: FakeWorld) -> None:
    fake.write('name = "shop"\n[base]\nimage = "debian:12"\n[ports]\nweb = 8000\n')
    shown = fake("config")
    assert tomllib.loads(shown.stdout)["ports"]["web"]["guest"] == 8000
    document = fake("config", "--json").document
    assert document["schema"] == 1
    assert document["name"] == "shop"
    assert document["base"] == {"image": "debian:12"}


def test_config_explains_where_each_value_comes_from(fake: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBOX_MEMORY", "2 GiB")
    fake.write('name = "shop"\n[base]\nimage = "debian:12"\n')
    explained = fake("config", "--explain", "--set", "resources.cpus=2", "--json").document["explain"]
    assert explained["base.image"] == {"value": "debian:12", "source": "devbox.toml", "file": "devbox.toml", "line": 3}
    assert explained["resources.memory"]["source"] == "DEVBOX_MEMORY"
    assert explained["resources.cpus"]["source"] == "flag"
    assert explained["runtime"] == {"value": "container", "source": "built-in", "file": None, "line": None}
    lines = fake("config", "--explain").stdout.splitlines()
    assert any(line.startswith('base.image = "debian:12"') and line.endswith("# devbox.toml:3") for line in lines)


def test_schema_is_json_schema(fake: FakeWorld) -> None:
    plain = json.loads(fake("schema").stdout)
    assert plain["$schema"].startswith("https://json-schema.org/")
    assert fake("schema", "--json").document == {"schema": 1, "json_schema": plain}


def test_init_writes_a_profile_that_config_reads(fake: FakeWorld) -> None:
    (fake.directory / "requirements.txt").write_text("flask==3.0.0\n")
    done = fake("init")
    assert done.status == 0
    assert "requirements.txt" in done.stdout
    assert done.stderr == "next: devbox shell\n"
    assert fake("config").status == 0
    assert [path.name for path in fake.directory.iterdir() if "devbox" in path.name] == ["devbox.toml"]


def test_init_with_an_image_and_its_document(fake: FakeWorld) -> None:
    document = fake("init", "debian:13", "--json").document
    path = fake.directory / "devbox.toml"
    assert document["schema"] == 1
    assert document["changed"] is True
    assert document["path"] == str(path)
    assert document["text"] == path.read_text()
    assert fake("config", "--json").document["base"]["image"] == "debian:13"


def test_init_where_a_profile_exists_is_2_and_changes_nothing(fake: FakeWorld) -> None:
    path = fake.write("name = 'mine'\n")
    for words in (("init",), ("init", "python", "--json")):
        done = fake(*words)
        assert (done.status, done.error) == (2, "profile-exists")
    assert path.read_text() == "name = 'mine'\n"


def test_init_does_not_follow_a_link_that_leads_nowhere(fake: FakeWorld) -> None:
    (fake.directory / "devbox.toml").symlink_to(fake.directory.parent / "elsewhere")
    assert fake("init").status == 2
    assert not (fake.directory.parent / "elsewhere").exists()


def test_init_of_something_unknown_writes_nothing(fake: FakeWorld) -> None:
    done = fake("init", "pyhton")
    assert (done.status, done.error) == (2, "usage")
    assert list(fake.directory.iterdir()) == []


TRUSTED = 'name = "shop"\n[env]\nfrom_host = ["AWS_PROFILE"]\n'


def test_trust_needs_a_yes_and_is_taken_back(fake: FakeWorld) -> None:
    fake.write(TRUSTED)
    refused = fake("trust")
    assert (refused.status, refused.error) == (2, "not-confirmed")
    assert "devbox.toml:3" in refused.stderr
    assert fake("trust", "--json").document["error"]["problems"][0]["line"] == 3
    agreed = fake("trust", "--yes", "--json").document
    assert (agreed["changed"], agreed["trusted"]) == (True, True)
    assert [item["value"] for item in agreed["items"]] == ["AWS_PROFILE"]
    assert fake("trust").stdout == "nothing to do\n"
    assert fake("untrust", "--json").document == {"schema": 1, "changed": True, "trusted": False}
    assert fake("untrust").stdout == "nothing to do\n"
    assert fake("trust").status == 2


def test_a_profile_that_asks_for_nothing_needs_no_trust(fake: FakeWorld) -> None:
    fake.write()
    assert fake("trust").status == 0
    assert fake("trust", "--json").document["items"] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(fake: FakeWorld, shell: str) -> None:
    done = fake("completion", shell)
    assert done.status == 0
    assert "_DEVBOX_COMPLETE" in done.stdout
    document = fake("completion", shell, "--json").document
    assert document == {"schema": 1, "shell": shell, "script": document["script"]}
    assert document["script"].strip() == done.stdout.strip()


def test_doctor_says_what_is_wrong_and_how_to_mend_it(fake: FakeWorld) -> None:
    well = fake("doctor", "--json")
    assert well.status == 0
    fake.down = True
    ill = fake("doctor", "--json")
    assert ill.status == 1
    checks = {check["id"]: check for check in ill.document["checks"]}
    assert set(checks["engine"]) == {"id", "status", "message", "remedy"}
    assert checks["engine"]["status"] == "fail"
    assert checks["engine"]["remedy"]
    assert {check["status"] for check in checks.values()} <= {"ok", "warn", "fail"}
    shown = fake("doctor")
    assert shown.status == 1
    assert "remedy: " in shown.stdout
    assert fake.processes.argvs == []


def test_doctor_fix_runs_nothing_without_a_yes(fake: FakeWorld) -> None:
    fake.down = True
    fake.processes.programs |= {"apt-get", "dockerd"}
    done = fake("doctor", "--fix")
    assert (done.status, done.error) == (2, "not-confirmed")
    assert "apt-get install" in done.stderr
    assert fake.processes.argvs == []
    assert fake("doctor", "--yes").status == 2


def test_what_nobody_can_explain_keeps_its_traceback_and_asks_for_a_report(fake: FakeWorld) -> None:
    fake.write()
    fake.connect = lambda: 1 // 0  # type: ignore[assignment, return-value]
    done = fake("status")
    assert done.status == 1
    assert "ZeroDivisionError" in done.stderr
    assert f"devbox {__version__}" in done.stderr.splitlines()[-1]
    machine = fake("status", "--json")
    assert machine.document["error"]["code"] == "internal"
    assert "ZeroDivisionError" in machine.stderr


def test_quiet_leaves_errors_alone_on_stderr(fake: FakeWorld) -> None:
    assert fake("-q", "init", "debian:12").stderr == ""
    assert fake("-q", "init").stderr.startswith("error[profile-exists]")
