"""How long a run still takes, from what its steps and evaluations really took."""

from __future__ import annotations

import statistics
from collections import deque

from runs.series import Series

_WARM_UP_INTERVALS = 2  # compilation, caches and clocks settle in the first records
_NEEDED_INTERVALS = 4
_KEPT_INTERVALS = 256
_KEPT_POINTS = 300  # those, and what settles before them


class EtaEstimator:
    """Learns from the records of one attempt; a new attempt is a new estimator.

    Intervals between training records give the time of a step; those in which an evaluation was made are
    longer by what it took. Both are wall time, so checkpoints and waiting for data are in them.
    """

    def __init__(self) -> None:
        self._step = -1.0
        self._elapsed_s = 0.0
        self._evaluated = False
        self._num_seen = 0
        self._step_s: deque[float] = deque(maxlen=_KEPT_INTERVALS)
        self._with_evaluation: deque[tuple[float, float]] = deque(maxlen=_KEPT_INTERVALS)
        self._num_steps = 0.0
        self._num_evaluated = 0

    def saw_evaluation(self) -> None:
        """An evaluation was recorded; it lies in the interval that the next training record ends."""
        self._evaluated = True

    def saw_training(self, step: float, elapsed_s: float) -> None:
        """A training record; elapsed_s counts from the start of the attempt."""
        num_steps, seconds = step - self._step, elapsed_s - self._elapsed_s
        first, evaluated = self._step < 0, self._evaluated
        self._step, self._elapsed_s, self._evaluated = step, elapsed_s, False
        if first or num_steps <= 0 or seconds < 0:
            return
        self._num_seen += 1
        if self._num_seen <= _WARM_UP_INTERVALS:
            return
        self._num_steps += num_steps
        if evaluated:
            self._num_evaluated += 1
            self._with_evaluation.append((num_steps, seconds))
        else:
            self._step_s.append(seconds / num_steps)

    def learn(self, train: Series, validation: Series | None, before_s: float) -> None:
        """Take the last points of the attempt as if their records came. before_s: of the attempts before it."""
        evaluated = set(validation.step[-_KEPT_POINTS:]) if validation is not None else set()
        for step, elapsed_s in zip(train.step[-_KEPT_POINTS:], train.elapsed_s[-_KEPT_POINTS:], strict=True):
            if elapsed_s > before_s:
                self.saw_training(step, elapsed_s - before_s)
                if step in evaluated:
                    self.saw_evaluation()

    def remaining_s(self, total_steps: int) -> tuple[float, float] | None:
        """Seconds to go and their spread (half the quartile range), or None until enough is known."""
        num_plain, num_evaluated = len(self._step_s), len(self._with_evaluation)
        if num_plain + num_evaluated < _NEEDED_INTERVALS:
            return None
        if num_plain < 2:  # an evaluation in nearly every interval: it is part of the rate
            rates, extra_s = [seconds / steps for steps, seconds in self._with_evaluation], 0.0
        else:
            rates = list(self._step_s)
            median = statistics.median(rates)
            extras = [max(0.0, seconds - steps * median) for steps, seconds in self._with_evaluation]
            extra_s = statistics.median(extras) * self._num_evaluated / self._num_steps if extras else 0.0
        low, middle, high = statistics.quantiles(rates, n=4, method="inclusive")
        to_go = max(0.0, total_steps - self._step)
        return to_go * (middle + extra_s), to_go * (high - low) / 2
