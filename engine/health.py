"""What looks wrong with the numbers or the pace of a run, said in plain sentences while it trains."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from presets.schema import RunConfig
from runs.events import HealthNoticed, Notice

START_MARGIN = 0.5
"""Nats over guessing up to which the loss of untrained weights is believed."""

SPIKE_LOSSES = 8
"""Recorded losses whose median is where the next one is expected; few, since a loss falls."""
SPIKE_WINDOW = 32
"""Recorded losses that tell how far they scatter: by their differences, which a steady fall does not widen."""
SPIKE_DEVIATIONS = 8.0
"""A loss so many standard deviations above that median is a spike. The deviation is estimated as 1.4826 × the
median absolute difference of neighbours / √2, which a spike in the window moves little (Leys et al. 2013)."""
SPIKE_SHARE = 0.1
"""A spike is at least this share of the median above it: a very smooth curve has a band of no width."""
SPIKE_LEAST = 0.1
"""And at least so many nats: of a loss near 0, rare hard samples make many times as much."""

PLATEAU_EVALUATIONS = 10
PLATEAU_TOLERANCE = 0.002
"""Share of the best validation loss by which a later one must be lower to count as better."""

STALL_FACTOR, STALL_LEAST_S = 20.0, 5.0
STALL_SILENCE_S = 60.0
"""Seconds after the word of one stall in which further ones are only counted."""

STRAGGLER_FACTOR, STRAGGLER_LEAST_S, STRAGGLER_TIMES = 1.5, 0.02, 2

Symptom = Literal["spike", "plateau", "stall", "straggler"]

_USUAL_OVERFLOWS = 2  # skipped updates of fp16 between two records
_STEP_WINDOW, _FEWEST_STEPS = 64, 8
_DEVIATION_OF_MAD = 1.4826


class TrainingDiverged(RuntimeError):
    """The numbers are beyond help; the weights are those of the last update that could be made."""


def check_start(loss: float, guessing: float, weight: float = 1.0) -> None:
    """Raise TrainingDiverged when untrained weights do much worse than guessing: they cannot be right.

    loss: nats a prediction. guessing: what all answers alike score, ln(vocabulary) for words. weight: of the
    largest part of a loss that is a weighted sum.
    """
    if loss <= guessing + START_MARGIN * max(1.0, weight):
        return
    said = f"{loss:.2f} nats" if math.isfinite(loss) else "not a finite number"
    raise TrainingDiverged(
        f"the loss before the first step is {said}, and guessing costs {guessing:.2f}: the initial weights are "
        "too large; see model.init_std (0.02 is usual) and model.init"
    )


def diverged(step: int, in_a_row: int) -> TrainingDiverged:
    """The end of a run whose last updates, so many in a row, were all skipped."""
    return TrainingDiverged(
        f"the last {in_a_row} updates had no finite gradient and none was made; the weights are those of step "
        f"{step - in_a_row:,}, and the checkpoint has them. Try a lower optim.lr, or optim.clip_norm"
    )


def skipped_event(step: int, count: int, precision: str) -> HealthNoticed | Notice:
    """So many updates up to this step were skipped; in fp16 one or two are how its loss scale is found."""
    number = "1 update was" if count == 1 else f"{count} updates were"
    message = f"{number} skipped by step {step:,}: the loss or its gradient was not a finite number"
    if precision == "fp16" and count <= _USUAL_OVERFLOWS:
        return Notice(level="info", message=f"{message}; fp16 lowered its loss scale")
    return HealthNoticed(symptom="skipped", message=message)


class HealthWatch:
    """Looks at one attempt's losses, evaluations, step times and ranks, and says each trouble once.

    Everything here is plain arithmetic on the host; only numbers that are there anyway are looked at. After a
    resume it begins anew.
    """

    def __init__(
        self, config: RunConfig, warmup_steps: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """warmup_steps: evaluations up to there are no plateau, however slow they get better."""
        self._warmup_steps = warmup_steps
        self._clock = clock
        self._least_gain = config.train.early_stopping_min_delta
        self._losses: deque[float] = deque(maxlen=SPIKE_WINDOW)
        self._is_spiking = False
        self._best: tuple[float, int] | None = None
        self._num_not_better = 0
        self._seconds: deque[float] = deque(maxlen=_STEP_WINDOW)
        self._stall_said = -math.inf
        self._num_unsaid_stalls = 0
        self._slow_in_a_row: dict[int, int] = {}

    def after_record(self, step: int, loss: float, step_time_s: float) -> tuple[HealthNoticed, ...]:
        """A recorded training loss: is it far above the band of those before it?

        A loss that stays up is said once. One that is not finite is left to the count of skipped updates.
        step_time_s: seconds a step, mean of the record, for the sentence alone.
        """
        if not math.isfinite(loss):
            return ()
        noticed: tuple[HealthNoticed, ...] = ()
        if len(self._losses) >= SPIKE_LOSSES:
            usual, limit = _band(self._losses)
            if loss <= limit:
                self._is_spiking = False
            elif not self._is_spiking:
                self._is_spiking = True
                pace = f" (a step takes {_seconds(step_time_s)})" if step_time_s >= 1 else ""
                noticed = _noticed(
                    "spike",
                    f"the training loss jumped to {loss:.3f} at step {step:,}; it was around {usual:.3f}{pace}. "
                    "Should it stay up, a lower optim.lr or a smaller optim.clip_norm is the usual remedy",
                )
        self._losses.append(loss)
        return noticed

    def after_evaluation(self, step: int, loss: float) -> tuple[HealthNoticed, ...]:
        """A validation loss: has it stopped to get better? Each plateau is said once."""
        best = self._best
        if best is None or loss < best[0] - max(self._least_gain, PLATEAU_TOLERANCE * best[0]):
            if math.isfinite(loss):
                self._best, self._num_not_better = (loss, step), 0
            return ()
        if step <= self._warmup_steps:
            return ()
        self._num_not_better += 1
        if self._num_not_better != PLATEAU_EVALUATIONS:
            return ()
        return _noticed(
            "plateau",
            f"the validation loss has not got better for {PLATEAU_EVALUATIONS} evaluations: it was {best[0]:.3f} "
            f"at step {best[1]:,}, and is {loss:.3f} at step {step:,} (gains under {PLATEAU_TOLERANCE:.1%} do "
            "not count)",
        )

    def after_step(self, step: int, seconds: float) -> tuple[HealthNoticed, ...]:
        """The time of one step, evaluations and checkpoints left out: did it stand still?

        At most one word a minute; stalls in between are counted, and told with the next.
        """
        window = self._seconds
        is_stall = seconds > STALL_LEAST_S and len(window) >= _FEWEST_STEPS
        usual = statistics.median(window) if is_stall else 0.0  # only then: this is called at every step
        window.append(seconds)
        if not is_stall or seconds <= STALL_FACTOR * usual:
            return ()
        if self._clock() - self._stall_said < STALL_SILENCE_S:
            self._num_unsaid_stalls += 1
            return ()
        self._stall_said = self._clock()
        before = f"; {self._num_unsaid_stalls} more like it before" if self._num_unsaid_stalls else ""
        self._num_unsaid_stalls = 0
        return _noticed(
            "stall",
            f"step {step:,} took {_seconds(seconds)}, the usual is {_seconds(usual)}{before}: the machine is busy "
            "with something else, was asleep, or its storage is slow",
        )

    def ranks(self, step: int, seconds_by_rank: Sequence[float]) -> tuple[HealthNoticed, ...]:
        """Each rank's mean seconds of computing a step, waiting left out: is one much slower than the rest?

        The rest is the median of all ranks, the lower one of two. A rank that stays slow is said once.
        """
        usual = statistics.median_low(seconds_by_rank)
        noticed: list[HealthNoticed] = []
        for rank, seconds in enumerate(seconds_by_rank):
            if seconds <= STRAGGLER_FACTOR * usual or seconds - usual <= STRAGGLER_LEAST_S:
                self._slow_in_a_row.pop(rank, None)
                continue
            self._slow_in_a_row[rank] = self._slow_in_a_row.get(rank, 0) + 1
            if self._slow_in_a_row[rank] == STRAGGLER_TIMES:
                noticed += _noticed(
                    "straggler",
                    f"rank {rank} is slow, and all wait for it: at step {step:,} it computes {_seconds(seconds)} "
                    f"a step, the others about {_seconds(usual)}",
                )
        return tuple(noticed)


def _band(losses: Sequence[float]) -> tuple[float, float]:
    """Where the next loss is expected, and the highest that is still usual."""
    expected = statistics.median(list(losses)[-SPIKE_LOSSES:])
    scatter = statistics.median(abs(after - before) for before, after in itertools.pairwise(losses))
    deviation = _DEVIATION_OF_MAD * scatter / math.sqrt(2)
    return expected, expected + max(SPIKE_DEVIATIONS * deviation, SPIKE_SHARE * expected, SPIKE_LEAST)


def _noticed(symptom: Symptom, message: str) -> tuple[HealthNoticed, ...]:
    return (HealthNoticed(symptom=symptom, message=message),)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 0.1 else f"{1000 * value:.0f} ms"
