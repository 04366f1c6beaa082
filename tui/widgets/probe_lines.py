"""Probes at one step as lines: words for each mask or labels of a text, how they moved, and texts that go on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.content import Content

from runs.events import Candidate, Probed, ProbeResult
from tui.probe_words import place_words
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.sparkline import sparkline

_BAR_WIDTH = 12
_MOVED = 0.005
_HISTORY_FROM, _HISTORY_WIDTH = 84, 24
"""Cells a pane needs to show how each word's probability went, and cells of that."""
_LEAST_SENTENCE = 16

_Part = Content | str | tuple[str, str]


def fit_probes(
    probes: Sequence[ProbeResult],
    before: Probed | None,
    width: int,
    height: int,
    history: Sequence[Probed] = (),
) -> list[Content]:
    """As many candidates for each mask, and lines of each text that goes on, as fit.

    Where not even one does, a sign says how many are missing. history: all probings, for the way that each word's
    probability went, where there is room for it.
    """
    texts = [_generated(probe, width, height) for probe in probes]
    past = _Past(history if width >= _HISTORY_FROM else ())
    parts = [len(mask) for probe in probes for mask in probe.masks] + [len(text) for text in texts]
    most = min(max(parts, default=1), height)
    for may_be_below in (True, False):
        headings = [_heading(probe, width, may_be_below) for probe in probes]
        num_heads = sum(map(len, headings))
        for num in range(most, 0, -1):
            num_lines = num_heads + sum(min(part, num) for part in parts)
            for spaced in (True, False):
                if num_lines + (len(probes) - 1 if spaced else 0) <= height:
                    return _lines(probes, headings, texts, before, width, num, spaced, past)
    lines = _lines(probes, headings, texts, before, width, 1, False, past)
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], plain(f"… {len(lines) - height + 1} more lines: z enlarges", style=FAINT)]


class _Past:
    """Probabilities of a word in a mask over all probings."""

    def __init__(self, probed: Sequence[Probed]) -> None:
        self._by_text = [{probe.text: probe for probe in one.probes} for one in probed]

    def line(self, text: str, mask: int, token: str) -> str:
        """A sparkline, with a gap where the word was not among those that were kept; empty without a past."""
        if len(self._by_text) < 2:
            return ""
        values = [self._probability(probes.get(text), mask, token) for probes in self._by_text]
        return sparkline(values, _HISTORY_WIDTH, 0.0, 1.0)

    def _probability(self, probe: ProbeResult | None, mask: int, token: str) -> float | None:
        if probe is None or mask >= len(probe.masks):
            return None
        return next((one.probability for one in probe.masks[mask] if one.token == token), None)


def _lines(
    probes: Sequence[ProbeResult],
    headings: Sequence[Sequence[Content]],
    texts: Sequence[Sequence[str]],
    before: Probed | None,
    width: int,
    num: int,
    spaced: bool,
    past: _Past,
) -> list[Content]:
    """At most `num` candidates of a mask and lines of a text. texts: how each goes on, wrapped."""
    earlier = {probe.text: probe for probe in before.probes} if before else {}
    lines: list[Content] = []
    for probe, heading, text in zip(probes, headings, texts, strict=True):
        if spaced and lines:
            lines.append(Content(""))
        lines += heading
        last = earlier.get(probe.text)
        for number, mask in enumerate(probe.masks):
            old = last.masks[number] if last is not None and number < len(last.masks) else None
            lead = f"{number + 1} " if len(probe.masks) > 1 else "  "
            step = before.step if before else 0
            belongs = probe.expected[number].token if number < len(probe.expected) else ""
            for candidate in mask[:num]:
                way = past.line(probe.text, number, candidate.token)
                lines.append(_candidate(candidate, old, step, lead, width, way, candidate.token == belongs))
        lines += [plain(line) for line in _first(text, num, width)]
    return lines


def _heading(probe: ProbeResult, width: int, may_be_below: bool) -> list[Content]:
    """The sentence, and where the words that belong in it stand: beside it, or below where that is too long.

    may_be_below: there is a line for it; else it is said in fewer words, and the sentence is cut if need be.
    """
    unknown = f"  ({probe.num_unknown} unknown)" if probe.num_unknown else ""
    ranks, free = _ranks(probe, width), width - len(unknown)
    if not ranks:
        return [plain(_sentence(probe.text, free) + unknown, style="bold")]
    if len(_sentence(probe.text, width)) + len(ranks) + 1 > free:
        if may_be_below:
            sentence = _sentence(probe.text, free) + unknown
            return [plain(sentence, style="bold"), plain(f"  {ranks}", width, "$text-accent")]
        ranks = _places(probe)
    room = free - len(ranks) - 1
    if room < _LEAST_SENTENCE:
        return [plain(_sentence(probe.text, free) + unknown, style="bold")]
    sentence = _sentence(probe.text, room)
    gap = "  " if len(sentence) < room else " "
    return [Content.assemble(plain(sentence + unknown, style="bold"), gap, plain(ranks, style="$text-accent"))]


def _ranks(probe: ProbeResult, width: int) -> str:
    """`→ states 3rd 12.4%`; the probability only where there is much room."""
    words = []
    for number, word in enumerate(probe.expected, 1):
        lead = f"{number} " if len(probe.expected) > 1 else ""
        name = safe_text(word.word, 20)
        if not word.rank:
            words.append(f"{lead}{name} not known")
        elif width >= 70:
            words.append(f"{lead}{name} {place_words(word.rank)} {word.probability:.1%}")
        else:
            words.append(f"{lead}{name} {place_words(word.rank)}")
    return f"→ {' · '.join(words)}" if words else ""


def _places(probe: ProbeResult) -> str:
    """`→ 3rd`: the same in the fewest words."""
    places = (place_words(word.rank) if word.rank else "?" for word in probe.expected)
    return f"→ {' · '.join(places)}"


def _generated(probe: ProbeResult, width: int, num: int) -> list[str]:
    """How a text goes on, in at most `num` lines; slow, so done once, and cut by `_first`."""
    return textwrap.wrap(
        safe_text(probe.generated, 4000),
        max(width, 12),
        max_lines=num,
        placeholder=" …",
        initial_indent="  →",
        subsequent_indent="  ",
    )


def _first(lines: Sequence[str], num: int, width: int) -> list[str]:
    """The first `num` lines; a `…` stands for the rest."""
    if len(lines) <= num:
        return list(lines)
    last = lines[num - 1]
    while len(last) + 2 > max(width, 12):
        before, _, _ = last.rpartition(" ")
        if not before.strip():
            return [*lines[: num - 1], last[: max(width, 12) - 1] + "…"]
        last = before.rstrip()
    return [*lines[: num - 1], f"{last} …"]


def _sentence(text: str, width: int) -> str:
    """The sentence, cut where its mask is not when it is too long."""
    text = safe_text(text, 400)
    if len(text) <= width:
        return text
    mask = text.find("[MASK]")
    start = max(0, min(mask + 6 + (width - 6) // 2 - width, len(text) - width)) if mask >= 0 else 0
    cut = text[start : start + width]
    if start:
        cut = "…" + cut[1:]
    return cut if start + width >= len(text) else cut[:-1] + "…"


def _candidate(
    candidate: Candidate,
    old: tuple[Candidate, ...] | None,
    step: int,
    lead: str,
    width: int,
    way: str,
    belongs: bool,
) -> Content:
    room = max(6, min(16, (width - 18) // 3))
    word = safe_text(candidate.token, room).ljust(room)
    bar_width = max(4, min(_BAR_WIDTH, width - room - 28))
    length = candidate.probability * bar_width
    bar = ("▇" * round(length) or "▏").ljust(bar_width)
    parts: list[_Part] = [
        lead,
        (word, "$text-accent bold" if belongs else ""),
        " ",
        (bar, "$text-primary"),
        f" {candidate.probability:6.1%}",
    ]
    free = width - len(lead) - room - bar_width - 10
    if way:
        parts.append((f"  {way}", "$text-primary"))
        free -= len(way) + 2
    parts.append((next((f"  {words}" for words in _moved(candidate, old, step) if len(words) <= free), ""), FAINT))
    return Content.assemble(*parts)


def _moved(candidate: Candidate, old: tuple[Candidate, ...] | None, step: int) -> tuple[str, ...]:
    """How it moved since the step before, in a long and in a short form."""
    if old is None:
        return ()
    was = next((one.probability for one in old if one.token == candidate.token), None)
    if was is None:
        return f"▲ new since @{step:,}", "▲ new"
    difference = candidate.probability - was
    if abs(difference) < _MOVED:
        return ()
    sign = "▲" if difference > 0 else "▼"
    return f"{sign} was {was:.1%} @{step:,}", f"{sign} was {was:.1%}"
