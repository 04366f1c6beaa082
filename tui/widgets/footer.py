"""The key line at the bottom: one line of text that always fits, and says so when there are more keys.

Textual's own footer mounts a widget for each key at every move of the focus, and keeps watchers of those that are
gone (Textual #6666); a line of text costs nothing to change, and only what changed is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui.safe_text import safe_text

_GAP = "  "
_MORE = "…"
_SCREENS = "show_"
_ALWAYS = ("help", "quit")


@dataclass(frozen=True)
class FooterItem:
    """A key in the line. key: what is pressed for a person who clicks, empty for nothing.

    is_screen: it goes to another screen. is_kept: it stays when room is short.
    """

    shown: str
    label: str
    key: str
    is_screen: bool = False
    is_kept: bool = False

    @property
    def width(self) -> int:
        """Cells of the key and its label."""
        return len(self.shown) + len(self.text)

    @property
    def text(self) -> str:
        """What follows the key, with the space before it."""
        return f" {self.label}" if self.label else ""


class KeyFooter(Widget, can_focus=False):
    """Shows the keys that work now: those of the pane, of the screen, of every screen, then the palette's."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyFooter { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[FooterItem, ...] = ()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow what the screen offers."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)
        self._look()

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.call_after_refresh(self._look)

    def _look(self) -> None:
        if not self.is_attached:
            return
        items = self._wanted()
        if items != self._items:
            self._items = items
            self.refresh()

    def _wanted(self) -> tuple[FooterItem, ...]:
        """The keys that are to be shown, each meaning once."""
        items: list[FooterItem] = []
        meanings: set[str] = set()
        palette = self.app.COMMAND_PALETTE_BINDING
        active = self.screen.active_bindings
        for one in active.values():
            binding = one.binding
            action = binding.action.removeprefix("app.")
            is_screen = one.node is self.app and action.startswith(_SCREENS)
            # a screen's number is told beside a command of that name: `c Compare` compares what is marked
            meant = {binding.action} if is_screen else {binding.action, binding.description}
            if not binding.show or not binding.description or meant & meanings:
                continue
            meanings |= meant
            shown = safe_text(self.app.get_key_display(binding), 12)
            items.append(
                FooterItem(
                    shown, safe_text(binding.description, 24), binding.key,
                    is_screen=is_screen, is_kept=action in _ALWAYS,
                )
            )  # fmt: skip
        if palette in active:
            items.append(FooterItem("^p", "palette", palette))
        return tuple(items)

    def render(self) -> Content:
        """The keys that fit."""
        line, place, parts = fit(self._items, self.size.width - 1), 1, [" "]
        self._places = []
        for number, item in enumerate(line):
            if number:
                parts.append(_GAP)
                place += len(_GAP)
            self._places.append((place, place + item.width, item.key))
            parts.append((item.shown, "bold $footer-key-foreground"))  # type: ignore[arg-type]
            parts.append((item.text, "$footer-description-foreground"))  # type: ignore[arg-type]
            place += item.width
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """A click presses the key."""
        for start, end, key in self._places:
            if start <= event.x < end and key:
                self.app.simulate_key(key)


def fit(items: Sequence[FooterItem], width: int) -> list[FooterItem]:
    """The keys to show in so many cells: all; else the screens as one, and as many of the others as fit.

    Help and quit stay to the last; `…` stands where keys were left out, which the help has.
    """
    if _width(items) <= width:
        return list(items)
    line = _joined(items)
    left_out = False
    while _width(line) > width:
        droppable = [place for place, item in enumerate(line) if not item.is_kept and item.shown != _MORE]
        if not droppable:
            break
        del line[_least(line, droppable)]
        if not left_out:
            left_out = True
            line.insert(next((n for n, item in enumerate(line) if item.is_kept), len(line)), _left_out())
    while line and _width(line) > width:
        del line[-1]
    return line


def _least(line: Sequence[FooterItem], droppable: Sequence[int]) -> int:
    """What is missed least: the palette's key, then the screens', then the last of the screen's own."""
    for place in reversed(droppable):
        if line[place].label == "palette" or line[place].is_screen:
            return place
    return droppable[-1]


def _left_out() -> FooterItem:
    return FooterItem(_MORE, "", "question_mark")


def _joined(items: Sequence[FooterItem]) -> list[FooterItem]:
    """The keys of the screens as a single item."""
    screens = sorted(
        (item for item in items if item.is_screen and len(item.shown) == 1), key=lambda one: one.shown
    )
    if len(screens) < 2:
        return list(items)
    joined = FooterItem(f"{screens[0].shown}–{screens[-1].shown}", "screens", "", is_screen=True)
    first = min(items.index(screen) for screen in screens)
    rest = [item for item in items if item not in screens]
    return [*rest[:first], joined, *rest[first:]]


def _width(items: Sequence[FooterItem]) -> int:
    return sum(item.width for item in items) + len(_GAP) * max(0, len(items) - 1)
