"""Monitor's panes beside its charts: probes over the run, the log, the events, and what waits for an answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from textual.geometry import Region
from textual.strip import Strip

from runs import control
from runs.console_lines import ConsoleLine
from runs.control import Request
from runs.events import Notice
from runs.folder import RunFolder
from runs.hardware_feed import HardwareState
from runs.readings import DeviceReading, HardwareReading, HostReading
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_text as text_of
from tests.tui.test_monitor import live_run, opened, until
from tests.tui.test_monitor_requests import answer, only_request
from tui.app import TinyTrainApp
from tui.screens.probes_dialog import ProbesDialog
from tui.widgets.asked_line import asked_words
from tui.widgets.event_lines import EventLines
from tui.widgets.gpu_rows import DevicePane
from tui.widgets.lines_input import LinesInput
from tui.widgets.log_view import LogPane
from tui.widgets.probe_table import ProbeTable


def begun(runs: Path) -> tuple[RunFolder, Supervision, AttemptWriter]:
    folder, supervision, writer = live_run(runs)
    writer.start()
    writer.run_to(400)
    return folder, supervision, writer


async def test_probes_are_scrubbed_with_the_arrows_and_turn_into_the_curve_of_their_ranks(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=500)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, folder)
        probes = screen.query_one(ProbeTable)
        await until(lambda: probes.step == 500, "the newest")
        probes.focus()
        await pilot.press("left", "left")
        assert probes.step == 300
        await until(lambda: "4 of 6" in text_of(app) and "→ states" in text_of(app), "where one stands")
        await pilot.press("home")
        assert probes.step == 0
        await pilot.press("end", "w")
        assert probes.step == 500
        await until(lambda: "Ranks @500" in text_of(app) and "1 states" in text_of(app), "the curves")
        assert "1 ┤" in text_of(app) and "500 steps" in text_of(app)
        await pilot.press("w")
        await until(lambda: "Probes @500" in text_of(app), "the words again")


async def test_probes_are_edited_while_it_runs_and_the_engine_answers(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(app, folder)
        await pilot.press("B")
        await until(lambda: isinstance(app.screen, ProbesDialog) and app.screen.query(LinesInput), "the dialog")
        lines = app.screen.query_one(LinesInput)
        await until(lambda: lines.has_focus, "the text has the focus")
        assert "the people of the united [MASK] => states" in lines.text, "what holds now"
        lines.load_text("a [MASK] => b\nno mask")
        await until(lambda: "✗ sentence 2 has no [MASK]: 'no mask'" in text_of(app), "what is wrong")
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, ProbesDialog) and control.pending(folder) == ()
        lines.load_text("a [MASK] => b\n\n the [MASK] ")
        await until(lambda: "2 sentences; 1 rank is followed" in text_of(app), "that it is right")
        await pilot.press("ctrl+s")
        await until(lambda: only_request(folder), "the request")
        request = only_request(folder)
        assert request is not None and (request.verb, request.value) == ("probes", "a [MASK] => b\nthe [MASK]")
        answer(writer, request, "2 sentences are probed from step 400 on, 2 new, before 3")
        await until(lambda: "2 sentences are probed from step 400" in text_of(app), "the answer")
        await pilot.press("B")
        await until(lambda: isinstance(app.screen, ProbesDialog) and app.screen.query(LinesInput), "once more")
        assert app.screen.query_one(LinesInput).text == "a [MASK] => b\nthe [MASK]", "what holds since"
        await pilot.press("escape")
        assert control.pending(folder) == ()
    writer.close()
    supervision.close()


async def test_what_was_asked_stands_there_until_it_is_answered_whoever_asked(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        await opened(app, folder)
        request = control.ask(folder, "lr", "x0.5")  # from the command line, say
        await until(lambda: "s ago: learning rate x0.5; it answers at its next step" in text_of(app), "it waits")
        answer(writer, request, "learning rate 0.0007 from step 401 on")
        await until(lambda: "◌ asked" not in text_of(app), "it is answered")
    writer.close()
    supervision.close()


def test_a_wait_says_what_for_and_why_it_may_be_long() -> None:
    def wish(verb: control.Verb, value: str = "", at: float = 0.0) -> Request:
        return Request(id="1", verb=verb, time=at, value=value)

    assert asked_words((wish("evaluate"),), "running", 0.5) == "", "what is answered at once moves nothing"
    assert asked_words((wish("stop"),), "stopping", 9.0) == "", "the card tells"
    several = (wish("steps", "+100"), wish("probes", "a\nb"))
    assert asked_words(several, "running", 3.0).startswith("asked 3s ago: +100 steps, 2 probe sentences; ")
    assert asked_words(several, "running", 30.0).endswith("it is in a long step, an evaluation or a save")
    assert asked_words(several, "starting", 30.0).endswith("it answers at its first step")
    assert asked_words(several, "stalled", 90.0) == (
        "asked 1m 30s ago: +100 steps, 2 probe sentences; the run is silent; the request stays"
    )


async def test_the_log_is_searched_filtered_and_followed(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    for number in range(200):
        print(f"line {number:03d} {'x' * 300 if number == 150 else ''}", file=writer.console)
    print("UserWarning: careful", file=writer.console, flush=True)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, folder)
        await pilot.press("l")
        log = screen.query_one(LogPane)
        await until(lambda: log.has_focus and "UserWarning: careful" in text_of(app), "the end of the log")
        await pilot.press("slash", *"line 150", "enter")
        await until(lambda: "line 150" in text_of(app) and "1 of 1" in text_of(app), "the place")
        row = next(line for line in text_of(app).splitlines() if "line 150" in line)
        assert row.rstrip(" │").endswith("x›"), "a sign that the line goes on"
        await pilot.press("right")
        row = next(line for line in text_of(app).splitlines() if "‹" in line and "xxx" in line)
        assert "x" in row
        print("late line", file=writer.console, flush=True)
        await until(lambda: log.filter.shown[-1].text == "late line", "it comes")
        assert "late line" not in text_of(app) and "n N" in text_of(app), "one stays where one looks"
        await pilot.press("escape", "f")
        await until(lambda: "late line" in text_of(app), "the end is followed")
        await pilot.press("L")
        await until(lambda: "Log · warnings and errors" in text_of(app), "the filter is said")
        assert [line.text for line in log.filter.shown] == ["UserWarning: careful"]
        await pilot.press("L")
        await until(lambda: "is shown by this filter" in text_of(app), "that nothing is left")
        await pilot.press("escape")
        assert not log.display, "esc without a search closes the log"
    writer.close()
    supervision.close()


async def test_lines_that_come_lay_nothing_out_anew_and_draw_no_line_twice(tmp_path: Path) -> None:
    folder, supervision, writer = begun(tmp_path)
    writer.console.writelines(f"line {number}\n" for number in range(100))
    writer.console.flush()
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, folder)
        await pilot.press("l")
        log = screen.query_one(LogPane)
        await until(lambda: "line 99" in text_of(app), "the end")
        lines = list(log.filter.shown)
        log.show(tuple(lines), log.filter.num_kept)  # the scroll bar has come, and takes a column
        drawn: list[str] = []
        asked: list[bool] = []
        draw, refresh = log._draw, log.refresh

        def counted_draw(line: ConsoleLine, *args: Any, **named: Any) -> Strip:
            drawn.append(line.text)
            return draw(line, *args, **named)

        def counted_refresh(*regions: Region, **named: Any) -> Any:
            asked.append(bool(named.get("layout")))
            return refresh(*regions, **named)

        log._draw, log.refresh = counted_draw, counted_refresh  # type: ignore[method-assign]
        num_read = log.filter.num_kept
        for number in range(3):
            lines.append(ConsoleLine(f"more {number}", None, "info"))
            log.show(tuple(lines), num_read + number + 1)
            await until(lambda number=number: f"more {number}" in text_of(app), "the new line")  # type: ignore[misc]
        assert drawn == ["more 0", "more 1", "more 2"]
        assert asked and not any(asked), "painted, and the screen not laid out"
        assert log.max_scroll_y == len(lines) - log.scrollable_content_region.height, "and scrolls to its end"
    writer.close()
    supervision.close()


async def test_an_enlarged_pane_has_all_the_room_at_80_columns_and_gives_it_and_the_focus_back(
    tmp_path: Path,
) -> None:
    folder, supervision, writer = begun(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        eight = tuple(DeviceReading(number, "NVIDIA H200", 70.0) for number in range(8))
        host = HostReading("box", "cpu", 50.0, (50.0,), 4, 8, None)
        screen._show_devices = lambda: None  # type: ignore[attr-defined]
        state = HardwareState(HardwareReading(0.0, host, eight, ""))
        screen.query_one(DevicePane).show(state, "run words", "")
        for name in ("probes", "devices", "events"):
            pane = screen.query_one(f"#{name}")
            before = pane.outer_size
            pane.focus()
            await pilot.press("z")
            await until(lambda pane=pane: pane.outer_size.width == 80 and pane.outer_size.height >= 19, name)  # type: ignore[misc]
            await pilot.press("z")
            await until(lambda pane=pane, before=before: pane.outer_size.width == before.width, name)  # type: ignore[misc]
            await until(lambda pane=pane: pane.has_focus, f"{name} has the focus again")  # type: ignore[misc]
    writer.close()
    supervision.close()


async def test_the_curve_stays_above_the_log_where_room_is_short(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=300)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        chart, side = screen.query_one("#loss"), screen.query_one("#side")
        await until(lambda: side.display and chart.size.height, "all panes")
        await pilot.press("l")
        await until(lambda: screen.query_one(LogPane).size.height and not side.display, "the log")
        assert chart.size.height >= 6
        await pilot.press("escape")
        await until(lambda: side.display and not screen.query_one(LogPane).display, "the probes again")


async def test_a_very_low_terminal_shows_the_curve_or_the_log(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=300)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(60, 14)) as pilot:
        screen = await opened(app, folder)
        chart, log = screen.query_one("#loss"), screen.query_one(LogPane)
        await until(lambda: chart.size.height >= 6 and "┤" in text_of(app), "the curve")
        await pilot.press("l")
        await until(lambda: log.size.height >= 6 and not screen.query_one("#body").display, "the log")
        await pilot.press("escape")
        await until(lambda: chart.is_on_screen and chart.size.height >= 6, "the curve again")
        await pilot.resize_terminal(60, 30)
        await until(lambda: screen.query_one("#side").display, "all panes, where there is room")


async def test_a_run_whose_folder_is_taken_away_says_so_and_offers_nothing(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=300)
    folder.change_about(name="warm-otter")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(app, folder)
        await until(lambda: "✓ finished   warm-otter" in text_of(app), "the run")
        folder.path.rename(tmp_path / "elsewhere")
        await until(lambda: "its folder is gone: somebody deleted or moved it." in text_of(app), "what happened")
        assert "? lost   warm-otter" in text_of(app) and "R resumes" not in text_of(app)
        await pilot.press("r")
        await until(lambda: "warm-otter: its folder is gone" in text_of(app), "why the key does nothing")
        (tmp_path / "elsewhere").rename(folder.path)
        await until(lambda: "✓ finished   warm-otter" in text_of(app), "the run again")


async def test_all_events_are_read_in_the_enlarged_pane(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder, clock=time.time())
    writer.start()
    writer.run_to(200)
    for number in range(60):
        writer.notice(f"notice {number}" + (" that is a long sentence" * 12 if number == 59 else ""))
    writer.say(Notice(step=200, level="warning", message="the last one"))
    writer.end("finished", "done")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, folder)
        lines = screen.query_one(EventLines)
        lines.focus()
        await until(lambda: "z shows all" in text_of(app), "how to see them")
        await pilot.press("z")
        await until(
            lambda: "warning: the last one" in text_of(app) and "notice 50" in text_of(app), "more of them"
        )
        assert text_of(app).count("sentence") == 12, "long ones are wrapped, not cut"
        await pilot.press("end")
        await until(lambda: "started: addresses" in text_of(app), "back to the beginning")
        await pilot.press("escape")
        await until(lambda: lines.size.height <= 2, "the room is given back")
