"""The plan's warnings: what does not stand against launching, and will go wrong on this machine."""

from __future__ import annotations

import pytest

from presets import catalog
from tui.plan import make_plan, this_machine
from tui.widgets.form_model import FormModel


@pytest.mark.parametrize(("num_gpus", "is_warned"), [(0, True), (1, False), (None, False)])
def test_an_optimizer_that_needs_a_gpu_is_warned_of_where_there_is_none(
    num_gpus: int | None, is_warned: bool
) -> None:
    model = FormModel(catalog.find_preset("quickstart"))
    model.set_text("optim.algorithm", "adamw8bit")
    plan = make_plan(model, this_machine(num_gpus), None)
    assert any("adamw8bit needs a GPU" in warning for warning in plan.warnings) is is_warned
