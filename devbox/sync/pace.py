"""How much of a big file is on its way at once: an edit that is made meanwhile goes behind that."""

from typing import Final

SHORT: Final = 0.2  # seconds that what is on its way may take
MOST: Final = 4  # pieces of one file at once; more gain nothing on any line


class Pace:
    """Counts in pieces. Where a line is fast, enough are on their way for it never to stand still; else few are."""

    def __init__(self) -> None:
        self.pieces = 1

    def took(self, seconds: float, pieces: int) -> None:
        """Note that so many `pieces`, sent at once, were there after `seconds`."""
        each = max(seconds / pieces, SHORT / MOST)
        self.pieces = max(1, int(SHORT / each))
