"""Looks at what changes while it is looked at."""

from pathlib import Path

from devbox.sync.core.entry import Side
from devbox.sync.pump import Work
from devbox.sync.rows import Node
from tests.support.sync_desk import desk_at


def test_what_comes_where_a_directory_was_gone_is_looked_through_also_if_it_has_the_same_inode(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        (desk.host / "d").mkdir()
        desk.scan()
        node = desk.rows.find(b"d")
        assert node is not None
        spare = desk.host.with_name("spare")
        (desk.host / "d").rename(spare)
        desk.run(desk.cycle.survey.scan({Side.HOST: [node]}))  # it is gone just then
        (spare / "new").write_text("1")
        spare.rename(desk.host / "d")
        found: list[Node] = []

        def look() -> Work[None]:
            tops = yield from desk.cycle.survey.look({Side.HOST: {b"d"}})
            found.extend(tops[Side.HOST])

        desk.run(look())
        assert found == [node]
