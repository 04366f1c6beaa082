"""The form that is generated from the schema: search, foldable groups, and help for the field one is in."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from presets.fields import FieldSpec, format_value
from presets.rules import Problem
from presets.schema import FIELD_BY_PATH, FIELDS, SECTION_LABELS
from tui.messages import DraftChanged, FieldEdited, FieldFocused, FieldReset
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.field_group import FieldGroup, GroupTitle
from tui.widgets.field_row import FieldRow
from tui.widgets.fitted_text import FittedText
from tui.widgets.form_model import NAME, FormModel
from tui.widgets.line_input import LineInput

_ORDER = ("model", "optim", "train", "data", "objective", "curriculum", "probes", "launch")
_OPEN_AT_FIRST = {"model", "optim", "train"}
_ROWS_DELAY_S = 0.1


class ConfigForm(Vertical):
    """Edits a draft: `load(model)` shows one, `model.to_config()` is what was typed.

    Posts DraftChanged after every edit; `show_problems` puts each problem under the fields it blames.
    """

    DEFAULT_CSS = """
    ConfigForm > #top { height: 1; margin-bottom: 1; }
    ConfigForm #search { width: 1fr; background: $surface; }
    ConfigForm #counts { width: auto; color: $text-muted; padding-left: 1; }
    ConfigForm > #fields { height: 1fr; scrollbar-size-vertical: 1; }
    ConfigForm > #help { height: auto; max-height: 3; color: $text-muted; padding-top: 0; }
    ConfigForm #nothing { display: none; color: $text-muted; padding: 1 2; }
    """
    KEYS_SCOPE = "form"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next field", id="next_field", show=False),
        Binding("up", "app.focus_previous", "Field before", id="previous_field", show=False),
    ]

    def __init__(self, model: FormModel, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.model = model
        self.shows_advanced = False
        self._search = ""
        self._focused_path = ""
        self._groups = {
            section: FieldGroup(
                SECTION_LABELS[section],
                tuple(spec for spec in FIELDS if spec.section == section),
                model,
                folded=section not in _OPEN_AT_FIRST,
            )
            for section in _ORDER
        }
        self._name_row = FieldRow(NAME, model)
        # held, not asked for: an app that ends takes the form apart while its last messages are handled
        self._counts = Static(id="counts")
        self._nothing = Static("No field is called that. esc shows all again.", id="nothing")
        self._help = FittedText(id="help")

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield LineInput(placeholder="/ search fields", id="search")
            yield self._counts
        with VerticalScroll(id="fields", can_focus=False):
            yield self._name_row
            yield from self._groups.values()
            yield self._nothing
        yield self._help

    def on_mount(self) -> None:
        self._arrange()
        self._show_help()
        self.call_after_refresh(self.set_timer, _ROWS_DELAY_S, self.mount_rows)

    async def mount_rows(self) -> None:
        """Rows are most of what the screen costs, so it is painted once before they come.

        By a timer: `call_after_refresh` comes before Textual has written anything to the terminal. Those that are
        not there when somebody goes on to another screen do not hold that one up: they come with the next call.
        """
        for group in self._groups.values():
            if self.screen not in self.app.screen_stack:  # nor can a field be made in an app that ends
                return
            if not group.folded:
                await group.open()
        self._arrange()

    def load(self, model: FormModel) -> None:
        """Show another draft."""
        self.model = model
        self._name_row.load(model)
        for group in self._groups.values():
            group.load(model)
        self._arrange()
        self._show_help()
        self.post_message(DraftChanged())

    def show_problems(self, problems: tuple[Problem, ...]) -> None:
        """Put each problem under the fields it blames."""
        by_path: dict[str, str] = {}
        for problem in problems:
            for path in problem.paths:
                by_path.setdefault(path, problem.message)
        for group in self._groups.values():
            group.show_problems(by_path)
        self._arrange()

    async def go_to(self, path: str) -> None:
        """Bring a field onto the screen and put the cursor into it."""
        if path not in FIELD_BY_PATH:
            return
        self.query_one("#search", Input).value = ""
        self._search = ""
        group = self._groups[FIELD_BY_PATH[path].section]
        await group.open()
        if FIELD_BY_PATH[path].advanced:
            self.shows_advanced = True
        self._arrange()
        row = group.row(path)
        if row is not None:
            row.control.focus()

    @property
    def focused_path(self) -> str:
        """The field one was in last, or nothing."""
        return self._focused_path

    def focus_search(self) -> None:
        """Put the cursor into the search line."""
        self.query_one("#search", Input).focus()

    def clear_search(self) -> bool:
        """Show all fields again; False when nothing was searched."""
        entry = self.query_one("#search", Input)
        searched = bool(entry.value)
        entry.value = ""
        return searched

    def toggle_advanced(self) -> None:
        """Show or hide what few people need to change."""
        self.shows_advanced = not self.shows_advanced
        self._arrange()

    def reset_focused(self) -> None:
        """Give the field one is in the preset's value."""
        if self._focused_path:
            self._reset(self._focused_path)

    def reset_all(self) -> None:
        """Give every field the preset's value."""
        self.model.reset_all()
        self.load(self.model)

    def _row(self, path: str) -> FieldRow | None:
        if path == NAME.path:
            return self._name_row
        return self._groups[FIELD_BY_PATH[path].section].row(path)

    def _reset(self, path: str) -> None:
        self.model.reset(path)
        row = self._row(path)
        if row is not None:
            row.load(self.model)
        self._after_edit()

    def _after_edit(self) -> None:
        self._arrange()
        self._show_help()
        self.post_message(DraftChanged())

    @on(FieldEdited)
    def _edited(self, event: FieldEdited) -> None:
        event.stop()
        row = self._row(event.path)
        if row is not None:
            if row.text != event.text:
                return  # another draft came since, or more was typed
            row.refresh()
        self.model.set_text(event.path, event.text)
        self._after_edit()

    @on(FieldReset)
    def _field_reset(self, event: FieldReset) -> None:
        event.stop()
        self._reset(event.path)

    @on(FieldFocused)
    def _field_focused(self, event: FieldFocused) -> None:
        event.stop()
        self._focused_path = event.path
        self._show_help()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "search":
            await self._search_for(event.value)  # keys may come faster than what they change
            shown = [row for row in self.query(FieldRow) if row.display and row.spec is not NAME]
            if shown:
                min(shown, key=lambda row: _distance(row.spec, self._search)).control.focus()
        else:
            self.screen.focus_next()

    @on(Input.Changed, "#search")
    async def _searched(self, event: Input.Changed) -> None:
        event.stop()
        await self._search_for(event.value)

    async def _search_for(self, text: str) -> None:
        self._search = text.strip().lower()
        if self._search:
            folded = [group for group in self._groups.values() if group.folded]
            for group in (g for g in folded if any(_matches(spec, self._search) for spec in g.specs)):
                await group.open()  # mounts what was never shown
                group.folded = True
        self._arrange()

    @on(GroupTitle.Toggled)
    async def _toggled(self, event: GroupTitle.Toggled) -> None:
        event.stop()
        group = next(group for group in self._groups.values() if event.title in group.children)
        if event.folded:
            group.folded = True
        else:
            await group.open()
        self._arrange()

    def _arrange(self) -> None:
        matching = {spec.path for spec in FIELDS if _matches(spec, self._search)} if self._search else None
        num_shown = sum(group.show_rows(matching, self.shows_advanced) for group in self._groups.values())
        self._name_row.display = matching is None
        self._nothing.display = matching is not None and not num_shown
        num_changed = len(self.model.changed())
        counts = f"{num_changed} changed" if num_changed else "as the preset"
        self._counts.update(Content(counts))

    def _show_help(self) -> None:
        path = self._focused_path
        spec = NAME if path == NAME.path else FIELD_BY_PATH.get(path)
        text = _help(spec, self.model) if spec else Content("Go to a field to read what it does.")
        self._help.fit(text)


def _matches(spec: FieldSpec, search: str) -> bool:
    words = f"{spec.label} {spec.path} {spec.help} {SECTION_LABELS[spec.section]}".lower()
    return all(word in words for word in search.split())


def _distance(spec: FieldSpec, search: str) -> int:
    """How far what was typed is from the field's own name: its label, a part of it, its path, its help."""
    if spec.label.startswith(search):
        return 0 if spec.label == search else 1
    return 2 if search in spec.label else 3 if search in spec.path else 4


def _help(spec: FieldSpec, model: FormModel) -> Content:
    """What the field is, what may stand in it, and where its value comes from."""
    parts = [spec.help]
    if spec.bounds():
        parts.append(f"{spec.bounds()}{' ' + spec.unit if spec.unit else ''}.")
    if spec.zero:
        parts.append(f"0: {spec.zero}.")
    if spec.usual:
        parts.append(f"{spec.usual[0].upper()}{spec.usual[1:]}.")
    if model.is_changed(spec.path) and spec.kind != "texts":
        parts.append(f"{model.preset.name} has {format_value(model.preset_value(spec.path)) or 'nothing'}.")
    if spec.path in model.preset.published:
        published = format_value(model.preset.published[spec.path])
        parts.append(f"{published} was published ({model.preset.source}).")
    name = "" if spec is NAME else f" {spec.path}"
    return Content.assemble(
        Content.styled(safe_text(spec.label), "bold $foreground"), plain(name, 60, FAINT), "  ",
        safe_text(" ".join(parts), 400),
    )  # fmt: skip
