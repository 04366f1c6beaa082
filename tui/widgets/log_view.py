"""What the processes printed: followed, searched, and filtered by level and by rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from runs.console_lines import MOST_LINES, ConsoleLine, Level
from tui.component_style import component_style
from tui.safe_text import plain, safe_text
from tui.widgets.log_filter import LEVELS, LogFilter, pieces_of
from tui.widgets.typed_line import TypedLine

_MOST_COLUMNS = 4000
_MOST_DRAWN = 400  # lines, more than a screen has
_WORDS: dict[Level, str] = {"info": "all levels", "warning": "warnings and errors", "error": "errors only"}


class LogPane(ScrollView, can_focus=True):
    """Follows the end until a person scrolls up. The feed keeps the lines; this draws those in sight alone."""

    HELP = (
        "What the processes printed. / searches, n and N go to the next and the previous place; L shows warnings "
        "or errors alone; u one rank alone; f follows the end again. ← and → show more of long lines."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--error", "log--warning", "log--found", "log--here", "log--rank"}
    DEFAULT_CSS = """
    LogPane { scrollbar-size: 1 1; overflow: hidden auto; }
    LogPane > .log--error { color: $text-error; }
    LogPane > .log--warning { color: $text-warning; }
    LogPane > .log--found { text-style: underline; }
    LogPane > .log--here { text-style: reverse; }
    LogPane > .log--rank { color: $foreground 65%; }
    """
    KEYS_SCOPE = "log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash", "search", "Search", id="search", key_display="/", tooltip="Search the log; enter ends typing."
        ),
        Binding(
            "n", "found(1)", "Next", id="next_match", show=False, tooltip="The next place that was searched for."
        ),
        Binding("N", "found(-1)", "Previous", id="previous_match", show=False, tooltip="The previous one."),
        Binding("L", "level", "Level", id="level", tooltip="All lines, warnings and errors, or errors alone."),
        Binding("u", "rank", "Rank", id="rank", tooltip="All ranks, or one after the other alone."),
        Binding("f", "follow", "Follow", tooltip="Go to the end and stay there."),
        Binding("left", "across(-1)", "Left", id="left", show=False),
        Binding("right", "across(1)", "Right", id="right", show=False),
        Binding("home", "scroll_home", "First line", id="first_line", show=False),
        Binding("end", "follow", "Last line", show=False),
        Binding("escape", "leave_search", "End search", id="end_search", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Log"
        self._filter = LogFilter()
        self._typed = TypedLine(most=200)
        self._is_following = True
        self._left = 0
        self._said = ("Log", "")
        self._drawn: LRUCache[tuple[object, ...], Strip] = LRUCache(_MOST_DRAWN)
        """A line that came moves all the others up, as they were."""

    @property
    def filter(self) -> LogFilter:
        """The lines that are kept and which of them are shown."""
        return self._filter

    def show(self, lines: Sequence[ConsoleLine], num_read: int, unended: Sequence[ConsoleLine] = ()) -> None:
        """Take the newest lines. num_read: number of the last; unended: what no line feed has ended yet."""
        dropped = self._filter.take(lines, num_read, unended)
        self._fit(dropped, came=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search, n and esc are the screen's."""
        return bool(self._filter.query) if action in ("found", "leave_search") else True

    def action_search(self) -> None:
        """Begin to type what is searched for."""
        self._typed.begin(self._filter.query)
        self._say()

    def action_leave_search(self) -> None:
        """Forget what is searched for."""
        self._filter.search("")
        self._say()
        self.refresh()

    def action_found(self, by: int) -> None:
        """Go to the next place, or a previous one."""
        self._filter.step(by)
        self._go_to_found()

    def action_level(self) -> None:
        """From all lines to warnings and errors, to errors, and back."""
        self._filter.choose_level(LEVELS[(LEVELS.index(self._filter.level) + 1) % len(LEVELS)])
        self._fit()

    def action_rank(self) -> None:
        """From all ranks to each one, and back."""
        self._filter.next_rank()
        self._fit()

    def action_follow(self) -> None:
        """Stay at the end."""
        self._is_following = True
        self._left = 0
        self._fit()

    def action_across(self, by: int) -> None:
        """Show what stands further right or left in long lines."""
        step = max(8, self.content_size.width // 2)
        longest = max((len(line.shown) for line in self._in_sight()), default=0)
        most = max(0, longest + self._filter.prefix_width - self.content_size.width)
        self._left = max(0, min(self._left + by * step, most))
        self.refresh()

    def on_key(self, event: events.Key) -> None:
        """While a search is typed, keys are its letters."""
        if not self._typed.is_typing:
            if event.key == "slash":  # at once: as a binding it would come after letters that were typed fast
                event.stop()
                event.prevent_default()
                self.action_search()
            return
        event.stop()
        event.prevent_default()
        before = self._typed.text
        self._typed.press(event.key, event.character)
        if self._typed.text != before:
            self._filter.search(self._typed.text)
            self._go_to_found()
        self._say()
        self.refresh()

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the search."""
        if self._typed.is_typing:
            event.stop()
            self._typed.paste(event.text)
            self._filter.search(self._typed.text)
            self._go_to_found()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters belong to the search while it is typed."""
        return self._typed.is_typing and character is not None and character.isprintable()

    def on_blur(self) -> None:
        """Who goes to another pane has typed enough."""
        self._typed.end()
        self._say()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the end in sight."""
        self._fit()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up ends following, and scrolling to the end begins it."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._is_following = self.scroll_offset.y >= self.max_scroll_y
            self._say()

    def notify_style_update(self) -> None:
        """Another theme draws otherwise."""
        super().notify_style_update()
        self._drawn.clear()

    def render_line(self, y: int) -> Strip:
        """One line in sight, with what was found in it, and signs where it goes on."""
        width = self.scrollable_content_region.width
        number = self.scroll_offset.y + y
        base = self.rich_style
        if number >= len(self._filter.shown):
            words = self._why_empty() if y == 0 and not self._filter.shown else ""
            return Strip([Segment(words[:width].ljust(width), base)], width)
        line = self._filter.shown[number]
        is_here = number == self._filter.here
        key = (line, self._filter.prefix_width, self._filter.query, is_here, self._left, width, base)
        strip = self._drawn.get(key)
        if strip is None:
            strip = self._draw(line, width, base, is_here=is_here)
            self._drawn.set(key, strip)
        return strip

    def _draw(self, line: ConsoleLine, width: int, base: Style, *, is_here: bool) -> Strip:
        style = base if line.level == "info" else base + self._style(f"log--{line.level}")
        faint = base + self._style("log--rank")
        found = base + self._style("log--here") if is_here else style + self._style("log--found")
        prefix = self._filter.prefix_of(line)
        room = max(1, width - len(prefix))
        text = safe_text(line.shown, _MOST_COLUMNS)
        strip = Strip(
            [Segment(part, found if hit else style) for part, hit in pieces_of(text, self._filter.query)]
        )
        shown = strip.crop(self._left, self._left + room)
        if strip.cell_length > self._left + room:
            shown = Strip.join([shown.crop(0, room - 1), Strip([Segment("›", faint)])])
        if self._left and text:
            shown = Strip.join([Strip([Segment("‹", faint)]), shown.crop(1)])
        segments = [Segment(prefix, faint)] if prefix else []
        return Strip.join([Strip(segments), shown]).adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        return component_style(self, name)

    def _in_sight(self) -> Sequence[ConsoleLine]:
        top = self.scroll_offset.y
        return self._filter.shown[top : top + self.content_size.height]

    def _fit(self, num_dropped: int = 0, *, came: bool = False) -> None:
        """Lay the lines out anew, at the end or where one reads. num_dropped: shown lines that are gone.

        came: it is only that new lines came.
        """
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        num_before = self.virtual_size.height
        self._grow(len(self._filter.shown), height)
        if self._is_following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)
            self._is_following = True
        elif num_dropped:
            self.scroll_to(y=max(0, top - num_dropped), animate=False, force=True, immediate=True)
        self._say()
        if self._is_following or num_dropped or not came or num_before < top + height:
            self.refresh()  # else what came is out of sight

    def _grow(self, num_lines: int, height: int) -> None:
        """Be so long. Nothing but the scroll bar changes by that, except that it comes and goes itself."""
        size = Size(max(1, self.scrollable_content_region.width), num_lines)
        if (num_lines > height) != self.show_vertical_scrollbar or size.width != self.virtual_size.width:
            self.virtual_size = size  # lays the whole screen out
        elif size != self.virtual_size:
            self.set_reactive(LogPane.virtual_size, size)
            self._scroll_update(size)

    def _go_to_found(self) -> None:
        here = self._filter.here
        if here is not None:
            self._is_following = False
            height = max(1, self.scrollable_content_region.height)
            top = self.scroll_offset.y
            if not top <= here < top + height:
                self.scroll_to(y=max(0, here - height // 2), animate=False, force=True, immediate=True)
        self._say()
        self.refresh()

    def _say(self) -> None:
        """What is shown, in the border."""
        filtered = [_WORDS[self._filter.level]] if self._filter.level != "info" else []
        if self._filter.rank_words:
            filtered.append(self._filter.rank_words)
        if self._filter.num_forgotten:
            filtered.append(f"the newest {MOST_LINES:,} lines")
        if self._typed.is_typing:
            below = f"/{self._typed.text}▏ {self._filter.found_words}"
        elif self._filter.query:
            below = f"/{self._filter.query} {self._filter.found_words} · n N · esc"
        else:
            at_end = self._is_following or not self._filter.shown
            below = "" if at_end else "f follows the end"
        words = (" · ".join(["Log", *filtered]), below)
        if words != self._said:  # a border that is set is painted, whether it is another or not
            self._said = words
            self.border_title, self.border_subtitle = (plain(text, 80) for text in words)

    def _why_empty(self) -> str:
        if self._filter.num_kept:
            return f"none of {self._filter.num_kept:,} lines is shown by this filter; L and u change it"
        return "nothing was printed yet"
