"""A training run is changed from Monitor: small dialogs, requests on disk, answers as notifications and marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.checkpoints import TrainState
from engine.live_control import Change, apply
from engine.optim import learning_rate
from presets.config import with_values
from presets.schema import RunConfig
from runs import control
from runs.control import Request
from runs.events import ControlAnswered
from runs.folder import RunFolder
from runs.status import read_status
from tests.run_writer import AttemptWriter, Supervision
from tests.tui.pilots import shown_text as text_of
from tests.tui.test_monitor import live_run, opened, until
from tui.app import TinyTrainApp
from tui.live_requests import rate_meaning, steps_meaning, warmup_left
from tui.screens.dialogs import ConfirmDialog
from tui.screens.monitor import MonitorScreen
from tui.screens.value_dialog import ValueDialog


def begun(runs: Path) -> tuple[RunFolder, Supervision, AttemptWriter]:
    folder, supervision, writer = live_run(runs)
    writer.start()
    writer.run_to(400)
    return folder, supervision, writer


def answer(
    writer: AttemptWriter, request: Request, message: str, *, accepted: bool = True, total: int = 1200
) -> None:
    """As the engine does it: first the event, then the request leaves the inbox."""
    writer.say(
        ControlAnswered(
            step=writer.step, request=request.id, verb=request.verb, accepted=accepted, message=message,
            value=request.value, total_steps=total,
        )
    )  # fmt: skip
    control.answer(writer.folder, request)


def only_request(folder: RunFolder) -> Request | None:
    found = control.pending(folder)
    return found[0] if found else None


async def test_the_learning_rate_is_typed_judged_asked_for_and_answered(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(app, folder)
        await pilot.press("plus")
        await until(
            lambda: isinstance(app.screen, ValueDialog) and "×2 (about" in text_of(app), "what it would do"
        )
        await pilot.press(*"fast", "enter")
        await until(lambda: "✗ learning rate: 'fast' is neither a rate" in text_of(app), "what is wrong")
        assert isinstance(app.screen, ValueDialog) and control.pending(folder) == ()
        await pilot.press("ctrl+u", *"x.5", "enter")
        await until(lambda: "answers at its next step" in text_of(app), "that it was asked")
        request = only_request(folder)
        assert request is not None and (request.verb, request.value) == ("lr", "x0.5")
        answer(writer, request, "learning rate 0.0007 from step 401 on, before 0.0014")
        writer.run_to(450)
        await until(lambda: text_of(app).count("learning rate 0.0007 from step 401") >= 1, "the answer")
        await until(lambda: "▼ lr ×0.5" in text_of(app) and "▼ asked" in text_of(app), "the mark and its legend")
    writer.close()
    supervision.close()


async def test_a_refusal_is_shown_as_one_and_leaves_no_mark(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(app, folder)
        await pilot.press("b")
        await until(lambda: only_request(folder), "the request")
        request = only_request(folder)
        assert request is not None and request.verb == "probe"
        answer(writer, request, "the run has no probes", accepted=False)
        await until(lambda: "probe was refused: the run has no probes" in text_of(app), "the refusal")
        # the list of events may show it just before the notification comes
        await until(
            lambda: [n.severity for n in app._notifications if "was refused" in n.message] == ["error"], "an error"
        )
        assert screen.snapshot is not None and screen.snapshot.controls == ()
        assert "▼" not in text_of(app)
    writer.close()
    supervision.close()


@pytest.mark.parametrize(("key", "verb"), [("v", "evaluate"), ("k", "checkpoint"), ("b", "probe")])
async def test_one_key_asks_for_it_at_the_next_step(tmp_path: Path, key: str, verb: str) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, folder)
        await pilot.press(key)
        await until(lambda: [r.verb for r in control.pending(folder)] == [verb], "the request")
    writer.close()
    supervision.close()


async def test_more_steps_change_the_length_everywhere(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        await until(lambda: "400/1,200" in text_of(app), "the length")
        await pilot.press("s")
        await until(lambda: "it ends at step 2,200, 1,800 from now" in text_of(app), "what it would do")
        await pilot.press("enter")
        await until(lambda: only_request(folder), "the request")
        request = only_request(folder)
        assert request is not None and (request.verb, request.value) == ("steps", "+1000")
        answer(writer, request, "the run ends at step 2,200, before 1,200", total=2200)
        await until(lambda: "400/2,200" in text_of(app), "the new length")
        await until(lambda: "▼ +1000 steps" in text_of(app), "the mark")
    writer.close()
    supervision.close()


async def test_so_few_steps_that_the_run_ends_are_asked_twice(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        for last in ("enter", "y"):  # enter alone is Cancel, since the question is a dangerous one
            await pilot.press("s")
            await until(lambda: isinstance(app.screen, ValueDialog), "the dialog")
            await pilot.press(*"300")
            await until(lambda: "would end at once" in text_of(app), "a warning")
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
            assert control.pending(folder) == ()
            await pilot.press(last)
        await until(lambda: [r.value for r in control.pending(folder)] == ["300"], "the request")
    writer.close()
    supervision.close()


async def test_p_pauses_what_is_live_and_goes_on_with_what_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, supervision, writer = begun(tmp_path)
    started: list[tuple[RunFolder, str]] = []
    monkeypatch.setattr("runs.launch.start", lambda run, resume="": started.append((run, resume)))
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        assert screen.check_action("pause", ()) and not screen.check_action("resume", ())
        await until(lambda: "p Pause" in text_of(app) and "q Quit" in text_of(app), "a footer that fits")
        await pilot.press("p")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("y")
        await until(lambda: [r.verb for r in control.pending(folder)] == ["pause"], "the request")
        supervision.state("pausing", message="asked to save and end")
        await until(lambda: "‖ pausing" in text_of(app) and "‖ Pausing" in text_of(app), "that it is pausing")
        for action in ("pause", "rate", "steps", "ask"):
            assert not screen.check_action(action, ())
        answer(writer, control.pending(folder)[0], "paused at step 400, with a checkpoint")
        (folder.checkpoints_dir / "last").write_text("step-00000400\n")
        writer.end("paused", "paused on request")
        supervision.close()
        await until(
            lambda: read_status(folder).state == "paused" and "‖ Paused" in text_of(app), "that it is paused"
        )
        await until(lambda: "r Resume" in text_of(app), "the way on")
        await pilot.press("p")
        await until(lambda: started == [(folder, "last")], "the resume")


async def test_a_run_that_ends_before_it_answers_is_said(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(app, folder)
        await pilot.press("k")
        await until(lambda: only_request(folder), "the request")
        writer.fail("RuntimeError", "gone", 0, "")
        supervision.close()
        await until(lambda: "the run ended before it answered: checkpoint" in text_of(app), "that nobody answers")


async def test_the_help_claims_no_letters_that_mean_something_else_here(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 110)) as pilot:
        await opened(app, folder)
        await pilot.press("question_mark")
        await until(lambda: "everywhere" in text_of(app), "the help of Monitor")
        assert "Save a checkpoint at the next step." in text_of(app)
        assert "j k h l" not in text_of(app) and "↑ ↓ ← →" in text_of(app)
        await pilot.press("escape", "3", "question_mark")
        await until(lambda: "j k h l do the same" in text_of(app), "the help of the list of runs")
    writer.close()
    supervision.close()


async def test_every_request_is_in_the_palette_and_the_help(tmp_path: Path) -> None:
    tooltips = " ".join(command.tooltip for command in MonitorScreen.SCREEN_COMMANDS)
    for words in ("learning rate", "more or fewer steps", "held-out text at the next", "checkpoint at the next"):
        assert words in tooltips
    keys = [key for command in MonitorScreen.SCREEN_COMMANDS for key in command.key.split(",")]
    assert sorted({key for key in keys if key and keys.count(key) > 1}) == ["p"], (
        "p pauses or resumes, no other is taken twice"
    )


def test_what_a_value_would_do_is_said_before_it_is_asked() -> None:
    assert rate_meaning(1e-3, "3e-4").startswith("0.0003 (×0.3) from the next step on")
    assert rate_meaning(1e-3, "x2").startswith("×2 (about 0.002) from the next step on")
    assert rate_meaning(None, "x2").startswith("×2 from the next step on")
    with pytest.raises(ValueError, match="2 would be above the limit 1"):
        rate_meaning(1e-3, "x2000")
    assert "ends at step 900, 500 from now" in steps_meaning(400, 1200, "-300")
    assert "end at once" in steps_meaning(400, 1200, "400")


def test_a_length_that_is_not_known_is_neither_promised_nor_ended() -> None:
    for typed, words in (("-500", "500 steps fewer"), ("+1000", "1,000 steps more"), ("800", "800 steps in all")):
        meaning = steps_meaning(0, 0, typed)
        assert meaning.startswith(words) and "not known yet" in meaning
        assert "end" not in meaning


async def test_fewer_steps_of_a_run_that_only_starts_are_asked_for_without_a_question(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        await pilot.press("s")
        await until(lambda: "The length is not known yet." in text_of(app), "that it is not known")
        await pilot.press("ctrl+u", *"-500", "enter")
        await until(lambda: [r.value for r in control.pending(folder)] == ["-500"], "the request")
        assert not isinstance(app.screen, ConfirmDialog)
    writer.close()
    supervision.close()


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("step", [0, 3, 8, 9, 60])
@pytest.mark.parametrize("typed", ["1e-4", "x0.5"])
def test_the_peak_of_a_warm_up_is_the_one_the_engine_answers_with(step: int, share: float, typed: str) -> None:
    config = with_values(RunConfig(), {"optim.lr": 1e-2, "optim.warmup_ratio": share})
    now = learning_rate(config.optim, step - 1, 100) if step else None
    change = apply(Request("1", "lr", 0.0, typed), TrainState(step=step), config, 100)
    assert isinstance(change, Change)
    meaning = rate_meaning(now, typed, warmup_left(share, step, 100))
    if now is None and typed[0] == "x":
        assert "warm-up" not in meaning, "without a rate a factor says nothing of it"
    elif typed[0] == "x" and step == 9 and share:
        assert meaning.endswith("warm-up goes on, to about 0.005"), "the last recorded rate is not the next one"
    else:
        _, rises, peak = change.message.partition("warm-up goes on, to ")
        assert ("warm-up" in meaning) == bool(rises) and meaning.endswith(peak)


def test_a_rate_whose_warm_up_would_pass_the_limit_is_refused_before_it_is_asked() -> None:
    with pytest.raises(ValueError, match="10 would be above the limit 1 at the end of warm-up"):
        rate_meaning(None, "0.1", warmup_left(0.1, 0, 1000))
    assert "warm-up goes on from there" in rate_meaning(None, "0.1", warmup_left(0.1, 0, 0))
