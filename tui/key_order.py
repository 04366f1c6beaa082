"""What is typed and clicked, in its order: a key is handed on when the one before it has done its work."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

_STUCK_S = 1.0
_ROUNDS = 3  # behind the key, the message that its action posted, such as `Submitted`, and what that one led to
Typed = events.Key | events.Paste
Pointed = events.MouseDown | events.MouseUp | events.MouseScrollDown | events.MouseScrollUp


class KeyOrder(App[None]):
    """An app that loses no key of somebody who types faster than screens and focus change.

    Textual hands a key to what has the focus when it arrives, and finds out what it means when it has bubbled up,
    queue by queue: behind the keys that came with it. A slow line brings several at once, and of `/tag` the three
    letters reached the list while `/` had not yet put the cursor into the filter: they were commands.

    What a key sets off in a thread or a process is not waited for, nor anything that takes longer than a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Typed | Pointed] = deque()
        self._at_work: Typed | None = None
        self._patience: asyncio.TimerHandle | None = None

    async def on_event(self, event: events.Event) -> None:
        """Let what is typed and clicked wait while something typed before it is at work."""
        if not isinstance(event, Typed | Pointed) or event.is_forwarded:
            await super().on_event(event)
        elif self._at_work is not None:
            self._waiting.append(event)
        else:
            await self._hand_on(event)

    async def _hand_on(self, event: Typed | Pointed) -> None:
        if not isinstance(event, Typed) or self._is_text(event):
            await super().on_event(event)
            return
        self._at_work = event
        top, first = self._top, self.focused or self._top
        self._be_patient(event, top)
        await super().on_event(event)
        self._follow(event, top, first, first, _ROUNDS)

    def _is_text(self, event: Typed) -> bool:
        """Whether it only becomes a letter in a field: the next one may follow it there at once."""
        field = self.focused
        return isinstance(event, events.Key) and bool(
            field and field.check_consume_key(event.key, event.character)
        )

    def _follow(
        self, event: Typed, top: Screen[Any] | None, first: DOMNode | None, node: DOMNode | None, rounds: int
    ) -> None:
        """Go up behind it, through the queue of everything that it bubbles through."""
        while node is not None and node is not self:
            if node.call_later(self._follow, event, top, first, node.parent, rounds):
                return
            node = node.parent
        if rounds > 1:
            self.call_later(self._follow, event, top, first, first, rounds - 1)
        else:
            self.call_later(self._done, event, top)

    async def _done(self, event: Typed, top: Screen[Any] | None) -> None:
        """Hand the next ones on; when a screen came up, after that has put the focus where it belongs."""
        if event is not self._at_work:
            return
        above = self._top if top is not None else None
        if above is not None and above is not top and above.call_later(self.call_later, self._done, event, above):
            return
        self._at_work = None
        if self._patience is not None:
            self._patience.cancel()
        while self._waiting and self._at_work is None:
            await self._hand_on(self._waiting.popleft())

    def _be_patient(self, event: Typed, top: Screen[Any] | None) -> None:
        """Do not wait for ever for what keeps it: first for no part any more, then for no screen either."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = asyncio.get_running_loop().call_later(_STUCK_S, self._overdue, event, top)

    def _overdue(self, event: Typed, top: Screen[Any] | None) -> None:
        if event is self._at_work and self.call_later(self._done, event, top):
            self._be_patient(event, None)

    @property
    def _top(self) -> Screen[Any] | None:
        """None in an app that ends."""
        return self.screen_stack[-1] if self.screen_stack else None
