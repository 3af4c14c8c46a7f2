import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GiB", 2 * 1024**3),
        ("512MiB", 512 * 1024**2),
        ("1.5 GB", 1_500_000_000),
        ("10 kB", 10_000),
        ("7 B", 7),
        ("4G", 4 * 1024**3),
    ],
)
def test_a_size_has_a_number_and_a_unit(text: str, size: int) -> None:
    assert values.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "4", "0 GiB", "-1 GiB", "nan", "inf GB", "1e3 GB", "4 gigs", "4  GiB", "\uff14 GiB", "1 GiB\n2"]
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="GiB"):
        values.parse_size(text)


@given(st.integers(min_value=1, max_value=2**60))
def test_a_formatted_size_is_within_a_tenth_of_the_truth(size: int) -> None:
    assert abs(values.parse_size(values.format_size(size)) - size) <= max(1, size * 0.1)


@given(st.text())
def test_every_text_has_a_slug_that_keeps_the_grammar(text: str) -> None:
    assert values.check_slug(values.slug(text)) == values.slug(text)


@pytest.mark.parametrize("name", ["", "Shop", "é", "a b", "-x", "x-", "a" * 41, "a_b", "a\n"])
def test_a_name_outside_the_grammar_is_refused_with_one_inside(name: str) -> None:
    with pytest.raises(ValueError, match=r'write "[a-z0-9-]+"'):
        values.check_slug(name)


@pytest.mark.parametrize("path", ["/data", "/workspaces/shop", "/var/lib/x", "/opt/ä b"])
def test_a_guest_path_may_be_any_ordinary_absolute_path(path: str) -> None:
    assert values.check_guest_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "data",
        "",
        "/proc/self/fd/8",
        "/proc",
        "/sys/x",
        "/dev/x",
        "/a/../etc",
        "/a//b",
        "/a/",
        "/./a",
        "/a\0b",
        "/etc/passwd",
        "/usr",
        "/",
        "/run/devbox/x",
    ],
)
def test_a_guest_path_may_not_touch_the_system(path: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        values.check_guest_path(path)


def test_a_working_directory_may_be_a_system_directory_but_not_the_kernels() -> None:
    assert values.check_guest_path("/usr", may_be_system=True) == "/usr"
    with pytest.raises(ValueError, match="kernel"):
        values.check_guest_path("/proc/1", may_be_system=True)


@pytest.mark.parametrize("name", ["a" * 64, "a b;c", "-a", "a-", "A", "", "a.b"])
def test_a_host_name_that_an_engine_would_choke_on_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="63"):
        values.check_hostname(name)


@pytest.mark.parametrize(
    "risky", ["\x1b[31m", "\r", "\x07", "\x1b]52;c;aGk=\x07", "\u202e", "\x9b", "\n", "\u2028", "\ud800"]
)
def test_no_control_character_reaches_a_terminal(risky: str) -> None:
    shown = values.printable(f"a{risky}b")
    assert shown.startswith("a\\")
    assert shown.isprintable()


@given(st.text())
def test_what_is_printable_can_be_encoded_and_moves_no_cursor(text: str) -> None:
    shown = values.printable(text)
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in shown)
    shown.encode()  # no lone surrogate is left
