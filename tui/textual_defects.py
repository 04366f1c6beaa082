"""Guards against defects of Textual 8.2: keys that are faster than the screens, and work that nobody sees."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, cast

from textual.app import App
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import Screen
from textual.style import Style as ContentStyle
from textual.worker import WorkerFailed, active_worker

_LEAST_WIDTH = 8  # cells: more than the padding of a line


def is_of_something_taken_away(app: App[Any], error: Exception, node: object) -> bool:
    """Whether a part was not found because what it belonged to has been closed meanwhile, which is no defect.

    A dialog, or the palette, that a key closes before it is composed still gets the messages that were sent to it.
    node: whose message failed; of a worker it is the one that started it.
    """
    cause: BaseException = error
    if isinstance(error, WorkerFailed):
        cause, node = error.error, active_worker.get().node
    if not isinstance(cause, NoMatches):
        return False
    if app._exit:
        return True  # screens are taken apart from the inside, message by message
    if not isinstance(node, DOMNode):
        return False
    if not node.is_attached:
        return True
    screen = next((one for one in (node, *node.ancestors) if isinstance(one, Screen)), None)
    return screen is not None and screen not in app.screen_stack and not app.is_screen_installed(screen)


def guard_textual() -> None:
    """Set the guards; a second app of the same process finds them set."""
    _guard_option_lists()
    _guard_pictures()
    _guard_selections()
    _guard_colours()


def _guard_option_lists() -> None:
    """Let page up and page down do nothing in a list without a line, instead of ending the program.

    Nor does a list end it for which a window of one cell leaves no width. And where a look reverses the line under
    the cursor, a list does too.
    """
    from textual.widgets import OptionList

    lists = cast(Any, OptionList)
    move_page, content_height, style_of = lists._move_page, lists.get_content_height, lists.get_visual_style
    if getattr(move_page, "is_guarded", False):
        return

    def guarded(self: Any, direction: int) -> None:
        if (self.highlighted or 0) in self._index_to_line and self._lines:
            move_page(self, direction)

    def guarded_height(self: Any, container: Any, viewport: Any, width: int) -> int:
        return cast(int, content_height(self, container, viewport, max(width, _LEAST_WIDTH)))

    def guarded_style(self: Any, *names: str, partial: bool = False) -> Any:
        style = style_of(self, *names, partial=partial)
        is_reversed = any(self.get_component_styles(name).text_style.reverse for name in names)
        return style + ContentStyle(reverse=True) if is_reversed else style

    cast(Any, guarded).is_guarded = True
    lists._move_page = guarded
    lists.get_content_height = guarded_height
    lists.get_visual_style = guarded_style


def _guard_pictures() -> None:
    """Draw no picture of a screen while the app shows none, and draw it afterwards.

    At the start Textual draws the whole first screen to throw it away: a tenth of the time until it is seen.
    """
    screens = cast(Any, Screen)
    draw = screens._compositor_refresh
    if getattr(draw, "is_guarded", False):
        return

    def guarded(self: Any) -> None:
        if self.app._batch_count:
            self._repaint_required = True
        else:
            draw(self)

    cast(Any, guarded).is_guarded = True
    screens._compositor_refresh = guarded


def _guard_selections() -> None:
    """Let a press of the mouse on something that has just been taken away, a toast or a row, select nothing.

    Until the next picture Textual still finds it below the pointer, and then looks for the place of its parent,
    which ends the program. Nor is what went away in the middle of a selection looked through; Textual means not
    to, and asks a method for its truth instead of calling it.
    """
    screens = cast(Any, Screen)
    find, select = screens.get_widget_and_offset_at, screens._watch__select_state
    if getattr(find, "is_guarded", False):
        return

    def guarded(self: Any, x: int, y: int) -> tuple[Any, Any]:
        widget, offset = find(self, x, y)
        return (None, None) if widget is not None and widget.parent is None else (widget, offset)

    def guarded_select(self: Any, state: Any) -> None:
        ends = () if state is None or state.end is None else (state.start, state.end)
        if any(
            part is not None and part.parent is None
            for end in ends
            for part in (end.container, end.content_widget)
        ):
            self._select_state = None
        else:
            select(self, state)

    cast(Any, guarded).is_guarded = True
    screens.get_widget_and_offset_at = guarded
    screens._watch__select_state = guarded_select


def _guard_colours() -> None:
    """Keep no picture of what was taken away: a cache of colours holds the last thousand parts that asked it.

    It was meant for the class, and is for each object: every help that was opened left its lines there, 1.4 MB.
    """
    from textual._styles_cache import StylesCache

    of_object = vars(StylesCache)["get_inner_outer"]
    if not isinstance(of_object, staticmethod):
        of_colours = lru_cache(1024)(partial(of_object.__wrapped__, StylesCache))
        cast(Any, StylesCache).get_inner_outer = staticmethod(of_colours)


def missed_size(app: App[Any]) -> Size | None:
    """The terminal's size where the app believes in another one; None where it is right, or has no terminal.

    Of two signals for new sizes the second can come while the first is looked at, and is then told of before it.
    """
    ask = getattr(app._driver, "_get_terminal_size", None)
    size = Size(*ask()) if ask is not None and not app.is_headless else app.size
    return size if size != app.size else None
