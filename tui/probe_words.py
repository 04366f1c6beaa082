"""Probes in words: where the word that belongs in a mask stands, now and over the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runs.events import Expected, Probed
from runs.probe_texts import probes_now
from runs.snapshot import RunSnapshot
from tui.safe_text import safe_text


@dataclass(frozen=True)
class Rank:
    """One word of one sentence over the run. steps, ranks: of the probings that know it. last: as it is shown."""

    text: str
    word: str
    steps: tuple[int, ...]
    ranks: tuple[int, ...]
    last: Expected


def ranks_of(probed: Sequence[Probed], shown: int) -> tuple[Rank, ...]:
    """The words of the probing with that index, with all their ranks before and after it."""
    if not probed:
        return ()
    by_text = [(one.step, {probe.text: probe.expected for probe in one.probes}) for one in probed]
    found: list[Rank] = []
    for probe in probed[shown].probes:
        for number, word in enumerate(probe.expected):
            points = [
                (step, same.rank)
                for step, texts in by_text
                for same in texts.get(probe.text, ())[number : number + 1]
                if same.word == word.word and same.rank
            ]
            steps, ranks = zip(*points, strict=True) if points else ((), ())
            found.append(Rank(probe.text, word.word, steps, ranks, word))
    return tuple(found)


def rank_words(word: Expected, width: int = 80) -> str:
    """`states is 3rd, 12.4%`, or that the vocabulary does not know it."""
    name = safe_text(word.word, max(8, width - 16))
    if not word.rank:
        return f"{name} is not in the vocabulary"
    piece = "" if word.num_tokens == 1 else f", by its first of {word.num_tokens} tokens"
    return f"{name} is {place_words(word.rank)}, {word.probability:.1%}{piece}"


def place_words(rank: int) -> str:
    """`1st`, `2nd`, `1,204th`."""
    tens, ones = rank // 10 % 10, rank % 10
    return f"{rank:,}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"


def why_no_probes(snapshot: RunSnapshot) -> str:
    """Why there are no words to show, and when some come."""
    if snapshot.config is not None and not probes_now(snapshot.config, snapshot.controls):
        return "this run has no probe sentences" + ("; B writes some" if snapshot.status.is_live else "")
    if not snapshot.status.is_live:
        return "it was not probed"
    every = snapshot.config.probes.every if snapshot.config is not None else 0
    if snapshot.splices and every:  # it goes on where nothing was probed, as a fork does
        due = (snapshot.step // every + 1) * every
        return f"the next probes come at step {min(due, snapshot.total_steps or due):,}; b probes now"
    return "the first probes come before the first step"
