"""What is the same on every screen: palette, own keys, help, looks, pictures, the key line, where one begins."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual._compositor import Compositor
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.color import Color
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from presets.schema import RunConfig
from runs.events import DiskNoticed, HealthNoticed
from runs.folder import create_run
from runs.notify_settings import NotifySettings, settings_path
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_strips, shown_text, until
from tui import notify
from tui.app import TinyTrainApp
from tui.cli import without_a_word
from tui.commands import Command, bindings_of
from tui.keys import every_scope, unknown_problems
from tui.notify import LiveWatch, RunTold, desktop_notice
from tui.palette import PaletteProvider
from tui.remembered import Remembered, remembered_path
from tui.screens.help import HelpScreen
from tui.screens.settings_dialog import SettingsDialog
from tui.settings import EXAMPLE, Settings, read_settings
from tui.themes import LOOKS, PLAIN, THEMES, first_theme
from tui.verbs import make_parser
from tui.widgets.footer import FooterItem, KeyFooter, fit


class LogPane(Vertical, can_focus=True):
    """A pane with keys and words of its own."""

    HELP = "Follows the end until you scroll."
    BINDINGS: ClassVar[list[Any]] = [Binding("f", "follow", "Follow", tooltip="Go to the end."), ("j", "down", "")]


LogPane.__module__ = "tui.widgets.pane"  # of ours, as far as the help can tell


class Place(Screen[None]):
    """A screen with two commands, one of them refused."""

    SCREEN_COMMANDS = (
        Command("stop", "x", "Stop", "Stop the run.", "stop"),
        Command("kill", "X", "Kill", "Kill the [b]run[/b].", "kill"),
    )
    BINDINGS: ClassVar[list[Any]] = bindings_of(SCREEN_COMMANDS)
    HELP_TITLE = "Monitor"
    HELP = "Watches a run."

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def compose(self) -> ComposeResult:
        pane = LogPane(id="log")
        pane.border_title = "Log"
        yield pane
        yield Static("a picture with brackets [b]x[/b] & <svg>", markup=False)
        yield KeyFooter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "kill"

    def action_stop(self) -> None:
        self.done.append("stop")

    def action_kill(self) -> None:
        self.done.append("kill")

    def action_refuse(self, action: str) -> None:
        self.done.append(f"no {action}")


async def opened(app: TinyTrainApp, pilot: Any) -> Place:
    place = Place()
    await app.push_screen(place)
    await until(pilot, lambda: app.screen is place and place.query("#log"))
    place.query_one("#log").focus()
    await pilot.pause()
    return place


async def hits(app: App[Any], query: str) -> dict[str, Any]:
    palette = PaletteProvider(app.screen)
    await palette.startup()
    found = palette.search(query) if query else palette.discover()
    return {str(hit.text): hit async for hit in found}


async def test_the_palette_offers_what_can_be_done_here_every_run_and_every_look(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    create_run(runs, RunConfig(), name="warm [b]otter[/b]\x1b[2J")
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        place = await opened(app, pilot)
        found = await hits(app, "")
        assert list(found)[:3] == ["Follow (f)", "Stop (x)", "Kill (X)"]
        assert {f"Theme {name}" for name in LOOKS} <= set(found)
        (run,) = (title for title in found if title.startswith("Open run"))
        assert "[b]otter[/b]" in run and "\x1b" not in run
        assert str(found[run].display) == run
        await found["Stop (x)"].command()
        await found["Kill (X)"].command()
        assert place.done == ["stop", "no kill"]
        assert "Quit (q)" in await hits(app, "quit")
        found["Theme tinytrain-light"].command()
        await until(pilot, lambda: app.theme == "tinytrain-light")


async def test_the_palette_also_finds_what_another_screen_does_and_goes_there(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        found = await hits(app, "sort")
        title = next(one for one in found if one.startswith("Runs › "))
        await found[title].command()
        await until(pilot, lambda: app.place == "runs")


async def test_own_keys_hold_on_the_screen_in_its_help_and_in_the_key_line(tmp_path: Path) -> None:
    keys = {"monitor.stop": "f6", "log.follow": "g", "quit": "Q"}
    app = TinyTrainApp(tmp_path / "runs", Settings(keys=keys))
    async with app.run_test(size=(120, 40)) as pilot:
        place = await opened(app, pilot)
        await pilot.press("x")
        assert place.done == []
        await pilot.press("f6")
        assert place.done == ["stop"]
        assert "f6 Stop" in shown_text(app) and "Q Quit" in shown_text(app)
        await pilot.press("question_mark")
        await until(pilot, lambda: "Go to the end." in shown_text(app))
        text = shown_text(app)
        assert re.search(r"f6 +Stop the run\.", text) and re.search(r"g +Go to the end\.", text)
        await pilot.press("escape", "Q")
        await until(pilot, lambda: not app.is_running)


async def test_the_help_speaks_of_the_screen_and_of_the_pane_one_is_in(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "esc closes" in shown_text(app))
        text = shown_text(app)
        order = [
            text.index(words)
            for words in ("Watches a run.", "in the pane Log", "Follows the end", "on this screen", "everywhere")
        ]
        assert order == sorted(order)
        assert "Kill the [b]run[/b]." in text
        words = app.screen.query_one("#help Static", Static)
        await pilot.resize_terminal(50, 40)
        await until(pilot, lambda: words.size.width < 50)
        wrapped = [line for line in str(words.render()).splitlines() if line.startswith("  ")]
        assert max(map(len, wrapped)) <= words.size.width, "wrapped anew, with the keys' column kept"


def test_the_example_of_the_settings_is_one() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(EXAMPLE.replace("# quit", "quit").replace("# kill", "kill"))
    settings = read_settings()
    assert settings.problems == ()
    assert dict(settings.keys) == {"quit": "Q", "monitor.kill": "ctrl+k"}


def test_what_is_wrong_in_the_settings_is_said_and_the_rest_holds() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('mouse = "no"\nascii = true\ncolour = 1\ntheme = 3\n[keys]\nkill = 4\n')
    settings = read_settings()
    assert settings.mouse and settings.ascii and settings.theme == ""
    assert settings.problems == (
        "colour: there is no such setting", "theme: this is the name of a theme, in quotes",
        "mouse: this is true or false", 'keys.kill: a key is text in quotes, as "ctrl+k"',
    )  # fmt: skip
    settings_path().write_text("mouse = \n")
    assert "cannot be read" in read_settings().problems[0]


def test_a_slow_connection_is_drawn_plainly_unless_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYTRAIN_LOW_BANDWIDTH", "1")
    assert (read_settings().low_bandwidth, read_settings().ascii) == (True, True)
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("ascii = false\n")
    assert (read_settings().low_bandwidth, read_settings().ascii) == (True, False)


def test_no_command_of_any_screen_shares_a_key_and_all_can_be_named_in_the_settings() -> None:
    scopes = every_scope()
    assert {"launch", "monitor", "runs", "compare", "playground", "data"} <= set(scopes)
    assert unknown_problems({"monitor.stop": "a", "runs.delete": "b"}, scopes) == []


async def test_settings_are_shown_and_an_example_is_written_but_never_over_others(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs", Settings(problems=("keys.kil: there is no command kil",)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        await app.run_action("settings", app)
        await until(
            pilot, lambda: isinstance(app.screen, SettingsDialog) and "there is no command" in shown_text(app)
        )
        await pilot.press("w")
        await until(pilot, lambda: settings_path().is_file())
        settings_path().write_text("mouse = false\n")
        await pilot.press("w")
        await pilot.pause()
        assert settings_path().read_text() == "mouse = false\n"
        before = app.theme
        await pilot.press("t")
        await until(pilot, lambda: app.theme != before)


@pytest.mark.parametrize("theme", [theme for theme in THEMES if theme.name != PLAIN], ids=lambda theme: theme.name)
def test_words_in_every_look_stand_out_from_its_ground(theme: Any) -> None:
    colours = theme.to_color_system().generate() | theme.variables
    grounds = [Color.parse(part) for part in (theme.background, theme.surface, theme.panel)]
    for name in ("foreground", "text-primary", "text-accent", "text-success", "text-warning", "text-error"):
        for ground in grounds:
            assert contrast(Color.parse(colours[name]), ground) >= 4.5, f"{name} on {ground.hex}"


def contrast(one: Color, other: Color) -> float:
    """Of WCAG 2: 1 to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: Color) -> float:
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in colour.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("how", ["NO_COLOR", "the look"])
async def test_without_colour_no_cell_has_one_and_what_is_chosen_is_reversed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    app = TinyTrainApp(tmp_path / "runs", Settings(theme="" if how == "NO_COLOR" else PLAIN))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "quickstart" in shown_text(app))
        styles = [
            segment.style
            for strip in shown_strips(app)
            for segment in strip.apply_filter(app._filters[1], Color.parse("black"))
            if segment.style
        ]
        assert styles and all(style.color is None and style.bgcolor is None for style in styles)
        assert any(style.reverse for style in styles) and any(style.dim for style in styles)
        app.theme = "tinytrain-dark"
        await until(pilot, lambda: not app.no_color)
        assert not app._filters[1].enabled


def test_the_first_look_is_the_one_that_was_asked_for() -> None:
    rich = {"TERM": "xterm-256color"}
    assert first_theme("", "", rich, False) == "tinytrain-dark"
    assert first_theme("", "tinytrain-light", rich, False) == "tinytrain-light"
    assert first_theme("high-contrast", "tinytrain-light", rich, False) == "high-contrast"
    assert first_theme("high-contrast", "tinytrain-light", rich, True) == PLAIN
    assert first_theme("nonsense", ["damage"], rich, False) == "tinytrain-dark"
    assert first_theme("", None, {"TERM": "linux"}, False) == "ansi-dark"
    assert first_theme("", None, {"TERM": "screen"}, False) == "ansi-dark"
    assert first_theme("", None, {"TERM": "screen", "TMUX": "/tmp/x"}, False) == "tinytrain-dark"
    assert first_theme("", None, {"TERM": "screen", "TMUX": "/tmp/x", "STY": "1"}, False) == "ansi-dark"


async def test_a_look_is_remembered_but_one_forced_by_the_environment_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(change: str = "") -> str:
        app = TinyTrainApp(tmp_path / "runs")
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.screen.is_mounted)
            if change:
                app.theme = change
                await until(pilot, lambda: app.chosen_theme == change)
            await pilot.press("3", "1")
            return app.theme

    await start(change="colour-blind-light")
    assert await start() == "colour-blind-light"
    monkeypatch.setenv("NO_COLOR", "1")
    assert await start() == PLAIN
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert await start() == "colour-blind-light"


async def test_the_next_start_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folder, _ = create_run(runs, RunConfig(), name="first"), create_run(runs, RunConfig(), name="second")
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await pilot.press("3")
        await until(pilot, lambda: app.place == "runs")
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: type(app.screen).__name__ == "RunsScreen")
        await app.open_run(folder)
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: getattr(app.screen, "folder", None) == folder)


@pytest.mark.parametrize(
    "place",
    [
        {"screen": "nowhere"}, {"screen": 3, "run": {}}, {"screen": "monitor", "run": "../../etc"},
        {"screen": "monitor", "run": "20260101-000000-gone-abcd"}, {"theme": ["x"]}, {"screen": ["runs"]},
    ],
)  # fmt: skip
async def test_a_remembered_place_that_is_none_is_passed_over(tmp_path: Path, place: dict[str, Any]) -> None:
    remembered = Remembered(remembered_path())
    remembered.put("app", place)
    remembered.flush()
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: type(app.screen).__name__ == "LaunchScreen")


async def test_a_picture_is_an_svg_file_beside_the_work_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, pilot)
        await pilot.press("f12", "f12")
        await until(pilot, lambda: len(list(tmp_path.glob("tinytrain-*.svg"))) == 2)
        monkeypatch.chdir("/proc")
        await pilot.press("f12")
        await until(pilot, lambda: list(remembered_path().parent.glob("tinytrain-*.svg")))
    for path in tmp_path.glob("*.svg"):
        root = xml.etree.ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert "brackets" in path.read_text() and "<svg>" not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


def items(*names: str) -> list[FooterItem]:
    own = [FooterItem(name[0], name, name[0]) for name in names]
    screens = [FooterItem(str(n), f"Screen{n}", str(n), is_screen=True) for n in (1, 2, 3)]
    kept = [FooterItem("?", "Help", "question_mark", is_kept=True), FooterItem("q", "Quit", "q", is_kept=True)]
    return [*own, *screens, *kept, FooterItem("^p", "palette", "ctrl+p")]


@pytest.mark.parametrize("width", [*range(0, 90, 3)])
def test_the_key_line_never_runs_over_and_says_when_there_are_more(width: int) -> None:
    every = items("stop", "pause", "resume", "log")
    line = fit(every, width)
    assert sum(item.width for item in line) + 2 * max(0, len(line) - 1) <= width
    labels = [item.label for item in line]
    if width >= 24:
        assert "Help" in labels and "Quit" in labels
    left_out = not {"stop", "pause", "resume", "log"} <= set(labels)
    assert not left_out or width < 20 or "…" in [item.shown for item in line]


async def test_a_click_on_a_key_presses_it_and_a_meaning_stands_there_once(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(140, 20)) as pilot:
        place = await opened(app, pilot)
        line = shown_text(app).splitlines()[-1]
        assert line.count("Stop") == 1 and "Kill" not in line
        await pilot.click(KeyFooter, offset=(line.index("Stop"), 0))
        await until(pilot, lambda: place.done == ["stop"])


async def test_a_terminal_of_a_few_cells_shows_what_it_can(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(20, 5)) as pilot:
        for key in ("1", "6", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await pilot.resize_terminal(1, 1)
        await pilot.press("3", "1")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Help" in shown_text(app))


def test_a_live_run_is_told_of_once_when_it_looks_unwell_and_once_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    finished_run(runs, "long over", steps=20)
    watch = LiveWatch(runs)
    monkeypatch.setattr(notify, "_SWEEP_S", 0.0)
    folder = new_run(runs, "warm-otter")
    writer, live = AttemptWriter(folder, clock=time.time()), Supervision(folder)
    writer.start()
    live.state("running")
    writer.say(HealthNoticed(symptom="spike", message="before anybody looked"))
    assert watch.look() == []
    writer.say(HealthNoticed(symptom="plateau", message="the loss stands still"))
    writer.say(DiskNoticed(is_full=False, message="there is room again"))
    assert [(one.kind, one.sentence) for one in watch.look()] == [("alert", "warm-otter: the loss stands still")]
    assert watch.look() == []
    writer.end("finished")
    live.close()
    assert [(one.folder, one.kind) for one in watch.look()] == [(folder, "finished")]
    assert watch.look() == []


async def test_the_terminal_hears_of_a_run_that_failed_and_nothing_of_its_name_acts_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(notify, "write_to_terminal", lambda _, sequence: sent.append(sequence))
    monkeypatch.setattr(App, "bell", lambda _: sent.append("bell"))
    folder = create_run(tmp_path / "runs", RunConfig(), name="x")
    app = TinyTrainApp(tmp_path / "runs", Settings(notify=NotifySettings(bell=True, desktop=True)))
    async with app.run_test() as pilot:
        await opened(app, pilot)
        app.post_message(RunTold(folder, "failed", "x\x1b]52;c;AAAA\x07 failed: [b]out of memory[/b]"))
        await until(pilot, lambda: sent)
        assert [note.message for note in app._notifications] == ["x␛]52;c;AAAA␇ failed: [b]out of memory[/b]"]
    assert sent[0] == "bell"
    assert sent[1].startswith("\x1b]9;tinytrain: x") and sent[1].endswith("\x07")
    assert "\x1b" not in sent[1][1:] and "\x07" not in sent[1][:-1]


def test_tmux_is_asked_to_pass_a_notification_on() -> None:
    assert desktop_notice("it ended", {"TMUX": "/tmp/x"}) == ("\x1bPtmux;\x1b\x1b]9;tinytrain: it ended\x07\x1b\\")


async def test_the_first_screen_is_drawn_once_and_its_styles_are_those_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bool] = []
    draw = Compositor.render_update

    def counted(self: Compositor, *args: Any, **kwargs: Any) -> Any:
        drawn.append(bool(app._batch_count))
        return draw(self, *args, **kwargs)

    monkeypatch.setattr(Compositor, "render_update", counted)
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "quickstart" in shown_text(app))
        assert app.screen.has_class("-normal", "-tall")
        await pilot.resize_terminal(70, 20)
        await until(pilot, lambda: app.screen.has_class("-tiny", "-short"))
        assert not app.screen.has_class("-normal") and not app.screen.has_class("-tall")
    assert drawn and not any(drawn)


def test_without_a_word_the_command_line_means_what_its_parser_makes_of_none() -> None:
    assert vars(without_a_word()) == vars(make_parser().parse_args([]))


@pytest.mark.parametrize("open_for_s", [1.0, 60.0])
async def test_a_failure_forgets_the_place_only_where_the_next_start_may_fail_the_same(
    tmp_path: Path, open_for_s: float
) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    with pytest.raises(ValueError, match="a defect"):
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.screen.is_mounted)
            await pilot.press("3")
            await until(pilot, lambda: app.place == "runs")
            app._shown_since = time.monotonic() - open_for_s
            app._handle_exception(ValueError("a defect"))
    assert Remembered(remembered_path()).get("app").get("screen") == ("runs" if open_for_s > 30.0 else None)


async def test_going_elsewhere_from_over_a_screen_closes_what_lay_there(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        place = await opened(app, pilot)
        answers: list[object] = []
        app.push_screen(HelpScreen(place), answers.append)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await (await hits(app, "runs (3"))["Runs (3)"].command()
        await until(pilot, lambda: type(app.screen).__name__ == "RunsScreen" and answers == [None])
        await pilot.press("1")
        await until(pilot, lambda: app.place == "launch")
        assert [type(one).__name__ for one in app.screen_stack] == ["Screen", "LaunchScreen"]


async def test_what_is_wrong_with_the_settings_is_said_and_a_wrong_key_is_not_shown_as_one(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs", Settings(theme="drak", keys={"quit": "banana"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: any("there is no drak" in note.message for note in app._notifications))
        app.push_screen(SettingsDialog(app.settings))
        await until(pilot, lambda: "quit = banana, which is no key" in shown_text(app))


def test_screens_with_keys_of_several_letters_stand_for_themselves_in_the_key_line() -> None:
    screens = [FooterItem(key, f"Screen{key}", key, is_screen=True) for key in ("^l", "3", "2")]
    line = fit([*screens, FooterItem("q", "Quit", "q", is_kept=True)], 32)
    assert [item.shown for item in line] == ["^l", "2–3", "q"]
