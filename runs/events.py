"""What an engine says in `events.jsonl`, as frozen records told apart by their `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class _Event(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True):
    """seq: order within the attempt. time: Unix seconds. step: updates made so far."""

    seq: int = 0
    time: float = 0.0
    step: int = 0


class AttemptStarted(_Event, frozen=True, tag="attempt_started"):
    """The model is built, the data are ready, the first step comes next.

    step: the step it continues from (0 for a fresh start). dataset: what is really read.
    tokens_per_step: tokens of one global batch. unknown_rate: share of [UNK] in the validation split.
    token_cache: key of the cache it reads. commit: of the hub dataset in it. train_*: of a stream, so far.
    """

    dataset: str
    device: str
    precision: str
    num_processes: int
    num_parameters: int
    total_steps: int
    vocab_size: int
    train_rows: int
    validation_rows: int
    train_tokens: int
    tokens_per_step: int
    unknown_rate: float
    resumed_from: str = ""
    token_cache: str = ""
    commit: str = ""


class Progress(_Event, frozen=True, tag="progress"):
    """A long step, such as tokenising; total is 0 while it is not known.

    rate: units a second. eta_s: seconds to the end; both None until they can be told.
    """

    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    eta_s: float | None = None


class Baselines(_Event, frozen=True, tag="baselines"):
    """What knowing nothing, and knowing only word frequency, score on the frozen validation masks (nats).

    floor_loss: what knowing everything scores, where the text comes from a grammar; nobody can do better.
    """

    uniform_loss: float
    unigram_loss: float
    unigram_accuracy: float
    floor_loss: float | None = None


class Evaluated(_Event, frozen=True, tag="evaluated"):
    """One evaluation. accuracy_known leaves out targets that are [UNK].

    figures: all of the objective's, by name. confusion: (labels, labels) counts, rows the truth, of labelled text.
    """

    loss: float
    perplexity: float
    accuracy: float | None
    accuracy_known: float | None
    is_best: bool
    figures: dict[str, float] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    labels: tuple[str, ...] = ()


class CheckpointSaved(_Event, frozen=True, tag="checkpoint_saved"):
    """A checkpoint is complete and verified on disk."""

    name: str
    is_best: bool
    num_bytes: int
    elapsed_s: float


class CheckpointFellBack(_Event, frozen=True, tag="checkpoint_fell_back"):
    """A checkpoint was damaged, and an older one is used."""

    wanted: str
    used: str
    reason: str


class Candidate(msgspec.Struct, frozen=True):
    """A token and its probability over the whole vocabulary."""

    token: str
    probability: float


class Expected(msgspec.Struct, frozen=True):
    """A word that belongs somewhere, and how near the model is to it.

    token: the word's, or the first one of a word that is several. rank: of that token over the whole vocabulary,
    1 for the likeliest; 0 for a word that the vocabulary, or the list of labels, does not know. num_tokens: of the
    word.
    """

    word: str
    token: str = ""
    rank: int = 0
    probability: float = 0.0
    num_tokens: int = 1


class ProbeResult(msgspec.Struct, frozen=True):
    """A sentence and what the model makes of it.

    masks: for each of its masks, the most probable tokens, best first; of a classified text one entry, its labels.
    generated: how a causal model goes on, with a space first where one belongs there. expected: one for each mask,
    or one for what comes next or for the label; none where the probe names none.
    """

    text: str
    masks: tuple[tuple[Candidate, ...], ...]
    num_unknown: int = 0
    generated: str = ""
    expected: tuple[Expected, ...] = ()


class Probed(_Event, frozen=True, tag="probed"):
    """All probes at one step."""

    probes: tuple[ProbeResult, ...]


class ControlAnswered(_Event, frozen=True, tag="control_answered"):
    """The engine's answer to a request in `control/`.

    message: a plain sentence. value: as it was asked for. total_steps: of the run from here on; 0 when not told.
    """

    request: str
    verb: str
    accepted: bool
    message: str
    value: str = ""
    total_steps: int = 0


class Notice(_Event, frozen=True, tag="notice"):
    """A plain sentence for the person."""

    level: Literal["info", "warning", "error"]
    message: str


class HealthNoticed(_Event, frozen=True, tag="health"):
    """Something looks wrong with the numbers or the pace of a run; message: a plain sentence."""

    symptom: Literal["skipped", "spike", "plateau", "stall", "straggler"]
    message: str


class DiskNoticed(_Event, frozen=True, tag="disk"):
    """There is no room on the disk to record or to save in, or there is room again; training goes on.

    is_full: until an event with False follows. message: a plain sentence on what pauses, and what to do.
    """

    is_full: bool
    message: str


class AttemptEnded(_Event, frozen=True, tag="attempt_ended"):
    """The engine's own last word."""

    state: Literal["finished", "stopped", "paused", "failed"]
    reason: str


Event = (
    AttemptStarted
    | Progress
    | Baselines
    | Evaluated
    | CheckpointSaved
    | CheckpointFellBack
    | Probed
    | ControlAnswered
    | Notice
    | HealthNoticed
    | DiskNoticed
    | AttemptEnded
)


def decode_event(record: Mapping[str, Any]) -> Event:
    """An event from its record; a kind this version does not know becomes a Notice that names it."""
    try:
        event: Event = msgspec.convert(record, Event)
    except msgspec.ValidationError:
        kind = record.get("kind", "?")
        return Notice(level="warning", message=f"an event of a kind this version does not know: {kind}")
    return event
