"""Which lines of a log are shown: by level, by rank, and where a search stands among them."""

from __future__ import annotations

from collections.abc import Sequence

from runs.console_lines import ConsoleLine, Level

LEVELS: tuple[Level, ...] = ("info", "warning", "error")
_ALL_RANKS = -2
_NO_RANK = -1


class LogFilter:
    """Takes ever more lines and keeps those that pass; a search finds upper and lower case alike."""

    def __init__(self) -> None:
        self.level: Level = "info"
        self.query = ""
        self.shown: list[ConsoleLine] = []
        self.here: int | None = None
        """Which of the shown lines the search stands on."""
        self._kept: Sequence[ConsoleLine] = ()
        self._unended: Sequence[ConsoleLine] = ()
        self._num_read = 0
        self._num_unended_shown = 0
        self._rank = _ALL_RANKS
        self._ranks: tuple[int, ...] = ()

    def take(self, lines: Sequence[ConsoleLine], num_read: int, unended: Sequence[ConsoleLine] = ()) -> int:
        """All lines that are kept, the last of which has that number; returns how many shown ones have gone.

        A number that is lower than before means another attempt, whose lines begin anew.
        """
        if self._num_unended_shown:
            del self.shown[-self._num_unended_shown :]
        num_new = num_read - self._num_read
        num_gone = 0
        if num_new < 0 or num_new > len(lines):
            self._kept, self.shown, self.here = lines, self._passing(lines), None
            self._ranks, num_new = () if num_new < 0 else self._ranks, len(lines)
        else:
            num_dropped = len(self._kept) + num_new - len(lines)
            num_gone = len(self._passing(self._kept[:num_dropped])) if num_dropped > 0 else 0
            new = self._passing(lines[len(lines) - num_new :]) if num_new else []
            self._kept = lines
            self.shown = self.shown[num_gone:] + new
            if self.here is not None:
                self.here = self.here - num_gone if self.here >= num_gone else None
        self._num_read, self._unended = num_read, unended
        new_lines = (*lines[len(lines) - num_new :], *unended)
        ranks = {_NO_RANK if line.rank is None else line.rank for line in new_lines}
        self._ranks = tuple(sorted(ranks.union(self._ranks)))
        self._show_unended()
        return num_gone

    @property
    def num_kept(self) -> int:
        """Lines that could be shown."""
        return len(self._kept) + len(self._unended)

    @property
    def num_forgotten(self) -> int:
        """Lines that were printed and are not kept any more."""
        return max(0, self._num_read - len(self._kept))

    @property
    def rank_words(self) -> str:
        """`rank 3`, where one alone is shown; else empty."""
        if self._rank == _ALL_RANKS:
            return ""
        return "no single rank" if self._rank == _NO_RANK else f"rank {self._rank}"

    @property
    def prefix_width(self) -> int:
        """Cells before each line for its rank; none where all lines are of one."""
        if self._rank != _ALL_RANKS or len(self._ranks) < 2:
            return 0
        return len(str(max(self._ranks))) + 3

    def prefix_of(self, line: ConsoleLine) -> str:
        """`3 │ `, where lines of several ranks are shown."""
        width = self.prefix_width
        return f"{'' if line.rank is None else line.rank:>{width - 3}} │ " if width else ""

    def choose_level(self, level: Level) -> None:
        """Show lines from that level on."""
        self.level = level
        self._filter_again()

    def next_rank(self) -> None:
        """All ranks, then each of those that printed anything."""
        choices = [_ALL_RANKS, *self._ranks] if len(self._ranks) > 1 else [_ALL_RANKS]
        at = choices.index(self._rank) if self._rank in choices else -1
        self._rank = choices[(at + 1) % len(choices)]
        self._filter_again()

    def search(self, query: str) -> None:
        """Look for that text, and stand on the newest line that has it."""
        self.query = query
        self.here = None
        if query:
            self.step(-1)

    def step(self, by: int) -> None:
        """Go to the next line that has it (1) or the previous one (-1); past an end it goes on at the other."""
        places = self._places()
        if not places:
            self.here = None
        elif by > 0:
            self.here = next((place for place in places if self.here is not None and place > self.here), places[0])
        else:
            later = len(self.shown) if self.here is None else self.here
            self.here = next((place for place in reversed(places) if place < later), places[-1])

    @property
    def found_words(self) -> str:
        """`3 of 12`, or that it is found nowhere."""
        if not self.query:
            return ""
        places = self._places()
        if not places:
            return "not found"
        return f"{places.index(self.here) + 1} of {len(places)}" if self.here in places else f"{len(places)} found"

    def _places(self) -> list[int]:
        wanted = self.query.casefold()
        return [number for number, line in enumerate(self.shown) if wanted in line.shown.casefold()]

    def _filter_again(self) -> None:
        self.shown = self._passing(self._kept)
        self._show_unended()
        if self.query:
            self.search(self.query)

    def _show_unended(self) -> None:
        passing = self._passing(self._unended)
        self._num_unended_shown = len(passing)
        self.shown += passing

    def _passing(self, lines: Sequence[ConsoleLine]) -> list[ConsoleLine]:
        least, rank = LEVELS.index(self.level), self._rank
        if not least and rank == _ALL_RANKS:
            return list(lines)
        wanted = None if rank == _NO_RANK else rank
        return [
            line
            for line in lines
            if LEVELS.index(line.level) >= least and (rank == _ALL_RANKS or line.rank == wanted)
        ]


def pieces_of(text: str, query: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is what is searched for."""
    wanted, folded = query.casefold(), text.casefold()
    if not wanted or len(folded) != len(text):  # letters that fold into several: the line is found, not the place
        return [(text, False)]
    pieces = []
    start = 0
    while (at := folded.find(wanted, start)) >= 0:
        pieces += [(text[start:at], False), (text[at : at + len(wanted)], True)]
        start = at + len(wanted)
    return [piece for piece in (*pieces, (text[start:], False)) if piece[0]]
