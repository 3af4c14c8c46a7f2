import re

from devbox import errors
from devbox.cli import reference
from devbox.cli.catalogue import ENTRIES

REFERENCE = reference.PAGE.parent


def test_the_page_of_the_command_line_is_current() -> None:
    _, _, made = reference.PAGE.read_text(encoding="utf-8").partition(reference.MARK + "\n")
    assert made == reference.verbs(), "run: python -m devbox.cli.reference"


def test_every_verb_has_its_json_document_described() -> None:
    table = reference.PAGE.read_text(encoding="utf-8").partition("## JSON documents")[2].partition(reference.MARK)[0]
    own_stdout = {"shell", "exec"}
    assert all(f"`{name}`" in table for name in ENTRIES.keys() - own_stdout)


def test_no_two_errors_have_one_code() -> None:
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DevboxError)
    ]
    assert len({kind.code for kind in classes}) == len(classes)


def test_every_exit_code_that_an_error_has_is_described() -> None:
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DevboxError)
    ]
    assert all(re.search(rf"^\| {kind.exit_status} \|", page, re.MULTILINE) for kind in classes)
