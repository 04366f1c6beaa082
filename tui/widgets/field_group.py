"""A group of the form that folds; its rows are mounted when it is first opened, not when it is composed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from presets.fields import FieldSpec
from tui.widgets.field_row import FieldRow
from tui.widgets.form_model import FormModel


class GroupTitle(Widget, can_focus=True):
    """`▾ Model`, and what is changed or wrong inside."""

    DEFAULT_CSS = """
    GroupTitle { height: 1; width: 1fr; text-style: bold; color: $text-primary; }
    GroupTitle:focus { background: $primary 40%; color: $text; }
    """
    KEYS_SCOPE = "form_group"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold_or_unfold", "Fold", id="fold", show=False),
        Binding("right,l", "fold(False)", "Unfold", id="unfold", show=False),
        Binding("left,h", "fold(True)", "Fold", show=False),
    ]

    class Toggled(Message):
        """The person folded or unfolded it."""

        def __init__(self, title: GroupTitle, folded: bool) -> None:
            super().__init__()
            self.title = title
            self.folded = folded

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self._folded = True
        self._counts = (0, 0)

    def show(self, folded: bool, num_changed: int, num_wrong: int) -> None:
        """Draw only when something differs."""
        if (self._folded, self._counts) != (folded, (num_changed, num_wrong)):
            self._folded, self._counts = folded, (num_changed, num_wrong)
            self.refresh()

    def render(self) -> Content:
        """Arrow, label, counts."""
        num_changed, num_wrong = self._counts
        return Content.assemble(
            f"{'▸' if self._folded else '▾'} {self.label}",
            (f"  {num_changed} changed" if num_changed else "", "$accent not bold"),
            (f"  ✗ {num_wrong} wrong" if num_wrong else "", "$text-error not bold"),
        )

    def action_fold_or_unfold(self) -> None:
        self.post_message(self.Toggled(self, not self._folded))

    def action_fold(self, folded: bool) -> None:
        self.post_message(self.Toggled(self, folded))

    def on_click(self) -> None:
        self.action_fold_or_unfold()


class FieldGroup(Vertical):
    """The fields of one section."""

    DEFAULT_CSS = """
    FieldGroup { height: auto; width: 1fr; }
    """

    def __init__(self, label: str, specs: tuple[FieldSpec, ...], model: FormModel, folded: bool) -> None:
        super().__init__()
        self.specs = specs
        self.folded = folded
        self._model = model
        self._title = GroupTitle(label)
        self._rows: dict[str, FieldRow] = {}
        self._problems: Mapping[str, str] = {}

    def compose(self):  # type: ignore[no-untyped-def]
        yield self._title

    def _make_rows(self) -> list[FieldRow]:
        self._rows = {spec.path: FieldRow(spec, self._model) for spec in self.specs}
        return list(self._rows.values())

    def row(self, path: str) -> FieldRow | None:
        """The field's row, None while it was never shown."""
        return self._rows.get(path)

    def load(self, model: FormModel) -> None:
        """Show another draft."""
        self._model = model
        for row in self._rows.values():
            row.load(model)

    async def open(self) -> None:
        """Unfold, mounting the rows when that was never done."""
        self.folded = False
        if not self._rows:
            await self.mount_all(self._make_rows())
            self.show_problems(self._problems)

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Hand each row its problem."""
        self._problems = problems
        for path, row in self._rows.items():
            row.set_problem(problems.get(path, ""))

    def show_rows(self, matching: set[str] | None, advanced: bool) -> int:
        """Show the rows that belong on the screen now, and return how many.

        matching: paths that a search found, or None when nothing is searched.
        """
        num_shown = 0
        for path, row in self._rows.items():
            if matching is not None:
                shown = path in matching
            else:
                needed = advanced or self._model.is_changed(path) or path in self._problems
                shown = not self.folded and (needed or not row.spec.advanced)
            row.display = shown
            num_shown += shown
        paths = [spec.path for spec in self.specs]
        num_changed = sum(self._model.is_changed(path) for path in paths)
        self._title.show(self.folded and matching is None, num_changed, sum(p in self._problems for p in paths))
        self.display = matching is None or num_shown > 0
        return num_shown
