"""Words put in the place of masks, and masks in the place of words."""

from __future__ import annotations

import pytest

from tui.mask_text import appended, filled, hidden, masks_in, word_at


@pytest.mark.parametrize(
    ("text", "place", "token", "expected"),
    [
        ("the united [MASK] of", 0, "states", "the united states of"),
        ("[MASK] and [MASK]", 1, "peace", "[MASK] and peace"),
        ("he was sleep [MASK] there", 0, "…ing", "he was sleeping there"),
        ("wait [MASK]", 0, "…", "wait …"),
        ("a[MASK]b", 0, "␣", "a b"),
    ],
)
def test_a_word_takes_the_place_of_a_mask(text: str, place: int, token: str, expected: str) -> None:
    assert filled(text, place, token) == (expected, "")


def test_what_cannot_be_written_says_so_and_changes_nothing() -> None:
    text, problem = filled("a [MASK]", 0, "\\xe2")
    assert text == "a [MASK]" and "not a character of its own" in problem
    assert filled("no mask", 0, "a")[1] and filled("a [MASK]", 1, "a")[1]
    assert appended("a", "\\n") == (
        "a",
        "\\n is not a character of its own, so it cannot be written into the text",
    )


@pytest.mark.parametrize(
    ("text", "token", "expected"),
    [("we", "the", "we the"), ("we ", "the", "we the"), ("", "we", "we"), ("sleep", "…ing", "sleeping"),
     ("we", ",", "we,")],
)  # fmt: skip
def test_a_next_token_stands_as_texts_have_it(text: str, token: str, expected: str) -> None:
    assert appended(text, token) == (expected, "")


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("the people", (4, 10), "the [MASK]"),
        ("the people", (3, 10), "the [MASK]"),  # vocabularies whose words begin with their space
        ("sleeping", (5, 8), "sleep [MASK]"),
        ("sleeping", (0, 5), "[MASK] ing"),
        ("(a)", (1, 2), "([MASK])"),
        ("a b", (3, 3), "a b [MASK]"),
    ],
)
def test_a_mask_takes_the_place_of_a_token(text: str, span: tuple[int, int], expected: str) -> None:
    hid = hidden(text, *span)
    assert hid == expected and masks_in(hid) == 1


def test_the_word_at_the_cursor_is_found_from_its_middle_and_its_end() -> None:
    assert word_at("the people's will", 6) == word_at("the people's will", 12) == (4, 12)
    assert word_at("a  b", 2) == (2, 2)
    assert word_at("x [MASK]", 5) == (2, 8)
