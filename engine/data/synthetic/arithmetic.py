"""Sums and differences as sentences, a token a digit: `2 3 + 4 5 = 6 8`. Every true one is equally likely."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator

import msgspec
import torch

from engine.data.synthetic.automaton import Arc, Automaton, explore
from presets.grammars import ArithmeticShape

_EQUALS = "="


class _State(msgspec.Struct, frozen=True):
    """Where adding up column by column is. signs: of the operators known so far. carry: of the column so far.

    column counts from the last digit; row is the number whose digit comes next, and the result's after them.
    """

    result_digits: int
    signs: tuple[int, ...]
    has_equals: bool = False
    column: int = 0
    row: int = 0
    carry: int = 0


def arithmetic_grammar(shape: ArithmeticShape) -> Automaton:
    """Numbers without leading zeros, operators, and the result, which is not negative.

    The automaton does not read from left to right but as one adds by hand: operators first, then the last digit of
    every number and of the result, then the digits before them. So its only memory is the carry.
    """
    words = (*"0123456789", *shape.operators, _EQUALS)
    rules = _Rules(shape, words)
    return explore("start", rules.arcs_of, words, torch.eye(len(words), dtype=torch.float64), places=rules.places)


class _Rules:
    def __init__(self, shape: ArithmeticShape, words: tuple[str, ...]) -> None:
        self._shape = shape
        self._number = {word: number for number, word in enumerate(words)}
        self._count = functools.cache(self._count_ways)

    def places(self, length: int) -> list[int]:
        """Where each step of the automaton stands in a sentence of `length` tokens."""
        terms, digits = self._shape.terms, self._shape.digits
        result_digits = length - self._shape.length(0)
        operators = [(row + 1) * (digits + 1) - 1 for row in range(terms)]  # the last of them is the equals sign
        places = list(operators)
        for column in range(max(digits, result_digits)):
            if column < digits:
                places += [place - 1 - column for place in operators]
            if column < result_digits:
                places.append(length - 1 - column)
        return places

    def arcs_of(self, state: Hashable) -> Iterator[Arc]:
        """Arcs weighted so that every sentence has the same probability."""
        if state == "start":
            starts = [_State(result_digits, ()) for result_digits in range(1, self._shape.digits + 2)]
            choices = [choice for start in starts for choice in self._choices(start)]
        else:
            assert isinstance(state, _State)
            choices = list(self._choices(state))
        ways = [self._count(following) for _, following in choices]
        for (word, following), number in zip(choices, ways, strict=True):
            if number:
                yield (self._number[word], number / sum(ways), following)

    def _count_ways(self, state: _State | None) -> int:
        """Sentences that go on from a state."""
        return 1 if state is None else sum(self._count(following) for _, following in self._choices(state))

    def _choices(self, state: _State) -> Iterator[tuple[str, _State | None]]:
        """What may come next, and where it leads; some lead to no sentence, which counts no ways."""
        shape, after = self._shape, msgspec.structs.replace
        if len(state.signs) < shape.terms - 1:
            for operator in shape.operators:
                yield operator, after(state, signs=(*state.signs, 1 if operator == "+" else -1))
        elif not state.has_equals:
            yield _EQUALS, after(state, has_equals=True)
        elif state.column < shape.digits and state.row < shape.terms:
            sign = (1, *state.signs)[state.row]
            is_leading = state.column == shape.digits - 1
            is_column_full = state.row == shape.terms - 1 and state.column >= state.result_digits
            for digit in range(1 if is_leading else 0, 10):
                following = after(state, row=state.row + 1, carry=state.carry + sign * digit)
                if not is_column_full:
                    yield str(digit), following
                elif following.carry % 10 == 0:  # the result has no digit here
                    yield from self._in_next_column(str(digit), following)
        else:
            digit = state.carry % 10
            is_leading = state.column == state.result_digits - 1 and state.result_digits > 1
            if digit or not is_leading:
                yield from self._in_next_column(str(digit), state)

    def _in_next_column(self, word: str, state: _State) -> Iterator[tuple[str, _State | None]]:
        column, carry = state.column + 1, state.carry // 10
        if column < max(self._shape.digits, state.result_digits):
            yield word, msgspec.structs.replace(state, column=column, row=0, carry=carry)
        elif carry == 0:
            yield word, None
