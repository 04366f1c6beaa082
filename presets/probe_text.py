"""A probe as it is written: a sentence, and after `=>` the words that belong there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from presets.model_schema import MASK_TOKEN

ARROW = "=>"
MOST_PROBES = 64
MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class ProbeText:
    """text: what the model is given. expected: a word for each mask, or one that goes on from it or labels it."""

    text: str
    expected: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As it is written; what reads back as the same."""
        if not self.expected:
            return f"{self.text} {ARROW}" if _arrow(self.text) >= 0 else self.text
        return f"{self.text} {ARROW} {', '.join(self.expected)}"


def read_probe(written: str) -> ProbeText:
    """Understand `the people of the united [MASK] => states`; several words stand between commas, one a mask.

    An arrow before a mask is part of the sentence; one with nothing after it expects nothing. Whether there are as
    many words as masks is for `probe_problem` to say.
    """
    at = _arrow(written)
    if at < 0:
        return ProbeText(written)
    text, after = written[:at].rstrip(), written[at + len(ARROW) :].strip()
    if not after:
        return ProbeText(text)
    if text.count(MASK_TOKEN) > 1:
        return ProbeText(text, tuple(word.strip() for word in after.split(",")))
    return ProbeText(text, (after,))


def read_probes(lines: str) -> tuple[str, ...]:
    """The probes of a text with one a line; blank lines are passed over."""
    return tuple(line.strip() for line in lines.splitlines() if line.strip())


def probe_problem(written: str, kind: str, has_masks: bool) -> str:
    """What is wrong with a probe for an objective, as the end of a sentence that names it; empty when nothing is.

    kind: of the objective. has_masks: whether it fills any.
    """
    probe = read_probe(written)
    num_masks = probe.text.count(MASK_TOKEN)
    if len(written) > MOST_CHARACTERS:
        return f"has {len(written):,} characters, and the most is {MOST_CHARACTERS:,}"
    if kind == "clm" and num_masks:
        return (
            f"has a {MASK_TOKEN}, and a causal model goes on from a beginning; end it before the {MASK_TOKEN}: "
            f"{written!r}"
        )
    if has_masks and not num_masks:
        return f"has no {MASK_TOKEN}: {probe.text!r}"
    if has_masks and probe.expected and len(probe.expected) != num_masks:
        masks = "1 mask" if num_masks == 1 else f"{num_masks} masks"
        words = "1 word" if len(probe.expected) == 1 else f"{len(probe.expected)} words"
        return f"has {masks}, and {words} after {ARROW} (one for each, between commas): {written!r}"
    if any(not word for word in probe.expected):
        return f"has nothing between two commas after {ARROW}: {written!r}"
    return ""


def probes_problem(texts: Sequence[str], kind: str, has_masks: bool) -> str:
    """The first thing that is wrong with some probes, as a sentence; empty when nothing is."""
    if len(texts) > MOST_PROBES:
        return f"{len(texts)} sentences are more than the {MOST_PROBES} that are probed at a time"
    for number, text in enumerate(texts, 1):
        if problem := probe_problem(text, kind, has_masks):
            return f"sentence {number} {problem}"
    return ""


def _arrow(text: str) -> int:
    """Where the arrow stands, which no mask follows; -1 without one."""
    at = text.rfind(ARROW)
    return -1 if at < 0 or MASK_TOKEN in text[at:] else at
