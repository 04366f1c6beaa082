"""What the dashboard asks before it does something unsafe, and says of runs that fail, stop, or are not ours."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from presets import config as configs
from presets.config import diff, with_values
from presets.schema import RunConfig
from runs import control, trust
from runs.events import AttemptStarted, DiskNoticed
from runs.folder import RunFolder, all_runs
from runs.ladder import Ladder
from runs.logout import LogoutRisk
from runs.status import RunStatus
from tests.run_writer import AttemptWriter, finished_run, new_run
from tests.tui.pilots import shown_text as text_of
from tests.tui.test_browse import listed
from tests.tui.test_monitor import live_run, opened, until
from tui.app import TinyTrainApp
from tui.run_actions import RunChoice, offers
from tui.screens.changes_dialog import ChangesDialog
from tui.screens.dialogs import ConfirmDialog
from tui.screens.launch import LaunchScreen
from tui.screens.monitor import MonitorScreen
from tui.widgets.banner import Banner
from tui.widgets.failure_panel import LAST_LINES, FailurePanel, last_lines
from tui.widgets.run_card import RunCard, countdown_lines, rung_of

SENTENCE = "when you log out, systemd ends every process of this login, also the run"
ADVICE = "loginctl enable-linger"


def failed_run(runs: Path, num_lines: int = 40) -> RunFolder:
    folder = new_run(runs)
    writer = AttemptWriter(folder)
    writer.start(num_processes=4)
    writer.run_to(220)
    writer.console.write("".join(f"line {number} of the log\n" for number in range(num_lines)))
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=2, hint="lower train.batch_size")
    return folder


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunFolder, str, dict[str, bool]]]:
    """What would have been started."""
    started: list[tuple[RunFolder, str, dict[str, bool]]] = []
    monkeypatch.setattr(
        "runs.launch.start", lambda folder, resume="", **options: started.append((folder, resume, options))
    )
    return started


Starts = list[tuple[RunFolder, str, dict[str, bool]]]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_failed_run_shows_cause_rank_hint_way_on_and_its_last_lines(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    folder = failed_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size):
        screen = await opened(app, folder)
        panel = screen.query_one(FailurePanel)
        await until(lambda: "rank 2: OutOfMemoryError: CUDA out of memory" in text_of(app), "the sentence")
        for words in ("✗ failed on rank 2 at step 220", "→ lower train.batch_size", "R resumes at once"):
            await until(lambda: words in text_of(app), words)  # noqa: B023
        await until(lambda: "line 39 of the log" in text_of(app), "the end of the log")
        await until(lambda: app.focused is panel, "it can be scrolled at once")
        await until(lambda: "R Relaunch" in text_of(app), "the key in the footer")
        assert screen.query_one("#loss").region.height >= 6, "the curve has room left"


async def test_the_last_lines_scroll_and_zoom(tmp_path: Path) -> None:
    folder = failed_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        panel = screen.query_one(FailurePanel)
        await until(lambda: "line 39 of the log" in text_of(app) and app.focused is panel, "the end of the log")
        assert "printed last" in text_of(app), "the heading stands still too"
        await pilot.press(*["up"] * 40)
        await until(lambda: "line 13 of the log" in text_of(app), "the first of 30")
        assert "printed last" in text_of(app) and "rank 2: OutOfMemoryError" in text_of(app), (
            "the cause stands still"
        )
        await pilot.press("z")
        await until(lambda: panel.region.height > 18, "the whole screen")
        await pilot.press("escape")
        await until(lambda: panel.region.height <= 12, "the room is given back")


def test_the_last_thirty_lines_are_shown_and_a_traceback_once() -> None:
    from runs.status import ErrorReport

    report = ErrorReport(1, "ValueError", "no", "Traceback (most recent call last):\n  x\nValueError: no", 0.0, 0)
    printed = tuple(f"line {number}" for number in range(50))
    texts = [text.strip() for text, _ in last_lines(report, printed)]
    assert [text for text in texts if text.startswith("line")] == list(printed[-LAST_LINES:])
    assert texts[-1] == "ValueError: no" and "traceback of rank 1" in texts
    texts = [text.strip() for text, _ in last_lines(report, (*printed, *report.traceback.splitlines()))]
    assert texts.count("ValueError: no") == 1 and "traceback of rank 1" not in texts
    assert [text for text, _ in last_lines(None, ())] == ["nothing was printed"]


@pytest.mark.parametrize("where", ["monitor", "runs"])
async def test_one_key_relaunches_a_failed_run_from_its_last_checkpoint(
    runs_path: Path, starts: Starts, where: str
) -> None:
    folder = failed_run(runs_path)
    (folder.checkpoints_dir / "last").write_text("step-00000200\n")
    (folder.checkpoints_dir / "best").write_text("step-00000100\n")
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder) if where == "monitor" else await listed(app, 1)
        await until(lambda: screen.choice and screen.check_action("relaunch", ()), "the key")
        await pilot.press("R")
        await until(lambda: starts == [(folder, "last", {})], "the start, without a question")


def test_relaunch_is_for_runs_that_ended_early(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    offered = {
        state: offers(RunChoice(folder, folder.about(), RunStatus(state)), "relaunch")  # type: ignore[arg-type]
        for state in ("failed", "stopped", "paused", "finished", "running", "queued", "lost")
    }
    assert [state for state, is_offered in offered.items() if is_offered] == ["failed", "stopped", "paused"]


def test_the_countdown_names_the_rung_its_time_and_what_comes_next() -> None:
    ladder = Ladder(grace_s=0.0)
    ladder.begin()
    ladder.ask()
    seen = [rung_of(ladder.message)]
    lines = countdown_lines(RunStatus("stopping", reason=ladder.message, deadline=130.0), now=100.0)
    texts = [text for text, _ in lines]
    assert texts[0] == "▸ asked to save a checkpoint and end: 30s left for that"
    assert texts[1] == "· then told to end by SIGTERM" and "SIGKILL" in texts[2] and texts[3].startswith("X kills")
    assert ladder.due() == "terminate"
    seen.append(rung_of(ladder.message))
    lines = countdown_lines(RunStatus("stopping", reason=ladder.message, deadline=104.0), now=100.0)
    texts = [text for text, _ in lines]
    assert texts[0].startswith("✓ asked") and texts[1] == "▸ told to end by SIGTERM: 4s left for that"
    assert ladder.due() == "kill"
    seen.append(rung_of("killing everything"))
    assert seen == [0, 1, 2]


async def test_a_stop_counts_down_on_the_small_screen(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await opened(app, folder)
        supervision.state("stopping", deadline=time.time() + 50, message="asked to save and end")
        await until(lambda: "▸ asked to save a checkpoint and end: 4" in text_of(app), "the first rung")
        for words in ("· then told to end by SIGTERM", "killed by SIGKILL", "X kills it now"):
            assert words in text_of(app)
        first = text_of(app)
        await until(lambda: text_of(app) != first, "it moves")
    writer.close()
    supervision.close()


async def test_a_full_disk_is_a_red_banner_until_there_is_room_again(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    writer.run_to(50)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        screen = await opened(app, folder)
        banner = screen.query_one(Banner)
        assert not banner.display
        message = f"the checkpoint of step 50 could not be written: the disk of {folder.path}/checkpoints is full"
        writer.say(DiskNoticed(step=50, is_full=True, message=f"{message}; {'and so on, ' * 40}"))
        await until(
            lambda: "! disk full, make room on it: the checkpoint of step 50" in text_of(app), "the banner"
        )
        assert banner.region.height == 3 and " …" in text_of(app).replace("\n", " "), "what is cut has a sign"
        assert banner.has_class("-bad")
        writer.say(DiskNoticed(step=60, is_full=False, message="there is room again"))
        await until(lambda: not banner.display, "it goes")
    writer.close()
    supervision.close()


async def test_what_an_earlier_attempt_said_of_the_disk_is_over(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    writer.say(DiskNoticed(step=5, is_full=True, message="the disk is full"))
    writer.end("stopped", "stopped")
    second = AttemptWriter(folder, number=2, clock=time.time())
    supervision.attempt = 2
    supervision.state("running")
    second.start(step=5)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        screen = await opened(app, folder)
        assert screen.snapshot is not None
        assert sum(isinstance(event, AttemptStarted) for event in screen.snapshot.events) == 2
        assert not screen.query_one(Banner).display
    second.close()
    supervision.close()


@pytest.mark.parametrize("is_sure", [True, False])
async def test_a_launch_that_a_logout_would_end_says_so_first(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, starts: Starts, is_sure: bool
) -> None:
    monkeypatch.setattr("runs.logout.logout_risk", lambda: LogoutRisk(SENTENCE, ADVICE, blocks=True))
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan, "the plan")
        await pilot.press("ctrl+l")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await until(lambda: ADVICE in text_of(app) and "systemd ends every process" in text_of(app), "its text")
        assert app.focused is not None and app.focused.id == "no", "a stray enter starts nothing"
        await pilot.press("y" if is_sure else "escape")
        if is_sure:
            await until(lambda: starts and isinstance(app.screen, MonitorScreen), "the start")
            assert [options for _, _, options in starts] == [{"despite_logout": True}]
        else:
            await until(lambda: isinstance(app.screen, LaunchScreen), "nothing")
            assert not starts and not all_runs(runs_path)


async def test_at_a_desktop_the_risk_is_only_said(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, starts: Starts
) -> None:
    monkeypatch.setattr("runs.logout.logout_risk", lambda: LogoutRisk(SENTENCE, ADVICE, blocks=False))
    folder = failed_run(runs_path)
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(app, folder)
        await pilot.press("R")
        await until(lambda: starts, "the start")
        await until(lambda: any(ADVICE in toast.message for toast in app._notifications), "the word")


@pytest.mark.parametrize("answer", ["y", "enter"])
async def test_a_preset_from_elsewhere_is_shown_as_a_diff_once(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, starts: Starts, answer: str
) -> None:
    folder = Path(os.environ["TINYTRAIN_PRESETS"])
    folder.mkdir(parents=True)
    config = with_values(RunConfig(), {"train.max_steps": 77, "optim.lr": 0.004})
    text = configs.to_toml(config, base=RunConfig())
    (folder / "strange.toml").write_text(text)
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan, "the plan")
        await pilot.press("end")
        screen = app.screen
        await until(lambda: screen.form.model.preset.name == "strange", "the preset")  # type: ignore[attr-defined]
        await pilot.press("ctrl+l")
        await until(lambda: isinstance(app.screen, ChangesDialog), "the diff")
        await until(lambda: "train.max_steps: 0 → 77" in text_of(app), "the steps")
        assert "optim.lr: 0.001 → 0.004" in text_of(app) and "sets 2 fields" in text_of(app).replace("\n", " ")
        assert not starts
        await pilot.press(answer)  # enter is Cancel
        if answer == "enter":
            await until(lambda: app.screen is screen, "nothing is done")
            assert not starts and not trust.is_known(text)
            return
        await until(lambda: starts and isinstance(app.screen, MonitorScreen), "the start")
        assert trust.is_known(text)
        assert starts[0][0].config().train.max_steps == 77


async def test_a_run_from_elsewhere_is_resumed_only_after_its_diff_was_seen(
    runs_path: Path, starts: Starts
) -> None:
    folder = failed_run(runs_path)
    text = folder.config_file.read_text() + "\n# from a colleague\n"
    folder.config_file.write_text(text)
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, ChangesDialog), "the diff")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MonitorScreen), "back")
        assert not starts
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, ChangesDialog), "asked again, since it was not agreed to")
        await pilot.press("y")
        await until(lambda: starts, "the start")
        assert trust.is_known(text)


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_however_many_fields_are_set_the_answers_stay_in_sight(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    values = {
        "train.max_steps": 77, "train.batch_size": 7, "train.seed": 5, "optim.lr": 0.004,
        "optim.weight_decay": 0.1, "data.vocab_size": 900, "model.dropout": 0.2, "model.num_heads": 4,
        "model.hidden_size": 64, "model.num_layers": 3, "probes.texts": ("the [MASK] " * 9 + "ending",),
    }  # fmt: skip
    wide = with_values(RunConfig(), values)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        app.push_screen(ChangesDialog("the configuration of a run with a long name", diff(RunConfig(), wide)))
        await until(lambda: "Use it" in text_of(app) and "Cancel" in text_of(app), "the buttons")
        await until(lambda: "scroll; a yes is kept" in text_of(app), "what the keys do")
        await pilot.press(*["pagedown"] * 3)
        await until(lambda: "ending" in text_of(app), "the last field")


async def test_a_known_preset_is_used_without_a_question(runs_path: Path, starts: Starts) -> None:
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan, "the plan")
        await pilot.press("ctrl+l")
        await until(lambda: starts, "the start")
        assert isinstance(app.screen, MonitorScreen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_run_that_is_not_ours_has_a_badge_and_no_keys_that_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    reason = "it belongs to the user ann; it can only be looked at"
    for place in ("tui.feeds", "runs.run_entry"):
        monkeypatch.setattr(f"{place}.why_read_only", lambda folder: reason)
    folder = failed_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    changing = ("resume", "relaunch", "stop", "kill", "edit", "delete")
    async with app.run_test(size=size) as pilot:
        screen = await opened(app, folder)
        await until(lambda: f"⊘ {reason}" in text_of(app), "the badge")
        assert not any(screen.check_action(action, ()) for action in changing)
        assert "R resumes" not in text_of(app) and "l shows the log" in text_of(app)
        await pilot.press("r", "R", "x", "X", "e")
        assert app.screen is screen
        runs = await listed(app, 1)
        await until(lambda: "⊘ warm-otter" in text_of(app) and f"⊘ {reason}" in text_of(app), "the row")
        assert not any(runs.check_action(action, ()) for action in changing) and runs.check_action("open", ())
        await pilot.press("d")
        assert app.screen is runs and folder.path.exists()


async def test_what_outlived_a_run_is_said_and_can_be_killed(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=100)
    outcome = folder.attempt(1).outcome_file
    left = "process 4242 does not die (state D); it needs a reboot"
    outcome.write_text(outcome.read_text().replace('"left":""', f'"left":"{left}"'))
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        screen = await opened(app, folder)
        await until(lambda: f"! {left}" in text_of(app), "the sentence")
        assert screen.query_one(RunCard).display and screen.check_action("kill", ())


async def test_a_silent_run_says_which_rank_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start(num_processes=4)
    sentence = "rank 2 has not moved since step 120; the others wait for it"
    status = RunStatus("stalled", 1, sentence, time.time(), supervised=True)
    monkeypatch.setattr("runs.reader.read_status", lambda folder: status)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        await opened(app, folder)
        await until(lambda: f"{sentence}. l shows what it printed, x stops it" in text_of(app), "its words")
    writer.close()
    supervision.close()
    assert control.pending(folder) == ()
