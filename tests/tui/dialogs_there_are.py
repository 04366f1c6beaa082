"""Every dialog of the dashboard, filled with more than fits on a small terminal."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from textual.screen import ModalScreen

import tui.screens
from presets.catalog import all_presets, find_preset
from presets.config import diff, with_values
from presets.estimate import Machine
from presets.schema import RunConfig
from runs.fork import CheckpointFact
from tests.tui.stages import Stage
from tui.app import TinyTrainApp
from tui.chart_arrangement import Arrangement
from tui.playground_state import Sampling, Tried
from tui.screens.arrange_charts import ArrangeCharts
from tui.screens.changes_dialog import ChangesDialog
from tui.screens.choose_runs import ChooseRunsDialog
from tui.screens.columns_dialog import ColumnsDialog
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog, TextDialog, TypedConfirmDialog
from tui.screens.edit_run import EditRunDialog
from tui.screens.entry_dialog import Entry, EntryDialog
from tui.screens.fork_dialog import ForkDialog
from tui.screens.help import HelpScreen
from tui.screens.pick_checkpoint import PickCheckpoint
from tui.screens.pick_dialog import Choice, PickDialog
from tui.screens.pick_tried import PickTried
from tui.screens.probes_dialog import ProbesDialog
from tui.screens.recent_configs import RecentDialog
from tui.screens.sampling_dialog import SamplingDialog
from tui.screens.save_preset import SavePresetDialog
from tui.screens.settings_dialog import SettingsDialog
from tui.screens.sweep_dialog import SweepDialog
from tui.screens.sweep_results import SweepResults
from tui.screens.trash_dialog import TrashDialog
from tui.screens.value_dialog import ValueDialog
from tui.widgets.form_model import FormModel

Make = Callable[[TinyTrainApp, Stage], ModalScreen[Any]]

LONG = "When you log out, systemd ends every process of this login, also the run. " * 6
PATHS = ("data.source", "data.dataset", "model.hidden_size", "optim.lr", "train.batch_size")
CHOICES = tuple(Choice(f"field-{number}", f"val loss {number}", "what it means") for number in range(30))
CHANGES = diff(RunConfig(), find_preset("v1-imdb-small").config) * 3
CONFIG = with_values(RunConfig(), {"train.max_steps": 400})
FACTS = tuple(
    CheckpointFact(f"step-{step:08}", step, 5.4, 10**7, step == 400, step == 200) for step in (400, 300, 200)
)
WAYS = (
    ("queue", "Queue it: it starts by itself when they are free"),
    ("now", "Start now anyway"),
    ("no", "Cancel"),
)
MANY_WAYS = tuple((f"sweep-{number}", f"lr-{number}: 3 of 9 done, best 5.4123") for number in range(12))
TRIED = tuple(Tried("the [MASK] sent a message …", when=1.0, result="president") for _ in range(20))


def _sweep_of_nothing(_app: TinyTrainApp, stage: Stage) -> ModalScreen[Any]:
    stage.run("small-lr", sweep="lr-sweep")
    return SweepResults(stage.runs, "lr-sweep")


def _save(_app: TinyTrainApp, _stage: Stage) -> ModalScreen[Any]:
    return SavePresetDialog(FormModel(find_preset("quickstart")), "mine", "for small machines")


DIALOGS: dict[str, Make] = {
    "confirm": lambda app, stage: ConfirmDialog("A logout would end this run", LONG, "Launch anyway", danger=True),
    "confirm stop": lambda app, stage: ConfirmDialog("Stop warm-otter?", LONG, "Save and stop"),
    "typed": lambda app, stage: TypedConfirmDialog("Kill warm-otter?", LONG, "warm-otter"),
    "text": lambda app, stage: TextDialog("Neighbours of a word", LONG, "union"),
    "ways": lambda app, stage: ChoiceDialog("The devices are not free", LONG, WAYS),
    "many ways": lambda app, stage: ChoiceDialog("Which sweep?", "The newest of 40.", MANY_WAYS),
    "trust": lambda app, stage: ChangesDialog("the preset of-somebody-else", CHANGES),
    "import": lambda app, stage: ChangesDialog("the preset wide", CHANGES, replaces=True, confirm="Import it"),
    "sweep": lambda app, stage: SweepDialog("quickstart", RunConfig(), Machine(2), "optim.lr"),
    "sweep results": _sweep_of_nothing,
    "recent": lambda app, stage: RecentDialog(stage.runs, all_presets()),
    "edit": lambda app, stage: EditRunDialog(stage.run("warm-otter", tags=("keep",), note="the first").about()),
    "checkpoint": lambda app, stage: PickCheckpoint("Which checkpoint?", stage.runs, None, may_be_none=True),
    "tried": lambda app, stage: PickTried(TRIED),
    "nothing tried": lambda app, stage: PickTried(()),
    "sampling": lambda app, stage: SamplingDialog(Sampling()),
    "entry": lambda app, stage: EntryDialog(
        "Export", [Entry("to", "file", "a.toml")], "enter writes", lambda *_: 1
    ),
    "save": _save,
    "fork": lambda app, stage: ForkDialog("warm-otter", FACTS, CONFIG),
    "pick": lambda app, stage: PickDialog("Order by", CHOICES, "field-7"),
    "trash": lambda app, stage: TrashDialog("Deleted runs", CHOICES),
    "columns": lambda app, stage: ColumnsDialog(CHOICES, ("field-3",)),
    "value": lambda app, stage: ValueDialog("Learning rate", "now 0.001", "0.0005", lambda text: f"to {text}"),
    "probes": lambda app, stage: ProbesDialog(RunConfig().probes.texts, RunConfig()),
    "charts": lambda app, stage: ArrangeCharts(Arrangement(), ("loss", "lr", "grad_norm", "memory_bytes")),
    "choose runs": lambda app, stage: ChooseRunsDialog(stage.runs, ()),
    "help": lambda app, stage: HelpScreen(app.screen),
    "settings": lambda app, stage: SettingsDialog(app.settings),
}


def kinds_there_are() -> set[type[ModalScreen[Any]]]:
    """Every kind of dialog that a module of tui.screens has."""
    found: set[type[ModalScreen[Any]]] = set()
    for module in pkgutil.iter_modules(tui.screens.__path__):
        names = vars(importlib.import_module(f"tui.screens.{module.name}")).values()
        found |= {one for one in names if isinstance(one, type) and issubclass(one, ModalScreen)}
    return {kind for kind in found if kind.__module__.startswith("tui.")}
