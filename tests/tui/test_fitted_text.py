"""Words that do not fit into their place are cut with a sign, at every size."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from tests.tui.pilots import until
from tui.widgets.fitted_text import FittedText

SENTENCE = "optim.lr: 3.5 is above the limit 1 (learning rates are usually 1e-5 to 1e-2)"


class OneText(App[None]):
    CSS = "FittedText { width: 1fr; height: auto; max-height: 3; }"

    def compose(self) -> ComposeResult:
        yield FittedText()


def shown(app: App[None]) -> list[str]:
    """The lines of the text as they stand on the screen."""
    text = app.query_one(FittedText)
    return [text.render_line(at).text.rstrip() for at in range(text.size.height)]


@pytest.mark.parametrize("width", [20, 24, 26, 33])
async def test_what_is_cut_ends_with_a_sign_and_a_wider_place_shows_all(width: int) -> None:
    app = OneText()
    async with app.run_test(size=(width, 10)) as pilot:
        app.query_one(FittedText).fit(Content.styled(SENTENCE, "bold"))
        if len(SENTENCE) / width > 3:
            await until(pilot, lambda: len(shown(app)) == 3 and shown(app)[2].endswith(" …"))
        await pilot.resize_terminal(80, 10)
        await until(pilot, lambda: shown(app) == [SENTENCE])
        await pilot.resize_terminal(20, 10)
        await until(pilot, lambda: len(shown(app)) == 3 and shown(app)[2].endswith(" …"))
        assert SENTENCE.startswith(" ".join(shown(app)).removesuffix(" …"))
