import calc


def test_it():
    assert calc
