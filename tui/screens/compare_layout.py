"""How the panes of Compare stand: beside one another where there is room, else one under the names of all."""

from __future__ import annotations

from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from runs.folder import RunFolder
from tui.charts.pane import ChartPane
from tui.safe_text import FAINT
from tui.screens.fed_screen import FedScreen
from tui.widgets.compare_panes import PaneNames, ProbesSideBySide, SettingsSideBySide
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import FilterInput
from tui.widgets.side_by_side import SideBySide

PANES = {"curves": "Curves", "runs": "Runs", "figures": "Figures", "settings": "Settings", "probes": "Probes"}
TABLES = ("figures", "settings", "probes")
_NOTHING = "Nothing to compare yet. Press c to choose runs, or mark some in Runs (3) with space and press c there."


class CompareLayout(FedScreen):
    """Knows which pane is in front and which are shown. folders: the runs, by their letters."""

    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = ""  # else the filter has it before it is hidden

    def __init__(self) -> None:
        super().__init__()
        self.folders: tuple[RunFolder, ...] = ()
        self._zoomed = False
        self._pane = "curves"
        self._awaited = ""  # the pane whose focus is on its way: a focus of another that comes first is older
        self._table = "figures"
        self._step: int | None = None
        self._tabs: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield PaneNames(PANES, id="tabs")
        yield Static(id="notes")
        yield FilterInput(placeholder="words of a setting's name", id="filter")
        yield Static(_NOTHING, id="none")
        with Container(id="body"):
            with Container(id="top"):
                yield ChartPane("compare", "Curves", id="curves")
                yield SideBySide("Runs", id="runs", narrowest=12)
            with Container(id="tables"):
                yield SideBySide("Figures", id="figures")
                yield SettingsSideBySide("Settings", id="settings", widest=14)
                yield ProbesSideBySide("Probes", id="probes", align_right=False)
        yield Static(id="said")
        yield KeyFooter()

    @property
    def _is_whole(self) -> bool:
        """All parts are there: an app that ends takes its screens apart message by message."""
        return self.is_attached and all(
            self.query(f"#{part}") for part in (*PANES, "tabs", "notes", "none", "body", "top", "tables", "said")
        )

    @property
    def num_differing(self) -> int:
        """Settings in which the runs are not all alike."""
        raise NotImplementedError

    def _arranged(self) -> None:
        """The panes have other sizes."""
        raise NotImplementedError

    @property
    def _is_single(self) -> bool:
        """There is room for one pane alone, or that is wanted."""
        return self._zoomed or self.has_class("-narrow") or self.has_class("-tiny") or self.has_class("-short")

    def _arrange(self) -> None:
        """All panes beside one another, or the one in front under the names of all."""
        is_single = self._is_single
        self.set_class(is_single, "-single")
        shown = {self._pane} if is_single else {"curves", "runs", *self._tables_shown()}
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(name not in shown, "-away")
            pane.set_class(is_single and name == self._pane, "-alone")
        self.query_one("#top").set_class(not shown & {"curves", "runs"}, "-away")
        self.query_one("#tables").set_class(not shown & set(TABLES), "-away")
        self._show_tabs()
        self._arranged()
        if self.folders and (self.focused is None or self.focused.id != "filter"):
            self._awaited = self._pane
            self.call_after_refresh(self._focus_pane)

    def _tables_shown(self) -> tuple[str, ...]:
        """The table that had the focus last; where there is room for two, the figures beside it."""
        if self._pane in TABLES:
            self._table = self._pane
        if not self.has_class("-wide"):
            return (self._table,)
        return ("figures", self._table if self._table != "figures" else "settings")

    def _show_tabs(self) -> None:
        """The names of all panes above the one that is alone; those of the tables in the title of each."""
        key = (
            self._pane, self.num_differing, self._step, self.has_class("-wide"), self._is_single, self.size.width
        )  # fmt: skip
        if key == self._tabs:
            return
        self._tabs = key
        parts: list[Any] = []
        for name, title in PANES.items():
            parts += [(f" {title} ", "reverse" if name == self._pane else FAINT), " "]
        names = Content.assemble(*parts)
        if names.cell_length > (self.size.width or names.cell_length):  # too narrow for the names of all
            at = f"  {list(PANES).index(self._pane) + 1} of {len(PANES)} · tab"
            names = Content.assemble((f" {PANES[self._pane]} ", "reverse"), (at, FAINT))
        self.query_one("#tabs", Static).update(names, layout=False)
        differing = self.num_differing
        at = "" if self._step is None else f" at step {self._step:,}"
        titles = {
            "figures": "Figures",
            "settings": f"Settings, {differing} differ" if differing else "Settings",
            "probes": f"Probes{at}",
        }
        for name in TABLES:
            beside = {name} if name == "figures" else {"settings", "probes"}  # where there is room for two
            shown = titles.keys() & beside if self.has_class("-wide") else titles.keys()
            marked = [(titles[one], "bold" if one == name else FAINT) for one in titles if one in shown]
            words = Content(" · ").join(Content.styled(title, style) for title, style in marked)
            if self._is_single:
                words = Content(titles[name])
            self.query_one(f"#{name}").border_title = words

    def _focus_pane(self) -> None:
        field = self.query_one("#filter") if self._is_whole and self._awaited else None
        if field is None or (field.display and field.has_focus):
            self._awaited = ""
            return
        pane = self.query_one(f"#{self._awaited}")
        had_it = pane.has_focus
        self.set_focus(pane)
        if had_it or self.focused is not pane:  # then no message of it comes
            self._awaited = ""

    def on_resize(self, event: events.Resize) -> None:
        """A small terminal shows one pane at a time."""
        if self._is_whole:
            self.call_after_refresh(self._arrange_again)

    def _arrange_again(self) -> None:
        if self._is_whole:
            self._arrange()

    @on(PaneNames.Chosen)
    def _name_clicked(self, message: PaneNames.Chosen) -> None:
        self.to_pane(message.name)

    def to_pane(self, name: str) -> None:
        """Put that pane in front, with the focus."""
        self._pane = name
        self._arrange()

    def _tell(self) -> None:
        """Another row is under the cursor."""
        raise NotImplementedError

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane with the focus is the one that a zoom enlarges."""
        name = event.widget.id or ""
        if name in PANES and self._awaited in ("", name):
            self._awaited, self._pane = "", name
            self._show_tabs()
            self._tell()
