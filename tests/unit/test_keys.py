"""A person's own keys: what is moved, what is refused, and that what is refused is said."""

from __future__ import annotations

import pytest
from textual.binding import Binding, BindingsMap

from tui.commands import Command, bindings_of, shown
from tui.keys import OwnKeys, key_names, rebind, resolve, unknown_problems

EVERYWHERE = (
    Command("quit", "q", "Quit", "Leave.", "quit"),
    Command("help", "question_mark", "Help", "Help.", "help"),
)
SCREEN = (
    Command("resume", "r,p", "Resume", "Go on.", "resume"),
    Command("pause", "p", "Pause", "Pause.", "pause"),
    Command("kill", "X", "Kill", "Kill.", "kill"),
    Command("first", "", "First", "To the front.", "queue_move('first')"),
)


def keys_of(commands: tuple[Command, ...]) -> dict[str, str]:
    return {command.id: command.key for command in commands}


def bound(bindings: BindingsMap) -> dict[str, set[str]]:
    """The keys of every action."""
    found: dict[str, set[str]] = {}
    for key, several in bindings.key_to_bindings.items():
        for one in several:
            found.setdefault(one.action, set()).add(key)
    return found


@pytest.mark.parametrize(
    ("written", "named"),
    [("?", "question_mark"), ("ctrl+k", "ctrl+k"), ("K", "K"), ("left, h", "left,h"), (",", "comma"), ("", "")],
)
def test_keys_are_written_as_they_are_typed(written: str, named: str) -> None:
    assert key_names(written) == named


@pytest.mark.parametrize("written", ["ctlr+k", "bogus", "a b", "ctrl+", "ctrl+c", "x,,y"])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"key|meaning"):
        key_names(written)


def test_a_key_for_one_screen_goes_before_one_for_all() -> None:
    keys = {"kill": "f9", "monitor.kill": "ctrl+k"}
    assert keys_of(resolve("monitor", SCREEN, keys).commands)["kill"] == "ctrl+k"
    assert keys_of(resolve("runs", SCREEN, keys).commands)["kill"] == "f9"


def test_a_key_that_another_command_has_is_left_and_said() -> None:
    found = resolve("monitor", SCREEN, {"kill": "p"}, EVERYWHERE)
    assert found.commands == SCREEN
    assert found.problems == (
        "keys: on monitor kill stays as it was, since p is Resume (resume); give that another key too",
    )
    assert "q is Quit (quit)" in resolve("monitor", SCREEN, {"kill": "q"}, EVERYWHERE).problems[0]


def test_two_commands_may_change_places() -> None:
    found = resolve("monitor", SCREEN, {"kill": "p", "pause": "X", "resume": "r"})
    assert not found.problems
    assert keys_of(found.commands) == {"resume": "r", "pause": "X", "kill": "p", "first": ""}


def test_a_command_of_the_palette_can_be_given_a_key_and_one_with_a_key_can_lose_it() -> None:
    found = resolve("monitor", SCREEN, {"first": "f7", "kill": ""})
    assert (keys_of(found.commands)["first"], keys_of(found.commands)["kill"]) == ("f7", "")


def test_bindings_move_with_what_stands_beside_them_and_others_on_the_same_key_stay() -> None:
    beside = (Binding("r", "resume_only", "Resume"), Binding("X", "refuse('kill')", show=False))
    bindings = BindingsMap([beside[0], *bindings_of(SCREEN), beside[1]])
    class_list = bindings.key_to_bindings["p"]
    after = resolve("monitor", SCREEN, {"resume": "f5", "kill": "f9", "first": "f7"}).commands
    rebind(bindings, SCREEN, after)
    assert bound(bindings) == {
        "resume": {"f5"}, "resume_only": {"f5"}, "pause": {"p"}, "kill": {"f9"}, "refuse('kill')": {"f9"},
        "queue_move('first')": {"f7"},
    }  # fmt: skip
    assert len(class_list) == 2, "the list belongs to every screen of the class"


def test_a_key_of_everywhere_that_a_screen_hides_is_said() -> None:
    own = OwnKeys({"quit": "X"}, EVERYWHERE)
    assert own.app_commands[0].key == "X"
    own.resolved("monitor", SCREEN)
    assert own.problems == ["keys.quit: on monitor X is Kill, not Quit"]


def test_an_entry_that_means_nothing_is_said() -> None:
    scopes = {"app": EVERYWHERE, "monitor": SCREEN}
    assert unknown_problems({"monitor.kill": "a", "quit": "b"}, scopes) == []
    problems = unknown_problems({"kil": "a", "monitor.quit": "b", "moniter.kill": "c"}, scopes)
    assert problems == [
        "keys.kil: there is no command kil",
        "keys.monitor.quit: there is no command quit on monitor",
        "keys.moniter.kill: there is no screen moniter; there are app, monitor",
    ]


def test_keys_are_shown_as_people_read_them() -> None:
    assert [shown(key) for key in ("question_mark", "ctrl+s", "slash", "K", "f12")] == ["?", "^s", "/", "K", "f12"]
