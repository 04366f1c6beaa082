"""Monitor shows one run as its files say, and acts on it only when it was asked to."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual._context import active_app
from textual.app import App

from runs import control
from runs.folder import RunFolder
from runs.hardware_feed import HardwareState
from runs.readings import DeviceProcess, DeviceReading, HardwareReading, HostReading
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_text as text_of
from tui.app import TinyTrainApp
from tui.charts.pane import ChartPane
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog
from tui.screens.monitor import MonitorScreen
from tui.widgets.failure_panel import FailurePanel
from tui.widgets.gpu_rows import DevicePane
from tui.widgets.log_view import LogPane
from tui.widgets.probe_table import ProbeTable


async def until(is_true: Callable[[], object], what: str = "", timeout: float = 15) -> None:
    deadline = time.monotonic() + timeout
    while not is_true():
        if time.monotonic() > deadline:
            app = active_app.get(None)
            shown = text_of(app) if app is not None else "no app"
            raise AssertionError(f"not within {timeout} s: {what}; the screen shows\n{shown}")
        await asyncio.sleep(0.02)


async def settled(value: Callable[[], int], still_s: float = 1.0) -> int:
    """The value once it has been the same for a while: lines above and below a pane come one after the other."""
    last, since = value(), time.monotonic()
    deadline = since + 15
    while time.monotonic() - since < still_s:
        assert time.monotonic() < deadline, "the layout comes to rest"
        await asyncio.sleep(0.02)
        if value() != last:
            last, since = value(), time.monotonic()
    return last


async def opened(app: TinyTrainApp, folder: RunFolder) -> MonitorScreen:
    await app.open_run(folder)
    screen = app.screen
    assert isinstance(screen, MonitorScreen)
    await until(lambda: screen.snapshot is not None and not screen.snapshot.is_behind, "a snapshot")
    return screen


def live_run(runs: Path) -> tuple[RunFolder, Supervision, AttemptWriter]:
    folder = new_run(runs)
    supervision = Supervision(folder)
    supervision.state("running")
    return folder, supervision, AttemptWriter(folder, clock=time.time())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_a_finished_run_shows_its_figures_and_its_curve(tmp_path: Path, size: tuple[int, int]) -> None:
    folder = finished_run(tmp_path, steps=400)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size):
        await opened(app, folder)
        await until(lambda: "★" in text_of(app) and "unigram 6.54" in text_of(app), "the curve")
        shown = text_of(app)
        assert "✓ finished" in shown and "warm-otter" in shown
        assert "400/400 100%" in shown
        assert "the people of the united [MASK]" in shown
        assert "loss (nats)" in shown


async def test_a_live_run_moves_and_gets_an_eta(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        screen = await opened(app, folder)
        writer.progress("tokenising", 500, 1000)
        await until(lambda: "500/1,000 rows" in text_of(app), "progress of the preparation")
        writer.start()
        writer.run_to(150)
        await until(lambda: "150/1,200" in text_of(app) and "ETA 3m" in text_of(app), "the step")
        await until(lambda: "◆" in text_of(app), "the evaluation in the chart")
        assert "● running" in text_of(app)
        await until(lambda: "no NVIDIA driver" in text_of(app), "the host's rows")
        writer.end("finished", "all steps done")
        supervision.close()
        await until(lambda: "✓ finished" in text_of(app), "the end")
        await until(lambda: screen._feed is not None and screen._feed._hardware.pid is None, "no helper is left")


async def test_closing_the_dashboard_leaves_no_helper(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        screen = await opened(app, folder)
        feed = screen._feed
        assert feed is not None
        await until(lambda: feed._hardware.pid, "the helper")
        pid = feed._hardware.pid
        await app.run_action("show_runs")
        await until(lambda: feed._hardware.pid is None, "a hidden screen needs no readings")
        await opened(app, folder)
        await until(lambda: feed._hardware.pid not in (None, pid), "it is back")
        pid = feed._hardware.pid
    assert not Path(f"/proc/{pid}").exists()
    writer.close()
    supervision.close()


async def test_a_failed_run_says_why_on_the_first_screen(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start(num_processes=8)
    writer.run_to(220)
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=3, hint="lower train.batch_size")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await opened(app, folder)
        await until(lambda: app.screen.query_one(FailurePanel).display, "the reasons")
        await until(lambda: "rank 3: OutOfMemoryError: CUDA out of memory" in text_of(app), "the cause")
        await until(lambda: "✗ failed on rank 3 at step 220" in text_of(app), "rank and step")
        assert "→ lower train.batch_size" in text_of(app)
        assert "R resumes at once from checkpoint step 200; r asks which" in text_of(app)


async def test_earlier_probes_are_shown_and_the_newest_followed_again(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=300)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        probes = app.screen.query_one(ProbeTable)
        await until(lambda: probes.step == 300, "the newest probes")
        probes.focus()
        await pilot.press("left", "left")
        assert probes.step == 100
        await until(lambda: "Probes @100" in text_of(app) and "▲ was 2.0% @0" in text_of(app), "how they moved")
        await pilot.press("right", "right", "right")
        assert probes.step == 300
        assert probes._at is None


async def test_x_asks_and_then_requests_a_stop(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("escape")
        assert control.pending(folder) == ()
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question again")
        await pilot.press("y")
        await until(lambda: [request.verb for request in control.pending(folder)] == ["stop"], "the request")
        supervision.state("stopping", deadline=time.time() + 50)
        await until(lambda: "s left for that" in text_of(app), "the countdown")
    writer.close()
    supervision.close()


async def test_a_kill_needs_the_typed_name(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        await pilot.press("X")
        await until(lambda: isinstance(app.screen, TypedConfirmDialog), "the question")
        await pilot.press(*"wrong", "enter")
        assert control.pending(folder) == ()
        await pilot.press(*["backspace"] * 5, *"warm-otter", "enter")
        await until(lambda: [request.verb for request in control.pending(folder)] == ["kill"], "the request")
    writer.close()
    supervision.close()


async def test_a_live_run_offers_no_resume_and_an_ended_one_no_stop(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        screen = await opened(app, folder)
        assert screen.check_action("stop", ()) and not screen.check_action("resume", ())
        writer.close()
        writer.attempt.outcome_file.write_bytes(b'{"state":"stopped","reason":"r","step":1,"total_steps":2}')
        supervision.close()
        await until(lambda: screen.check_action("resume", ()), "resume")
        assert not screen.check_action("stop", ())


async def test_zoom_gives_one_pane_the_room_and_tab_the_next(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=200)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, folder)
        loss, lr = app.screen.query_one("#loss", ChartPane), app.screen.query_one("#lr", ChartPane)
        await until(lambda: "unigram 6.54" in text_of(app) and app.screen.has_class("-narrow"), "the curve")
        before = await settled(lambda: loss.size.height)
        await pilot.press("z")
        await until(lambda: loss.size.height > before + 5, "a larger pane")
        await pilot.press("tab")
        await until(lambda: lr.size.height > before + 5 and not loss.display, "the next pane")
        await until(lambda: "e-3" in text_of(app), "its picture")
        await pilot.press("escape")
        await until(lambda: loss.size.height == before, "the room is given back")


async def test_the_log_shows_what_was_printed_without_its_control_bytes(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.console.write("[bold]evil\x1b]0;title\x07 line\n")
    writer.end("finished", "done")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        log = app.screen.query_one(LogPane)
        assert not log.display
        await pilot.press("l")
        await until(lambda: "[bold]evil␛]0;title␇ line" in text_of(app), "the line")
        assert "\x1b" not in text_of(app) and "\x07" not in text_of(app)
        await pilot.press("l")
        assert not log.display


async def test_a_name_with_markup_and_escapes_is_only_text(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, name="[red]x[/red]\x1b[2J", steps=100)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        await opened(app, folder)
        await until(lambda: "[red]x[/red]" in text_of(app), "the name as it is")
        assert "\x1b" not in text_of(app)


async def test_resizing_a_live_screen_redraws_the_curve_to_fit(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    writer.run_to(300)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, folder)
        for width, height in ((80, 24), (200, 60), (60, 20), (120, 40)):
            await pilot.resize_terminal(width, height)
            writer.run_to(writer.step + 50)
            pane = app.screen.query_one("#loss", ChartPane)
            await until(lambda: len(pane.rows) == pane.content_size.height, "as many lines as there is room")  # noqa: B023
            await until(lambda: f"{writer.step:,}/1,200" in text_of(app), "the step")
            width = pane.content_size.width
            widths = lambda: {row.strip.cell_length for row in pane.rows}  # noqa: B023, E731
            await until(lambda: widths() == {width}, "lines as wide as the pane")  # noqa: B023
    writer.close()
    supervision.close()


class OneDevicePane(App[None]):
    CSS = "DevicePane { width: 100%; height: 100%; border: round white; }"

    def compose(self):  # type: ignore[no-untyped-def]
        yield DevicePane()


HOST = HostReading("box", "cpu", 37.0, (30.0, 44.0), 5_300_000_000, 8_200_000_000, (1.2, 1.0, 0.9))


async def test_eight_devices_are_eight_rows_with_the_memory_of_the_run(tmp_path: Path) -> None:
    processes = (DeviceProcess(1, 36_000_000_000, "run.1"), DeviceProcess(2, 2_200_000_000, ""))
    devices = tuple(
        DeviceReading(i, "NVIDIA H200", 70.0 + i, 38_200_000_000, 141_000_000_000, 54.0, 412.0, 700.0, processes)
        for i in range(8)
    )
    app = OneDevicePane()
    async with app.run_test(size=(100, 14)):
        pane = app.query_one(DevicePane)
        pane.show(HardwareState(HardwareReading(0.0, HOST, devices, "")), "", "run.")
        await until(lambda: text_of(app).count("H200") == 8, "eight rows")
        assert "77%" in text_of(app) and "38.2/141 GB" in text_of(app) and "54°C" in text_of(app)
        assert "412 W" in text_of(app) and "run 36.0 GB" in text_of(app) and "others 2.2 GB" in text_of(app)


async def test_a_device_without_figures_shows_na_and_a_lost_one_says_so(tmp_path: Path) -> None:
    devices = (DeviceReading(0, "H200"), DeviceReading(1, "H200", problem="the driver has lost this device"))
    app = OneDevicePane()
    async with app.run_test(size=(90, 8)):
        state = HardwareState(HardwareReading(0.0, HOST, devices, ""), stale_s=5)
        app.query_one(DevicePane).show(state, "", "run.")
        await until(lambda: "stale 5 s" in text_of(app), "the age")
        assert text_of(app).count("n/a") >= 3 and " 0%" not in text_of(app)
        assert "✗ the driver has lost this device" in text_of(app)


@pytest.mark.parametrize(
    ("pointers", "keys", "wanted"),
    [
        ({}, ["y"], ""),
        ({"last": "step-00000200", "best": "step-00000200"}, [], "last"),
        ({"last": "step-00000200", "best": "step-00000100"}, ["down", "enter"], "best"),
    ],
)
async def test_resume_takes_a_checkpoint_and_asks_only_when_there_is_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pointers: dict[str, str], keys: list[str], wanted: str
) -> None:
    folder = finished_run(tmp_path, steps=200)
    for pointer, name in pointers.items():
        (folder.checkpoints_dir / pointer).write_text(f"{name}\n", encoding="utf-8")
    started: list[tuple[RunFolder, str]] = []
    monkeypatch.setattr("runs.launch.start", lambda run, resume="": started.append((run, resume)))
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, folder)
        await pilot.press("r")
        if keys:
            await until(lambda: app.screen is not screen, "the question")
            assert started == []
            await pilot.press(*keys)
        await until(lambda: started == [(folder, wanted)], "the start")


@pytest.mark.parametrize("theme", ["textual-light", "nord", "ansi-dark", "ansi-light"])
async def test_every_theme_has_colours_for_the_charts(tmp_path: Path, theme: str) -> None:
    folder = finished_run(tmp_path, steps=200)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        app.theme = theme
        screen = await opened(app, folder)
        await until(lambda: "unigram 6.54" in text_of(app), "the curve")
        drawn = [
            part for row in screen.query_one("#loss", ChartPane).rows for part in row.strip if part.text.strip()
        ]
        colours = {part.style.color for part in drawn if part.style is not None}
        assert len(colours) > 2, "the lines, what was recorded, the guides"
