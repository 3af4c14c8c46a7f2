"""The addresses of a project's virtual machines: from their names alone, and no two the same."""

from devbox.workspace.private_network import addresses


def test_an_address_follows_from_the_name_and_stays_when_others_come() -> None:
    alone = addresses(["default", "worker"])
    more = addresses(["zoo", "worker", "db", "default"])
    assert {name: more[name] for name in alone} == alone
    assert all(one.startswith("198.19.") for one in more.values())


def test_no_two_have_the_same_however_many_there_are() -> None:
    names = [f"m{number}" for number in range(2000)]
    found = addresses(names)
    assert len(set(found.values())) == len(names)
    assert found == addresses(reversed(names))
    assert not {"198.19.0.0", "198.19.255.255"} & set(found.values())
