"""How the list of runs is arranged: filter, order, columns, groups; kept from one start to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import on

from runs.run_summary import RunSummary
from tui.index_feed import Place
from tui.run_columns import COMPOSED, USUAL
from tui.run_fields import all_fields, field_named
from tui.run_filter import RunFilter, parse_filter
from tui.run_listing import GROUPS, NEWEST, Listed, Listing, listed, listing_of
from tui.screens.pick_dialog import Choice, PickDialog
from tui.screens.run_screen import RunScreen
from tui.widgets.line_input import LineInput
from tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from tui.app import TinyTrainApp

_SECTION = "runs"


class ArrangedRuns(RunScreen):
    """Holds what is wanted of the list and what came of it; a screen over it shows that."""

    rows: tuple[RunSummary, ...] = ()
    metrics: frozenset[str] = frozenset()
    listing: Listing = Listing()
    result: Listed = Listed()
    _understood: RunFilter | None = None
    _places: Mapping[str, Place] = {}

    def __init__(self) -> None:
        super().__init__()
        # held, not asked for: every key of the footer asks which run the cursor is on
        self.table = RunTable(id="table")

    def show_list(self) -> None:
        """Show what `result` holds."""
        raise NotImplementedError

    def recall(self) -> None:
        """Arrange the list as it was left."""
        self.listing = listing_of(self._dashboard.remembered.get(_SECTION))
        field = self.query_one("#filter", LineInput)
        field.value = self.listing.query
        field.display = bool(self.listing.query)
        field.can_focus = False

    def refresh_list(self) -> None:
        """Filter, order and group the rows as they are now, and show them."""
        self.result = listed(self.rows, self.listing, self._places, self.metrics, self._understood)
        if self.result.error is None:
            self._understood = parse_filter(self.listing.query, self.metrics)
        self.show_list()

    def rearrange(self, listing: Listing) -> None:
        """Show the runs in another arrangement, and keep that for the next start."""
        self.listing = listing
        self._dashboard.remembered.put(_SECTION, listing.remembered())
        self.refresh_list()

    def action_sort(self) -> None:
        """Choose what to order by."""
        fields = all_fields(self.metrics)
        choices = tuple(Choice(field.key, field.key, field.help) for field in fields)
        hint = "enter orders by it, once more the other way round; esc cancels"

        def chosen(name: str | None) -> None:
            if name is not None:
                self.rearrange(self.listing.sorted_by(name))

        self.app.push_screen(PickDialog("Order by", choices, self.listing.sort, hint), chosen)

    def action_group(self) -> None:
        """Choose the headings."""
        choices = tuple(Choice(f"group-{key}", label) for key, label in GROUPS.items())

        def chosen(name: str | None) -> None:
            if name is not None:
                self.rearrange(replace(self.listing, group=name.removeprefix("group-"), folded=frozenset()))

        self.app.push_screen(PickDialog("Group by", choices, f"group-{self.listing.group}"), chosen)

    def action_columns(self) -> None:
        """Choose the columns."""
        from tui.screens.columns_dialog import ColumnsDialog

        fields = all_fields(self.metrics)
        composed = (Choice(key, key, words) for key, words in COMPOSED.items())
        choices = (*(Choice(field.key, field.key, field.help) for field in fields), *composed)

        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns is not None:
                self.rearrange(replace(self.listing, columns=() if columns == USUAL else columns))

        self.app.push_screen(ColumnsDialog(choices, self.listing.columns or USUAL), chosen)

    def action_show_archived(self) -> None:
        """List archived runs too, or no longer."""
        self.rearrange(replace(self.listing, archived=not self.listing.archived))

    @property
    def order_words(self) -> str:
        """Such as `newest first`, `by optim.lr, lowest first`."""
        field = field_named(self.listing.sort, self.metrics)
        down = self.listing.descending
        if field is None or field.key == NEWEST:
            return "newest first" if down else "oldest first"
        if field.kind == "text":
            return f"by {field.key}, z to a" if down and field.key != "state" else f"by {field.key}"
        return f"by {field.key}, {'highest' if down else 'lowest'} first"

    @on(RunTable.HeaderClicked)
    def _sort_by(self, message: RunTable.HeaderClicked) -> None:
        self.rearrange(self.listing.sorted_by(message.name))

    @on(RunTable.Folded)
    def _fold(self, message: RunTable.Folded) -> None:
        folded = self.listing.folded | {message.key} if message.fold else self.listing.folded - {message.key}
        self.rearrange(replace(self.listing, folded=folded))

    @on(LineInput.Changed, "#filter")
    def _typed(self, event: LineInput.Changed) -> None:
        if event.input.value != self.listing.query:
            self.rearrange(replace(self.listing, query=event.input.value))

    @on(LineInput.Submitted, "#filter")
    def _entered(self) -> None:
        self.table.focus()
        self.query_one("#filter").display = bool(self.listing.query)

    def action_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", LineInput)
        field.display = field.can_focus = True
        self.set_focus(field)  # at once: what is typed next belongs there

    def clear_filter(self) -> bool:
        """Show all runs again; whether there was a filter."""
        field = self.query_one("#filter", LineInput)
        if not field.display:
            return False
        field.value = ""
        field.display = False
        self.table.focus()
        self.rearrange(replace(self.listing, query=""))
        return True

    @property
    def _dashboard(self) -> TinyTrainApp:
        app: Any = self.app
        return app  # type: ignore[no-any-return]
