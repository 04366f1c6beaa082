"""What the Playground is about: the checkpoints, the text, the view, what was tried; and how it is remembered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args

from runs.folder import RunFolder
from runs.playground import MOST_CHARACTERS, MOST_SHOWN, Answer, Request, View
from runs.safe_files import RUN_ID

Shown = Literal["words", "tokens", "attention", "neighbours", "writing"]
SHOWN: tuple[Shown, ...] = get_args(Shown)
_MOST_TRIED = 200
_LONGEST_WORD = 200
_LONGEST_TRIED = 4_000  # characters: all of them are written anew when the dashboard remembers
_NEIGHBOURS = 40
_VIEW_OF: Mapping[Shown, View] = {
    "words": "likely", "tokens": "losses", "attention": "attention", "neighbours": "neighbours",
}  # fmt: skip


@dataclass(frozen=True)
class Sampling:
    """How a causal model draws; None is as in the run's settings."""

    new_tokens: int | None = None
    temperature: float | None = None
    sample_top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Tried:
    """A text that was asked, of what, when (Unix seconds), and what came of it in a word or two."""

    text: str
    run: str = ""
    checkpoint: str = ""
    when: float = 0.0
    result: str = ""


@dataclass
class Side:
    """One of the two checkpoints. answer: to the newest request that has one. asked: id of the newest request.

    is_new: just chosen, and nobody has looked yet what kind of run it is of. kind: of its objective, when known.
    seen_step: of the checkpoint when its run was looked at last.
    """

    slot: str
    folder: RunFolder | None = None
    name: str = ""
    checkpoint: str = "last"
    is_new: bool = False
    kind: str = ""
    seen_step: int | None = None
    answer: Answer | None = None
    problem: str = ""
    asked: int = 0
    asked_at: float = 0.0
    answered: int = 0
    took_s: float = 0.0
    loading: str = ""
    written: str = ""
    writes: int = 0
    is_writing: bool = False

    def choose(self, folder: RunFolder | None, name: str, checkpoint: str) -> None:
        """Another checkpoint: what the former said counts no more."""
        self.folder, self.name, self.checkpoint = folder, name, checkpoint or "last"
        self.answer, self.problem, self.loading, self.written, self.is_writing = None, "", "", "", False
        self.answered = self.asked
        self.is_new, self.kind, self.seen_step = folder is not None, "", None


@dataclass
class PlaygroundState:
    """All of it; screens hold one. is_own: whether the text is somebody's, and not the first probe of the run."""

    text: str = ""
    is_own: bool = False
    shown: Shown = "words"
    layer: int = 1
    head: int = 1
    word: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    tried: tuple[Tried, ...] = ()
    first: Side = field(default_factory=lambda: Side("first"))
    second: Side = field(default_factory=lambda: Side("second"))
    last_id: int = 0

    @property
    def sides(self) -> tuple[Side, ...]:
        """Those that have a checkpoint, the first one first."""
        return tuple(side for side in (self.first, self.second) if side.folder is not None)

    @property
    def folders(self) -> tuple[RunFolder, ...]:
        """The runs of these, each once."""
        return tuple(dict.fromkeys(side.folder for side in self.sides if side.folder is not None))

    def request(self, side: Side, views: tuple[Shown, ...], word: str) -> Request:
        """What to ask that side for these views. word: whose neighbours are shown."""
        assert side.folder is not None
        self.last_id += 1
        side.asked, side.asked_at = self.last_id, time.monotonic()
        asked = tuple(_VIEW_OF[one] for one in views if one in _VIEW_OF)
        return Request(
            run=str(side.folder.path),
            text=self.text,
            checkpoint=side.checkpoint,
            top_k=MOST_SHOWN,
            views=asked or ("likely",),
            layer=self.layer,
            head=self.head,
            word=word,
            neighbours=_NEIGHBOURS,
            id=self.last_id,
            slot=side.slot,
        )

    def writing_request(self, side: Side) -> Request:
        """Let that side go on from the text, said as it grows."""
        assert side.folder is not None
        self.last_id += 1
        side.writes, side.is_writing, side.written = self.last_id, True, ""
        return Request(
            run=str(side.folder.path),
            text=self.text,
            checkpoint=side.checkpoint,
            views=("predict",),
            id=self.last_id,
            slot=f"{side.slot} writes",
            stream=True,
            new_tokens=self.sampling.new_tokens,
            temperature=self.sampling.temperature,
            sample_top_k=self.sampling.sample_top_k,
            top_p=self.sampling.top_p,
            seed=self.sampling.seed,
        )

    def stopping_request(self, side: Side) -> Request:
        """A request that takes the place of the one that writes, and is answered at once."""
        assert side.folder is not None
        self.last_id += 1
        return Request(
            run=str(side.folder.path),
            checkpoint=side.checkpoint,
            views=(),
            id=self.last_id,
            slot=f"{side.slot} writes",
        )

    def keep(self, result: str = "", text: str | None = None) -> None:
        """Put the text, or another one, on top of what was tried; one that was there moves up."""
        text = self.text if text is None else text
        if not text.strip() or len(text) > _LONGEST_TRIED:
            return
        run = self.first.folder.id if self.first.folder is not None else ""
        tried = Tried(text, run, self.first.checkpoint, time.time(), result)
        others = tuple(one for one in self.tried if one.text != text)
        self.tried = (tried, *others)[:_MOST_TRIED]

    def to_remember(self) -> dict[str, Any]:
        """JSON-able values for the next start."""
        return {
            **{
                name: _place(side) for name, side in (("run", self.first), ("against", self.second)) if side.folder
            },
            **({"text": self.text} if self.is_own else {}),
            **{name: getattr(self, name) for name in ("shown", "layer", "head", "word")},
            "sampling": {name: value for name, value in vars(self.sampling).items() if value is not None},
            "tried": [vars(one) for one in self.tried],
        }

    def recall(self, values: Mapping[str, Any], runs: Path) -> None:
        """Take over what can be used of remembered values; the checkpoints are of runs in that folder."""
        text = values.get("text")
        if isinstance(text, str) and text.strip() and len(text) <= MOST_CHARACTERS:
            self.text, self.is_own = text, True
        if (shown := values.get("shown")) in SHOWN:
            self.shown = shown
        word = values.get("word")
        self.word = word if isinstance(word, str) and len(word) <= _LONGEST_WORD else ""
        self.sampling = _sampling(values.get("sampling"))
        tried = values.get("tried")
        if isinstance(tried, list):
            self.tried = tuple(one for one in map(_tried, tried[:_MOST_TRIED]) if one is not None)
        for name, side in (("run", self.first), ("against", self.second)):
            place = _recalled_place(values, name, runs)
            if place is not None and place[0].path.is_dir():
                side.choose(place[0], "", place[1])
        if self.first.folder is not None:  # another model may have fewer
            self.layer, self.head = _number(values.get("layer")), _number(values.get("head"))


def _recalled_place(values: Mapping[str, Any], name: str, runs: Path) -> tuple[RunFolder, str] | None:
    """The run and the checkpoint remembered as `run` or `against`; None for what names no run."""
    place = values.get(name)
    if not isinstance(place, list) or len(place) != 2 or not all(isinstance(part, str) for part in place):
        return None
    run, checkpoint = place
    return (RunFolder(runs / run), checkpoint) if RUN_ID.fullmatch(run) else None


def _number(value: Any) -> int:
    """Of a layer or a head; the first for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1000 else 1


def _place(side: Side) -> list[str]:
    return [side.folder.id if side.folder is not None else "", side.checkpoint]


def _tried(value: Any) -> Tried | None:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    tried = Tried(value["text"][:MOST_CHARACTERS])
    when = value.get("when")
    words = {
        name: value[name][:200] for name in ("run", "checkpoint", "result") if isinstance(value.get(name), str)
    }
    return replace(tried, when=float(when) if isinstance(when, int | float) else 0.0, **words)


def _sampling(value: Any) -> Sampling:
    if not isinstance(value, dict):
        return Sampling()
    kinds: dict[str, type | UnionType] = {
        "new_tokens": int, "temperature": int | float, "sample_top_k": int, "top_p": int | float, "seed": int,
    }  # fmt: skip
    found = {
        name: value[name]
        for name, kind in kinds.items()
        if isinstance(value.get(name), kind) and not isinstance(value[name], bool)
    }
    return Sampling(**found)
