"""Hostile texts: what may stand in a run's name, a log line or a dataset to act on a terminal or on the app."""

from __future__ import annotations

import itertools
import random

MARK = "Qq"  # stands in every payload's visible part, so that one finds where it is drawn

# what a terminal would do; the numbers are ones that Textual never sends
_STRINGS = {
    "clipboard": "52;c;{mark}ZXZpbA==",
    "title": "0;{mark}gotcha",
    "icon": "1;{mark}gotcha",
    "link": "8;;http://evil.example/{mark}",
    "palette": "4;1;#{mark}ff0000",
    "notification": "9;{mark}gotcha",
    "iTerm file": "1337;File=inline=1:{mark}AAAA",
    "iTerm property": "1337;SetMark{mark}",
    "shell mark": "133;A{mark}",
    "folder": "7;file://evil/{mark}",
    "kitty clipboard": "5522;type=read{mark}",
    "query": "10;?{mark}",
}
_DEVICE = {"kitty picture": "G", "sixel": "q", "request": "$q", "device string": "+q", "user string": "0"}
_SEQUENCES = {
    "conceal": "8;53;66m", "clear": "3J", "home": "77;777H", "up": "99A", "scroll": "77S", "insert": "66@",
    "delete lines": "66M", "reset modes": "!p", "report": "66n", "attributes": ">66c", "window": "21t",
    "resize": "8;5;5t", "iconify": "2t", "mouse": "?1002;1005h", "alternate": "?47h", "focus": "?1004;66h",
    "keypad": "?66h", "paste": "?2004;66l", "print": "5i", "region": "6;6r", "repeat": "66b", "save": "66s",
    "cursor": "6 q", "kitty keys": "=66u", "tab clear": "6g", "erase": "66X", "colour": "38:5:66m",
}  # fmt: skip
_ESCAPES = [
    "c",
    "7",
    "8",
    "D",
    "E",
    "H",
    "M",
    "N",
    "O",
    "Z",
    "=",
    ">",
    "n",
    "o",
    "|",
    "}",
    "~",
    "#8",
    "(0",
    "%G",
    " F",
]
_SINGLES = [*range(0x20), 0x7F, *range(0x80, 0xA0)]
_INVISIBLE = [
    0x00AD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF,
    0xFFF9, 0xFFFA, 0xFFFB, 0xE0001, 0xE0041, 0x1D173, 0x1BCA0,
]  # fmt: skip
_MARKUP = [
    "[@click=app.bell]{mark}[/]",
    "[@click='app.bell']{mark}[/@click]",
    "[@click=bell]{mark}",
    "[@click=app.quit]{mark}[/]",
    "[@click=screen.stop]{mark}[/]",
    "[bold red]{mark}",
    "[/{mark}",
    "{mark}[/",
    "{mark}[/]",
    "{mark}[/red]",
    "[/bold]{mark}",
    "[link=http://evil.example]{mark}[/link]",
    "[{mark}",
    "]{mark}[",
    "\\[{mark}",
    "[[{mark}]]",
    "[$error]{mark}[/]",
    "[on red]{mark}",
    "[reverse][blink]{mark}",
    "[#12345]{mark}",
    "[not a style]{mark}[/not a style]",
    "[@click={mark}",
    '["]{mark}',
    "[a=b c='{mark}']",
    "[]{mark}[]",
    "[ ]{mark}",
    "{mark}\\",
    "[/@click]{mark}",
    "[{mark}=\x1b[66m]",
]
_OTHER = [
    "{mark}" + "\u0301" * 3000,
    "\u0488" * 500 + "{mark}",
    "{mark}" + "\ufe0f" * 400,
    "{mark}" * 30_000,
    "{mark}" + "\x1b" * 20_000,
    "{mark}\rcovered",
    "{mark}\nsecond line\nthird",
    "{mark}\r\n\r\n",
    "{mark}\x08\x08\x08gone",
    "{mark}\ttab\x0bdown\x0cpage",
    "\ud800{mark}\udfff",
    "{mark}\udc9b31m",
    "﷽" * 40 + "{mark}",
    "👩‍👩‍👧‍👦" * 20 + "{mark}",
    "\u202e" * 200 + "{mark}",
    "{mark}🏴\U000e0067\U000e0062\U000e007f",
    "{mark}\u2028\u2029line",
    "\x00{mark}\x00",
    "{mark}; rm -rf ~",
    "$(touch {mark})",
    "`touch {mark}`",
    "--{mark}",
    "../../{mark}",
    "{mark}%s%n{}",
    "%{mark}%",
    "{{mark}}",
    "{mark}\x1b[66m\x1b]0;x\x07\x9b66m",
]


def payloads(num: int = 600, seed: int = 1) -> list[str]:
    """`num` different hostile texts, every kind of them among the first 600."""
    found = [*_every_kind()]
    rng = random.Random(seed)
    while len(found) < num:
        parts = rng.sample(found[:500], 3)
        found.append("".join(part[:40] for part in parts) + f"{MARK}{len(found)}")
    rng.shuffle(found)
    return list(dict.fromkeys(found))[:num]


def _every_kind() -> list[str]:
    made: list[str] = []
    for body in _STRINGS.values():
        begins, ends = ("\x1b]", "\x9d"), ("\x07", "\x1b\\", "\x9c", "")
        made += [b + body.replace("{mark}", MARK) + e + MARK for b, e in itertools.product(begins, ends)]
    for body in _DEVICE.values():
        for begin in ("\x1bP", "\x90", "\x1b_", "\x9f", "\x1b^", "\x9e", "\x1bX", "\x98"):
            made.append(f"{begin}{body}{MARK}\x1b\\{MARK}")
    for body in _SEQUENCES.values():
        made += [f"{begin}{body}{MARK}" for begin in ("\x1b[", "\x9b", "\x1b\x1b[", "\x1b[\x1b[", "\xc2\x9b")]
    made += [f"{MARK}\x1b{letter}{MARK}" for letter in _ESCAPES]
    made += [f"{MARK}{chr(code)}{MARK}{code:x}" for code in _SINGLES]
    made += [f"{MARK}{chr(code)}{MARK}{code:x}" for code in _INVISIBLE]
    made += [text.replace("{mark}", MARK) for text in (*_MARKUP, *_OTHER)]
    # what stands at the edge of a cut, and what markup hides
    made += [
        f"{'x' * width}\x1b]0;{MARK}\x07" for width in (5, 13, 14, 15, 16, 17, 39, 40, 59, 60, 61, 119, 299, 399)
    ]
    made += [f"[@click=app.bell]{MARK}\x1b[{body}[/]" for body in _SEQUENCES.values()]
    return list(dict.fromkeys(made))


def writable(text: str) -> str:
    """The text without what no file can hold as UTF-8."""
    return text.encode("utf-8", "replace").decode()
