"""How much worse a model does on held-out text than on what it is trained on: a series made from two others."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from runs.series import Series


class Gap:
    """val_loss less the mean training loss since the evaluation before; follows both series as they grow."""

    def __init__(self) -> None:
        self.series = Series()
        self._num_seen = 0
        self._last = (0.0, 0.0)

    def follow(self, train: Series | None, validation: Series | None) -> Series:
        """The series as it is now. Evaluations without a training loss since the one before have no point."""
        if train is None or validation is None:
            return self.series
        if self._num_seen > len(validation) or (self._num_seen and self._at(validation) != self._last):
            self.series, self._num_seen = Series(), 0  # a resume hid what was there
        if self._num_seen == len(validation):
            return self.series
        train.pyramid.catch_up()
        before = bisect_right(train.step, validation.step[self._num_seen - 1]) if self._num_seen else 0
        points: list[tuple[int, float]] = []
        for index in range(self._num_seen, len(validation)):
            here = bisect_right(train.step, validation.step[index])
            if here > before:
                depth, block = train.pyramid.depth_for(here - before)
                _, _, total, count = train.pyramid.figures(before, here, depth, block)
                points.append((index, validation.value[index] - total / count if count else float("nan")))
            before = here
        self._append(validation, points)
        self._num_seen = len(validation)
        self._last = self._at(validation)
        return self.series

    def _at(self, validation: Series) -> tuple[float, float]:
        at = self._num_seen - 1
        value = validation.value[at]
        return validation.step[at], value if value == value else 0.0

    def _append(self, validation: Series, points: list[tuple[int, float]]) -> None:
        for own, column in zip(self.series.axis.columns, validation.axis.columns, strict=True):
            own.extend(array("d", (column[index] for index, _ in points)))
        self.series.extend(array("d", (value for _, value in points)))
