"""Hostile text: whatever comes in, nothing that acts on a terminal or an app comes out."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui.safe_text import both_ends, plain, safe_json, safe_lines, safe_text

PAYLOADS = {
    "clipboard, OSC 52": "\x1b]52;c;ZXZpbA==\x07",
    "window title": "\x1b]0;gotcha\x1b\\",
    "link, OSC 8": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clear screen": "\x1b[2J\x1b[H",
    "C1 control sequence": "\x9b2J",
    "C1 operating system command": "\x9d0;title\x9c",
    "device control": "\x90q\x9c",
    "DEL and backspace": "abc\x08\x08\x7f",
    "right to left": "safe\u202egpj.exe",
    "isolates": "\u2066x\u2069",
    "zero width": "a\u200bb\u200dc\ufeff",
    "line and paragraph separators": "a\u2028b\u2029c",
    "lone surrogate": "a\ud800b",
    "tag characters": "a\U000e0041",
    "carriage return": "good\rbad",
    "soft hyphen": "a\xadb",
}
MARKUP = ["[/", "[/red]", "[@click=app.quit]x[/]", "[bold]x", "[link=http://evil.example]x[/link]", "\\[", "]["]


# format characters that a reader sees: signs of Arabic, Syriac and Kaithi numbers
VISIBLE_FORMAT = {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606)}


def is_harmless(character: str) -> bool:
    acts = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not acts or ord(character) in VISIBLE_FORMAT


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_payload_comes_out_visible_and_without_effect(payload: str) -> None:
    made_safe = safe_text(payload)
    assert all(is_harmless(character) for character in made_safe), ascii(made_safe)
    assert made_safe != payload
    made_safe.encode("utf-8")  # a lone surrogate would raise here, and in the terminal driver


def test_of_a_long_name_both_ends_are_kept() -> None:
    names = [f"layers.{'x' * 90}.grad_norm_{number:03d}" for number in range(3)]
    shown = [both_ends(name, 40) for name in names]
    assert len(set(shown)) == 3 and all(len(name) == 40 and name.startswith("layers.x") for name in shown)
    assert [both_ends("abc", limit) for limit in range(4)] == ["…", "…", "a…", "abc"]
    assert both_ends("\x1b[2J", 40) == "␛[2J"


def test_of_all_characters_there_are_none_acts() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    made_safe = safe_text(everything, limit=len(everything))
    assert {hex(ord(character)) for character in made_safe if not is_harmless(character)} == set()


@given(st.text(alphabet=st.characters(), max_size=200))
def test_no_text_at_all_lets_a_control_character_through(text: str) -> None:
    assert all(is_harmless(character) for character in safe_text(text))
    assert all(character == "\n" or is_harmless(character) for character in safe_lines(text))


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_is_shown_as_it_stands(markup: str) -> None:
    content = plain(markup)
    assert isinstance(content, Content)
    assert content.plain == markup
    assert content.spans == []


def test_a_style_is_ours_and_never_the_texts() -> None:
    content = plain("[@click=app.quit]x[/]", style="bold")
    assert content.plain == "[@click=app.quit]x[/]"
    assert [span.style for span in content.spans] == ["bold"]


def test_json_keeps_its_value_and_loses_what_acts() -> None:
    text = "".join(PAYLOADS.values()) + "\x7f\U0001bca0 naïve 日本語 🙂"
    for value in (text, {text: [text]}):
        document = json.dumps(value, ensure_ascii=False, indent=2)
        made_safe = safe_json(document)
        assert all(character == "\n" or is_harmless(character) for character in made_safe), ascii(made_safe)
        assert json.loads(made_safe) == json.loads(document)
        assert "naïve 日本語 🙂" in made_safe


def test_a_heap_of_accents_is_cut_to_what_a_script_needs() -> None:
    assert safe_text("a" + "\u0301" * 1000 + "b") == "a" + "\u0301" * 4 + "�b"
    assert safe_text("e\u0301\u0323 ❤️") == "e\u0301\u0323 ❤️"


def test_ordinary_text_is_left_alone() -> None:
    for text in ("the people of the united [MASK]", "naïve 日本語 🙂 ‹›·—“”", ""):
        assert safe_text(text) == text


def test_tabs_become_spaces_and_line_feeds_a_sign() -> None:
    assert safe_text("a\tb\nc") == "a    b␊c"
    assert safe_lines("a\tb\r\nc\rd") == "a    b\nc␍d"


def test_what_is_cut_off_leaves_a_sign() -> None:
    assert safe_text("abcdef", 4) == "abc…"
    assert safe_text("abcd", 4) == "abcd"
    assert len(safe_text("\x9b" * 5000, 100)) == 100
    assert len(safe_lines("x\n" * 50_000)) == 20_000


def test_an_endless_text_costs_no_more_than_its_limit() -> None:
    assert safe_text("\x1b" * 10_000_000, 10) == "␛" * 9 + "…"
