"""What a sweep varies: fields with lists or ranges of values, as a grid or drawn at random, and its runs."""

from __future__ import annotations

import difflib
import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from presets.config import ConfigError, check, with_values
from presets.fields import FieldSpec, Value, format_value
from presets.schema import FIELD_BY_PATH, RunConfig

MOST_RUNS = 100  # each waits with a supervisor of 20 MB
_MOST_VALUES = 100
_TRIES = 30  # draws for each set of values that is wanted
_KINDS = ("int", "float", "choice", "bool")
_RANGE = ".."
_LOG = "log"


class WrongSweep(ValueError):
    """A sweep that cannot be made; the text says what is wrong and what would be right."""


@dataclass(frozen=True)
class Axis:
    """One field and the values it takes, or between which it is drawn.

    values: of a list, empty for a range. low, high: of a range. log: even in the logarithm. num: points of a grid.
    """

    spec: FieldSpec
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    num: int = 0

    @property
    def path(self) -> str:
        return self.spec.path

    def grid(self) -> tuple[Value, ...]:
        """The values of a grid. Raises WrongSweep for a range of which nobody said how many it has."""
        if self.values:
            return self.values
        if self.num:
            return _distinct(self._at(index / max(self.num - 1, 1)) for index in range(self.num))
        if self.spec.kind == "int" and not self.log and self.high - self.low < _MOST_VALUES:
            return tuple(range(round(self.low), round(self.high) + 1))
        ends = f"{format_value(self.low)}..{format_value(self.high)}"
        example = f"{ends}{':log' if self.log else ''}:5"
        raise WrongSweep(f"{self.path}: say how many values a grid takes of this range, such as {example}")

    def draw(self, source: random.Random) -> Value:
        """One value at random."""
        if self.values:
            return source.choice(self.values)
        if self.spec.kind == "int" and not self.log:
            return source.randint(round(self.low), round(self.high))
        return self._at(source.random())

    def _at(self, share: float) -> Value:
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        if self.spec.kind == "int":
            return round(value)
        return min(max(float(f"{value:.3g}"), self.low), self.high)  # what a person would have typed


@dataclass(frozen=True)
class Point:
    """One run of a sweep: the values that it has instead of the base's, by path in the axes' order."""

    values: Mapping[str, Value]
    config: RunConfig

    @property
    def name(self) -> str:
        """Such as `lr=3e-4,hidden_size=64`; can be typed into a shell as it is."""
        return ",".join(f"{path.partition('.')[2]}={format_value(value)}" for path, value in self.values.items())


@dataclass(frozen=True)
class Sweep:
    """A sweep before it is started. left_out: names of combinations that cannot run, each with the reason."""

    base: RunConfig
    paths: tuple[str, ...]
    points: tuple[Point, ...]
    left_out: tuple[tuple[str, str], ...]


def parse_axis(text: str) -> Axis:
    """Read `optim.lr=1e-4,3e-4,1e-3`, `optim.lr=1e-5..1e-2:log:5`, `model.num_layers=1..4`, `optim.algorithm=*`.

    Raises WrongSweep with a sentence.
    """
    path, equals, values = text.partition("=")
    if not equals:
        raise WrongSweep(f"{text.strip()!r}: write FIELD=VALUES, such as optim.lr=1e-4,3e-4,1e-3")
    return make_axis(path.strip(), values)


def make_axis(path: str, text: str) -> Axis:
    """The same from the two parts. Raises WrongSweep, whose text begins with the field."""
    spec = sweepable(path)
    try:
        return _axis(spec, text.strip())
    except WrongSweep:
        raise
    except ValueError as error:
        raise WrongSweep(f"{spec.path}: {error}") from None


def sweepable(path: str) -> FieldSpec:
    """The field of that path, or the only one of that name or label, if it has numbers or choices.

    Raises WrongSweep.
    """
    spec = FIELD_BY_PATH.get(path) or _only_one_called(path)
    if spec.kind not in _KINDS:
        raise WrongSweep(f"{spec.path}: only fields with numbers or choices can be swept")
    return spec


def _only_one_called(name: str) -> FieldSpec:
    """The field of that name or label, whatever its section. Raises WrongSweep with what may have been meant."""
    found = [spec for spec in FIELD_BY_PATH.values() if name.lower() in (spec.name, spec.label)]
    candidates = [spec for spec in FIELD_BY_PATH.values() if spec.kind in _KINDS]
    found = [spec for spec in found if spec in candidates] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise WrongSweep(f"{name}: say which field, {' or '.join(spec.path for spec in found)}")
    names = {spec.name: spec.path for spec in candidates}
    close = [names[one] for one in names if name and one.startswith(name)]
    close = close or difflib.get_close_matches(name, names.values(), n=2, cutoff=0.5)
    close = close or [names[one] for one in difflib.get_close_matches(name, names, n=2, cutoff=0.5)]
    hint = f"; did you mean {' or '.join(close[:3])}?" if close else ""
    raise WrongSweep(f"{name or 'field'}: there is no such field{hint}")


def make_sweep(
    base: RunConfig, grid: Sequence[Axis] = (), over: Sequence[Axis] = (), num_draws: int = 0, seed: int = 0
) -> Sweep:
    """All combinations of the grid's values; with draws, each of them with every drawn set of `over`.

    Draws depend on the seed and the axes alone. What breaks a rule across fields is left out, with the reason;
    what comes twice, as small ranges of whole numbers may, stands there once. Raises WrongSweep.
    """
    axes = (*grid, *over)
    if not axes:
        raise WrongSweep("say at least one field and its values, such as optim.lr=1e-4,3e-4,1e-3")
    twice = {axis.path for axis in axes if sum(other.path == axis.path for other in axes) > 1}
    if twice:
        raise WrongSweep(f"{min(twice)}: this field is swept twice")
    if over and num_draws < 1:
        raise WrongSweep("say how many sets of values to draw, at least 1")
    if num_draws and not over:
        raise WrongSweep("say which fields to draw at random, and between which values")
    columns = [axis.grid() for axis in grid]
    num = math.prod(len(column) for column in columns) * max(num_draws, 1)
    if num > MOST_RUNS:  # before anything is drawn
        raise WrongSweep(f"these are {num:,} runs; a sweep has at most {MOST_RUNS}")
    draws = _draws(over, num_draws, seed) if over else ((),)
    paths = tuple(axis.path for axis in axes)
    points: dict[str, Point] = {}
    left_out: dict[str, str] = {}
    for cells, drawn in itertools.product(itertools.product(*columns), draws):
        values = dict(zip(paths, (*cells, *drawn), strict=True))
        point = _point(base, values)
        problems = check(point.config)
        if problems:
            left_out[point.name] = str(problems[0])
        else:
            points[point.name] = point
    if not points:
        name, reason = next(iter(left_out.items()))
        raise WrongSweep(f"none of the combinations can run; {name}: {reason}")
    return Sweep(base, paths, tuple(points.values()), tuple(left_out.items()))


def _draws(over: Sequence[Axis], num: int, seed: int) -> tuple[tuple[Value, ...], ...]:
    """Sets of values, no two alike; fewer where there are hardly as many."""
    source = random.Random(seed)
    found: dict[tuple[Value, ...], None] = {}
    for _ in range(num * _TRIES):
        if len(found) == num:
            break
        found[tuple(axis.draw(source) for axis in over)] = None
    return tuple(found)


def _point(base: RunConfig, values: Mapping[str, Value]) -> Point:
    try:
        return Point(values, with_values(base, values))
    except ConfigError as error:  # every value was checked by its field, so this is a defect of ours
        raise WrongSweep(str(error.problems[0])) from None


def _axis(spec: FieldSpec, text: str) -> Axis:
    if not text:
        raise ValueError(f"give values, such as {_example(spec)}")
    if text == "*":
        if spec.kind in ("choice", "bool"):
            return Axis(spec, spec.choices or (False, True))
        raise ValueError("* means every choice, and this field has numbers")
    if _RANGE in text:
        return _range_axis(spec, text)
    values = _distinct(spec.parse(part) for part in text.split(","))
    if len(values) > _MOST_VALUES:
        raise ValueError(f"these are {len(values)} values; {_MOST_VALUES} are the most")
    return Axis(spec, values)


def _range_axis(spec: FieldSpec, text: str) -> Axis:
    if spec.kind not in ("int", "float"):
        raise ValueError("a range needs a field with numbers; list the choices, or write *")
    ends, *options = (part.strip() for part in text.split(":"))
    low, _, high = ends.partition(_RANGE)
    first, last = spec.parse(low), spec.parse(high)
    log, num = False, 0
    for option in options:
        if option == _LOG:
            log = True
        elif option.isdecimal() and 1 <= int(option) <= _MOST_VALUES:
            num = int(option)
        elif option != "linear":
            raise ValueError(f"{option!r} is neither log, linear nor a number of values up to {_MOST_VALUES}")
    bottom, top = float(first), float(last)  # type: ignore[arg-type]
    if bottom >= top:
        raise ValueError(f"the range {ends} does not go up")
    if log and bottom <= 0:
        raise ValueError(f"a log range begins above 0, not at {bottom:g}")
    return Axis(spec, low=bottom, high=top, log=log, num=num)


def _example(spec: FieldSpec) -> str:
    if spec.kind in ("choice", "bool"):
        return f"{','.join((spec.choices or ('true', 'false'))[:2])} or *"
    return "1,2,4 or 1..4" if spec.kind == "int" else "1e-4,3e-4 or 1e-5..1e-2:log:4"


def _distinct(values: Iterator[Value] | Sequence[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))
