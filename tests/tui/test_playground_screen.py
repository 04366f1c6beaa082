"""The Playground: what one types is answered by the checkpoints in view, and every view can be reached by keys."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.events import Mount
from textual.pilot import Pilot

import tui.app
import tui.playground_feed
from engine.playground.answers import Answerer, Wishes
from runs.folder import RunFolder
from runs.playground import Ready, Request, Said
from tests.tiny import new_run, tiny_config, train
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.remembered import Remembered, remembered_path
from tui.screens.pick_checkpoint import PickCheckpoint
from tui.screens.pick_tried import PickTried
from tui.screens.playground import PlaygroundScreen
from tui.screens.sampling_dialog import SamplingDialog

HOSTILE = "\x1b]52;c;eA==\x07[red]x[/]"
PROBE = "the people of the [MASK] => states"
_answerer = Answerer()


class PlaygroundApp(TinyTrainApp):
    """The dashboard, with the Playground shown first."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")

    def on_mount(self, event: Mount | None = None) -> None:
        assert event is not None
        event.prevent_default()
        self.push_screen("playground")


class HereProcess:
    """Answers with the real engine in a thread of this process, without a second's start."""

    started: list[HereProcess]

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[Request | str] = queue.SimpleQueue()
        self.is_closed = False
        self.pid = 1
        HereProcess.started.append(self)

    def ask(self, request: Request) -> None:
        self._lines.put(request)

    def said(self) -> Iterator[Said]:
        yield Ready()
        while not isinstance(request := self._lines.get(), str):
            before: list[Said] = []
            reply = _answerer.answer(request, Wishes(say=before.append))
            yield from before
            yield reply

    def die(self) -> None:
        """As if somebody had killed it."""
        self._lines.put("died")

    def kill(self) -> None:
        self.is_closed = True
        self._lines.put("killed")

    def wait(self) -> int:
        return -9

    def last_words(self) -> tuple[str, str]:
        return "was ended by SIGKILL (is the memory full?)", ""

    def close(self) -> None:
        self.kill()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> list[HereProcess]:
    HereProcess.started = []
    monkeypatch.setattr(tui.playground_feed, "PlaygroundProcess", HereProcess)
    return HereProcess.started


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs that have ended: `fills` fills masks, `writes` goes on from a beginning."""
    folder = tmp_path_factory.mktemp("playground")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYTRAIN_CACHE", str(folder / "cache"))
        for kind, name, texts in (
            ("clm", "writes", ("we",)),
            ("mlm", "fills", ("the people of the [MASK] => states",)),
        ):
            config = tiny_config(objective__kind=kind, probes__texts=texts, probes__new_tokens=6)
            run = new_run(folder / "runs", config)
            train(run)
            run.write_about(run.about().__class__(name=name))
            run.path.rename(folder / "runs" / f"2026010{1 if kind == 'clm' else 2}-000000-tiny-{kind}a")
    return folder / "runs"


def run_of(runs: Path, kind: str) -> RunFolder:
    return RunFolder(next(runs.glob(f"*-{kind}a")))


async def opened(pilot: Pilot[Any], words: str = "ms") -> PlaygroundScreen:
    """The Playground with its first answer."""
    screen = await until(
        pilot, lambda: pilot.app.screen if isinstance(pilot.app.screen, PlaygroundScreen) else None
    )
    await until(pilot, lambda: words in shown_text(pilot.app))
    assert isinstance(screen, PlaygroundScreen)
    return screen


async def typed(pilot: Pilot[Any], screen: PlaygroundScreen, text: str) -> None:
    """Put a text in, and wait for the answers to it."""
    screen.text.value = text
    await until(
        pilot, lambda: screen.state.text == text and all(s.answered == s.asked for s in screen.state.sides)
    )


async def test_without_a_checkpoint_it_says_what_to_do(runs_path: Path) -> None:
    async with PlaygroundApp(runs_path).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "No run has saved a checkpoint yet. Press n to start one")
        assert not HereProcess.started


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_newest_run_answers_and_a_word_is_filled_in_and_taken_back(
    trained: Path, size: tuple[int, int]
) -> None:
    async with PlaygroundApp(trained).run_test(size=size) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "fills · last @20 · loss" in shown_text(pilot.app))
        screen.action_view("words")
        await typed(pilot, screen, "the [MASK] of the [MASK]")
        await until(pilot, lambda: "2 masks · 5 tokens of 16 · 0 unknown" in shown_text(pilot.app))
        screen.panes.words.focus()
        await pilot.press("right", "down")
        chosen = screen.panes.words.chosen
        assert chosen is not None and screen.panes.words.place == 1
        await pilot.press("enter")
        await until(pilot, lambda: screen.text.value == f"the [MASK] of the {chosen.token}")
        await until(pilot, lambda: "1 mask · " in shown_text(pilot.app))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: screen.text.value == "the [MASK] of the [MASK]")
        assert screen.state.tried[0].result == chosen.token


async def test_typing_reaches_the_text_and_a_word_is_hidden(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await typed(pilot, screen, "")
        assert "type a text; ctrl+o puts [MASK]" in shown_text(pilot.app)
        await pilot.press("e", *"the people", "ctrl+o")
        await until(pilot, lambda: screen.text.value == "the [MASK]")
        await until(pilot, lambda: "1 mask · 2 tokens" in shown_text(pilot.app))
        await pilot.press("enter", "tab")
        assert screen.panes.tokens.has_focus
        await pilot.press("enter")  # the token under the cursor
        await until(pilot, lambda: screen.text.value == "[MASK] [MASK]")
        await pilot.press("e", "up", "up")
        await until(pilot, lambda: screen.text.value == "the [MASK]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "type a text; ctrl+o puts [MASK]"),
        ("the people", "no [MASK] yet (2 tokens of 16): ctrl+o"),
        ("the [MASK] " * 12, "26 tokens, and the model takes 16"),
        ("the qwxyz [MASK]", "1 unknown, which the model reads as [UNK]: “qwxyz”"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_wrong_text_is_explained_where_it_stands(
    trained: Path, text: str, words: str, size: tuple[int, int]
) -> None:
    async with PlaygroundApp(trained).run_test(size=size) as pilot:
        screen = await opened(pilot)
        screen.action_view("words")
        await typed(pilot, screen, text)
        shown = words if size[0] >= 120 else words[:40]
        await until(pilot, lambda: shown in shown_text(pilot.app))


async def test_two_checkpoints_stand_side_by_side_in_every_view(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        await pilot.press("c")
        dialog = await until(
            pilot, lambda: pilot.app.screen if isinstance(pilot.app.screen, PickCheckpoint) else None
        )
        await until(pilot, lambda: "@15" in shown_text(pilot.app))
        await pilot.press("right")
        saved = dialog._saved
        saved.highlighted = saved.get_option_index("step-00000015")
        await pilot.press("enter")
        await until(pilot, lambda: "against fills · @15" in shown_text(pilot.app))
        await typed(pilot, screen, "the [MASK]")
        column = screen.panes.words.columns[0]
        assert column.has_second and any(word.first and word.second for word in column.words)
        await until(pilot, lambda: "loss │   loss" in shown_text(pilot.app))
        await pilot.press("w")
        await until(pilot, lambda: "layer 1/2 · head 1/2" in shown_text(pilot.app))
        await pilot.press("right", "right_square_bracket")
        await until(pilot, lambda: "layer 2/2 · head 2/2" in shown_text(pilot.app))
        await pilot.press("w")
        chosen = screen.panes.words.chosen
        assert chosen is not None
        await until(pilot, lambda: f"Neighbours of {chosen.token}" in shown_text(pilot.app))
        first = screen.panes.nearest.chosen
        await pilot.press("enter")
        await until(pilot, lambda: f"Neighbours of {first}" in shown_text(pilot.app))
        await pilot.press("z")
        assert not screen.panes.words.display and screen.panes.nearest.display
        await pilot.press("z", "c")
        await until(pilot, lambda: "none: one checkpoint alone" in shown_text(pilot.app))
        await pilot.press("home", "enter")
        await until(pilot, lambda: "against" not in shown_text(pilot.app))
        assert screen.state.second.folder is None


async def test_a_causal_model_goes_on_and_what_it_wrote_is_taken_over(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("g")
        await until(pilot, lambda: pilot.app._notifications)  # a model that fills masks does not
        screen.choose(run_of(trained, "clm"))
        await typed(pilot, screen, "the people")
        await until(pilot, lambda: "next token" in shown_text(pilot.app))
        screen.panes.words.focus()
        await pilot.press("G")
        await until(pilot, lambda: isinstance(pilot.app.screen, SamplingDialog))
        await pilot.press(*"11", "enter")
        await until(pilot, lambda: "✗" in shown_text(pilot.app))  # above the schema's bound
        await pilot.press("backspace", "backspace", "0", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.state.sampling.temperature == 0
        await pilot.press("g")
        await until(pilot, lambda: screen.state.first.written and not screen.state.first.is_writing)
        written = screen.state.first.written
        await until(pilot, lambda: "temperature 0" in shown_text(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: screen.text.value == "the people" + written)


async def test_it_begins_with_the_runs_first_probe_until_somebody_types(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert screen.text.value == "the people of the [MASK]"
        screen.choose(run_of(trained, "clm"))
        await until(pilot, lambda: "next token" in shown_text(pilot.app))
        assert screen.text.value == "we" and "✗" not in shown_text(pilot.app)
        screen.choose(run_of(trained, "mlm"))
        await typed(pilot, screen, "a people of [MASK] own")
        screen.choose(run_of(trained, "clm"))
        await until(pilot, lambda: "next token" in shown_text(pilot.app))
        assert screen.text.value == "a people of" and "✗" not in shown_text(pilot.app)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "✗ a causal model goes on from a beginning" in shown_text(pilot.app))
        assert screen.text.value == "a people of [MASK] own"


async def test_a_run_chosen_once_more_keeps_its_name(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, "fills · last @20")
        screen.choose(run_of(trained, "mlm"))
        await until(pilot, lambda: screen.state.first.answer and screen.state.first.name)
        await until(pilot, lambda: "fills · last @20" in shown_text(pilot.app))


async def test_the_footer_names_only_keys_of_use(trained: Path) -> None:
    def named(screen: PlaygroundScreen) -> set[str]:
        return {one.binding.description for one in screen.active_bindings.values() if one.binding.show}

    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert "Hide word" in named(screen) and not {"Go on", "Drawing"} & named(screen)
        screen.choose(run_of(trained, "clm"))
        await until(pilot, lambda: "next token" in shown_text(pilot.app))
        assert "Hide word" not in named(screen) and {"Go on", "Drawing"} <= named(screen)
        await typed(pilot, screen, "the people")
        await pilot.press("ctrl+o")  # says why instead
        await until(pilot, lambda: pilot.app._notifications)
        assert screen.text.value == "the people"
        screen.panes.tokens.focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.text.value == "the")


async def test_a_process_that_dies_is_said_and_started_anew_but_not_in_a_circle(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        HereProcess.started[0].die()
        await until(pilot, lambda: len(HereProcess.started) == 2)
        await until(
            pilot,
            lambda: screen.state.first.answered == screen.state.first.asked and not screen.state.first.problem,
        )
        HereProcess.started[1].die()
        await until(pilot, lambda: "ended by SIGKILL (is the memory full?); a change" in shown_text(pilot.app))
        assert len(HereProcess.started) == 2
        await typed(pilot, screen, "a [MASK]")
        await until(pilot, lambda: "1 mask · 2 tokens" in shown_text(pilot.app))


async def test_the_next_dashboard_goes_on_where_one_left_off(trained: Path) -> None:
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        screen.choose(run_of(trained, "mlm"), "step-00000015")
        await typed(pilot, screen, "the [MASK] people")
        await pilot.press("e", "enter")
        screen.action_view("attention")
        await until(pilot, lambda: "layer 1/2" in shown_text(pilot.app))
        await pilot.press("right", "right_square_bracket")
        await until(pilot, lambda: "layer 2/2 · head 2/2" in shown_text(pilot.app))
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, "fills · @15")
        assert screen.text.value == "the [MASK] people"
        await until(pilot, lambda: "layer 2/2 · head 2/2" in shown_text(pilot.app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickTried))
        await until(pilot, lambda: "the [MASK] people  →" in shown_text(pilot.app))


async def test_the_view_that_stands_alone_at_the_next_start_has_the_keys(trained: Path) -> None:
    remembered = Remembered(remembered_path())
    remembered.put("playground", {"shown": "neighbours", "text": "the people of the [MASK]"})
    remembered.flush()
    for width, pane in ((80, "neighbours"), (140, "words")):
        app = PlaygroundApp(runs=trained)
        async with app.run_test(size=(width, 24)) as pilot:
            await until(pilot, lambda app=app: app.screen.focused is not None)  # type: ignore[misc]
            assert app.screen.focused is not None and app.screen.focused.id == pane
            assert app.screen.focused.display


@pytest.mark.parametrize(
    "values",
    [
        {"run": ["../../etc", "last"], "text": 5, "shown": "nothing", "sampling": [],
         "layer": "9", "head": -1, "word": {}, "tried": {"a": 1}},
        {"run": [1, 2], "against": "x", "text": HOSTILE, "sampling": {"temperature": "hot", "seed": True},
         "tried": [{"text": HOSTILE, "when": "now", "result": HOSTILE}, {"text": 4}, 7]},
    ],
)  # fmt: skip
async def test_whatever_was_remembered_it_starts(trained: Path, values: dict[str, Any]) -> None:
    remembered = Remembered(remembered_path())
    remembered.put("playground", values)
    remembered.flush()
    async with PlaygroundApp(trained).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert screen.state.first.folder == run_of(trained, "mlm")
        assert screen.state.sampling.seed is None
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickTried))
        assert not {"\x1b", "\x07"} & set(shown_text(pilot.app))


async def test_a_run_that_trains_answers_with_its_newest_checkpoint(trained: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / run_of(trained, "mlm").id)
    shutil.copytree(run_of(trained, "mlm").path, run.path)
    newest, aside = run.checkpoints_dir / "step-00000020", tmp_path / "not yet"
    newest.rename(aside)
    for pointer in ("last", "best"):
        (run.checkpoints_dir / pointer).write_text("step-00000015\n")
    async with PlaygroundApp(tmp_path / "runs").run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, "fills · last @15 · loss")
        aside.rename(newest)
        (run.checkpoints_dir / "last").write_text("step-00000020\n")
        screen._checkpoints_feed.look_now()
        await until(pilot, lambda: "fills · last @20 · loss" in shown_text(pilot.app))
        # the checkpoints may be listed before the first of them has answered
        await until(pilot, lambda: (answer := screen.state.first.answer) is not None and answer.step == 20)


async def test_a_checkpoint_that_moves_before_the_first_answer_is_asked_anew(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "runs" / run_of(trained, "mlm").id)
    shutil.copytree(run_of(trained, "mlm").path, run.path)
    asked: list[Request] = []
    monkeypatch.setattr(tui.playground_feed.PlaygroundFeed, "ask", lambda _feed, request: asked.append(request))
    (run.checkpoints_dir / "last").write_text("step-00000015\n")
    async with PlaygroundApp(tmp_path / "runs").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: asked)
        num_first = len(asked)
        (run.checkpoints_dir / "last").write_text("step-00000020\n")
        pilot.app.screen._checkpoints_feed.look_now()
        await until(pilot, lambda: len(asked) > num_first)
        pilot.app.screen._checkpoints_feed.look_now()
        await pilot.pause(0.1)
        assert [request.checkpoint for request in asked[num_first:]] == ["last"]
