"""What a step says of packages that cannot be had, for a person and for the next question."""

from devbox.build.gone import gone_error


def test_one_that_is_gone_is_named_with_version_and_archive() -> None:
    error = gone_error("gone debian:jq_1.6-2.1_amd64.deb", key="packages.system")
    assert error.message == (
        "the lock cannot be honoured: jq 1.6-2.1 of the archive debian is gone, "
        "and the archive of the lock's day is not reachable"
    )
    assert error.packages == ("jq",)
    assert error.hint == "lock what there is now: devbox lock --update jq"


def test_of_many_some_are_shown_and_all_are_problems() -> None:
    places = " ".join(f"debian-security:p{index}_1_all.deb" for index in range(7))
    error = gone_error(f"gone {places}", key="packages.system")
    assert "p4 1 of the archive debian-security and 2 more are gone" in error.message
    assert len(error.problems) == len(error.packages) == 7


def test_what_has_another_content_is_not_looked_up_again_by_itself() -> None:
    error = gone_error("other debian:jq_1_amd64.deb", key="packages.system")
    assert error.packages == ()
    assert "something else under that name" in error.message
    assert error.problems[0].message == "jq 1 of the archive debian: another SHA-256 than in devbox.lock"


def test_other_words_are_passed_on() -> None:
    assert gone_error("the registry has no zlib 1", key="x").message.endswith("honoured: the registry has no zlib 1")
