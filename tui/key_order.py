"""Keys in the order in which they were typed: one is handed on when the one before it has done its work."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

_STUCK_S = 1.0
Typed = events.Key | events.Paste


class KeyOrder(App[None]):
    """An app that loses no key of somebody who types faster than screens and focus change.

    Textual hands a key to what has the focus when it arrives, and finds out what it means when it has bubbled up,
    queue by queue: behind the keys that came with it. A slow line brings several at once, and of `/tag` the three
    letters reached the list while `/` had not yet put the cursor into the filter: they were commands.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Typed] = deque()
        self._at_work: Typed | None = None

    async def on_event(self, event: events.Event) -> None:
        """Let what is typed wait while something typed before it is at work."""
        if not isinstance(event, Typed) or event.is_forwarded:
            await super().on_event(event)
        elif self._at_work is None:
            await self._hand_on(event)
        else:
            self._waiting.append(event)
            self.set_timer(_STUCK_S, lambda at_work=self._at_work: self._done(at_work, None))

    async def _hand_on(self, event: Typed) -> None:
        self._at_work = event
        top, first = self._top, self.focused or self._top
        await super().on_event(event)
        self._follow(event, first, top)

    def _follow(self, event: Typed, node: DOMNode | None, top: Screen[Any] | None) -> None:
        """Go up behind it, through the queue of everything that it bubbles through."""
        while node is not None and node is not self:
            if node.call_later(self._follow, event, node.parent, top):
                return
            node = node.parent
        # once more to the end of the queue: there `Widget.focus()` lets the cursor be moved
        self.call_later(self.call_later, self._done, event, top)

    async def _done(self, event: Typed, top: Screen[Any] | None) -> None:
        """Hand the next one on; when a screen came up, after that has put the focus where it belongs."""
        if event is not self._at_work:
            return
        above = self._top if top is not None else None
        if above is not None and above is not top and above.call_later(self.call_later, self._done, event, above):
            return
        self._at_work = None
        if self._waiting:
            await self._hand_on(self._waiting.popleft())

    @property
    def _top(self) -> Screen[Any] | None:
        """None in an app that ends."""
        return self.screen_stack[-1] if self.screen_stack else None
