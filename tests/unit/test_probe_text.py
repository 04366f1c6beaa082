"""How a probe is written, and the words that are expected in it."""

from __future__ import annotations

import pytest

from presets.config import with_values
from presets.probe_text import ProbeText, probe_problem, read_probe, read_probes
from presets.rules import broken_rules
from presets.schema import RunConfig
from runs import control
from runs.events import ControlAnswered
from runs.probe_texts import probes_now
from runs.story import Story


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("the united [MASK] => states", "the united [MASK]", ("states",)),
        ("the [MASK] of the [MASK]=>people ,  states", "the [MASK] of the [MASK]", ("people", "states")),
        ("a [MASK] => b, c", "a [MASK]", ("b, c",)),
        ("x => y [MASK]", "x => y [MASK]", ()),
        ("x => y [MASK] => z", "x => y [MASK]", ("z",)),
        ("from a => b =>", "from a => b", ()),
        ("nothing", "nothing", ()),
    ],
)
def test_the_words_after_the_last_arrow_are_expected(written: str, text: str, expected: tuple[str, ...]) -> None:
    assert read_probe(written) == ProbeText(text, expected)


@pytest.mark.parametrize("probe", [ProbeText("a [MASK]", ("b",)), ProbeText("a => b"), ProbeText("a", ())])
def test_what_is_written_reads_back_as_the_same(probe: ProbeText) -> None:
    assert read_probe(str(probe)) == probe


def test_lines_are_probes_and_blank_ones_are_none() -> None:
    assert read_probes("  a [MASK] \n\n\tb [MASK] => c\n") == ("a [MASK]", "b [MASK] => c")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nothing hidden => x", "has no [MASK]: 'nothing hidden'"),
        ("[MASK] [MASK] => one", "has 2 masks, and 1 word after =>"),
        ("[MASK] [MASK] => one, ", "has nothing between two commas"),
        ("[MASK]" + "x" * 1000, "has 1,006 characters"),
    ],
)
def test_what_is_wrong_with_a_probe_is_said_where_it_is_configured(written: str, words: str) -> None:
    config = with_values(RunConfig(), {"probes.texts": ("a [MASK]", written)})
    (problem,) = broken_rules(config)
    assert problem.paths == ("probes.texts",)
    assert problem.message.startswith("sentence 2 ") and words in problem.message


def test_a_causal_model_or_a_label_expects_one_word_whatever_its_commas() -> None:
    assert probe_problem("The United => States, of", "clm", has_masks=False) == ""
    assert read_probe("shares fell => Sci/Tech").expected == ("Sci/Tech",)


def test_more_probes_than_are_probed_at_a_time_are_refused_before_anything_is_written() -> None:
    with pytest.raises(ValueError, match="65 sentences are more than the 64"):
        control.check_value("probes", "a [MASK]\n" * 65)
    with pytest.raises(ValueError, match="there is no sentence; write one a line"):
        control.check_value("probes", " \n ")
    assert control.check_value("probes", " a [MASK] \n\nb [MASK] => c\n") == "a [MASK]\nb [MASK] => c"


def test_the_probes_that_hold_are_not_forgotten_over_all_that_is_asked_for_later() -> None:
    def asked(verb: str, value: str) -> ControlAnswered:
        return ControlAnswered(request="1", verb=verb, accepted=True, message="", value=value)

    story = Story()
    for wish in (asked("probes", "old [MASK]"), asked("probes", "a [MASK]\nb [MASK]")):
        story.take(wish, 0.0)
    for number in range(1000):
        story.take(asked("lr", f"x{number}"), 0.0)
    assert probes_now(RunConfig(), story.controls) == ("a [MASK]", "b [MASK]")
    assert len(story.controls) <= 202 and story.controls[-1].value == "x999"
