"""The filter language of the list of runs: `state:running loss<3 (tag:keep OR age<2d) -preset:v1`.

Terms stand side by side and all have to hold; OR, NOT (or a leading -), parentheses and quotes are there. A wrong
filter is explained with the place of the mistake, and nothing of it is guessed.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from runs.run_summary import RunSummary
from runs.status import SIGNS
from tui import filter_values
from tui.run_fields import ALIASES, BUILT_IN, Got, RunField, field_named

Test = Callable[[RunSummary], bool]

HELP = (
    "Words may stand anywhere in name, preset, data, tags, note, id. field:text looks in one field, with * and ?; "
    "state:failed,lost takes either. Compare with < <= > >= = !=: loss<3, step>=1000, time>2h, age<2d, "
    "created>2026-11-01, size>500MB, optim.lr>1e-4, val_accuracy>0.3. has:note, is:live, is:pinned. "
    "All have to hold; OR, NOT or a leading -, (…) and \"quotes\" do what they say."
)  # fmt: skip
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<minus>-(?=[^\s\d.]))"
    r"|(?P<field>[A-Za-z_][\w.]*)(?P<op><=|>=|!=|<|>|=|:)(?P<value>\"[^\"]*\"?|[^\s()]*)"
    r"|(?P<quoted>\"[^\"]*\"?)|(?P<word>[^\s()]+))"
)
_ANYWHERE = tuple(BUILT_IN[key] for key in ("name", "preset", "data", "tag", "note", "id", "state", "group"))
_FLAGS: dict[str, Test] = {
    "live": lambda row: row.status.is_live,
    "ended": lambda row: not row.status.is_live,
    "pinned": lambda row: row.pinned,
    "archived": lambda row: row.archived,
    "forked": lambda row: bool(row.forked_from),
    "ours": lambda row: not row.read_only,
    "readonly": lambda row: bool(row.read_only),
}
_MOST_TERMS = 200


class FilterError(ValueError):
    """What is wrong with a filter, as a sentence, and the character at which it is (0 is the first)."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class RunFilter:
    """A filter that was understood. fields: what it asks for; the values of some come later."""

    test: Test
    fields: frozenset[str]

    def of(self, rows: tuple[RunSummary, ...]) -> tuple[RunSummary, ...]:
        """The runs that match, in the order in which they came."""
        return tuple(filter(self.test, rows))


def parse_filter(query: str, metrics: Collection[str] = ()) -> RunFilter:
    """Understand a filter; an empty one lets everything through. metrics: names that some run recorded.

    A comparison with a figure that a run does not have does not match it. Raises FilterError.
    """
    return _Parser(query, metrics).parse()


def filter_runs(rows: tuple[RunSummary, ...], query: str) -> tuple[RunSummary, ...]:
    """The runs that match. Raises FilterError."""
    return parse_filter(query, {name for row in rows for name in row.figures}).of(rows)


class _Parser:
    """Reads one filter, by precedence: NOT, then AND, then OR."""

    def __init__(self, query: str, metrics: Collection[str]) -> None:
        self._query = query
        self._metrics = metrics
        self._tokens = [match for match in _TOKEN.finditer(query) if match.lastgroup]
        self._at = 0
        self._fields: set[str] = set()

    def parse(self) -> RunFilter:
        if len(self._tokens) > _MOST_TERMS:
            raise FilterError(0, f"this filter has more than {_MOST_TERMS} parts")
        if not self._tokens:
            return RunFilter(lambda row: True, frozenset())
        test = self._either()
        if (left := self._next()) is not None:
            raise FilterError(left.start(left.lastgroup or 0), "this ) closes nothing")
        return RunFilter(test, frozenset(self._fields))

    def _next(self) -> re.Match[str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _is_word(self, word: str) -> bool:
        token = self._next()
        return token is not None and token["word"] == word

    def _either(self) -> Test:
        tests = [self._all()]
        while self._is_word("OR"):
            self._at += 1
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests: list[Test] = []
        while (token := self._next()) is not None and token["close"] is None and not self._is_word("OR"):
            if self._is_word("AND") and tests:
                self._at += 1
            tests.append(self._not())
        if not tests:
            end = token.start(token.lastgroup or 0) if token is not None else len(self._query)
            raise FilterError(end, "something to look for is missing here")
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _not(self) -> Test:
        token = self._next()
        if token is None:
            raise FilterError(len(self._query), "something to look for is missing here")
        if token["minus"] or token["word"] == "NOT":
            self._at += 1
            test = self._not()
            return lambda row: not test(row)
        return self._term(token)

    def _term(self, token: re.Match[str]) -> Test:
        self._at += 1
        if token["open"]:
            test = self._either()
            closing = self._next()
            if closing is None or closing["close"] is None:
                raise FilterError(token.start("open"), "this ( is not closed")
            self._at += 1
            return test
        if token["close"]:
            raise FilterError(token.start("close"), "this ) closes nothing")
        if token["field"]:
            return self._asked(token)
        group = "quoted" if token["quoted"] else "word"
        word = _unquoted(token[group], token.start(group)).lower()
        return lambda row: any(word in _lower(field, row) for field in _ANYWHERE)

    def _asked(self, token: re.Match[str]) -> Test:
        name, sign = token["field"].lower(), token["op"]
        value, at = _unquoted(token["value"], token.start("value")), token.start("value")
        if not value:
            raise FilterError(at, f"{name}{sign} needs something behind it, such as {_example(name, sign)}")
        if name == "is":
            if value.lower() not in _FLAGS:
                raise FilterError(at, f"{value!r} is none of {', '.join(_FLAGS)}")
            return _FLAGS[value.lower()]
        asked = value if name == "has" else name
        field = field_named(asked, self._metrics)
        if field is None:
            where = at if name == "has" else token.start("field")
            raise FilterError(where, f"there is no field {asked!r}{self._advice(asked)}")
        self._fields.add(field.key)
        if name == "has":
            return lambda row: field.value(row) not in (None, "")
        try:
            if field.kind == "text":
                if sign not in (":", "=", "!="):
                    raise ValueError(
                        f"{field.key} is a text; {field.key}:{value} looks in it, = compares all of it"
                    )
                if field.key == "state":
                    _require_states(value)
                return _text_test(field, sign, value)
            return _number_test(field, sign, value)
        except ValueError as error:
            raise FilterError(at, str(error)) from None

    def _advice(self, name: str) -> str:
        known = [*BUILT_IN, *ALIASES, *self._metrics]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        return f"; did you mean {close[0]}?" if close else '; put "quotes" around it to look for the words'


def _require_states(value: str) -> None:
    """A state that there is not would find nothing, and not say why. Raises ValueError with a sentence."""
    for asked in value.lower().split(","):
        if not any(asked in state or fnmatch.fnmatchcase(state, asked) for state in SIGNS):
            close = difflib.get_close_matches(asked, SIGNS, n=1)
            advice = f"; did you mean {close[0]}?" if close else f": there are {', '.join(SIGNS)}"
            raise ValueError(f"no state is called {asked!r}{advice}")


def _text_test(field: RunField, sign: str, value: str) -> Test:
    """`:` looks for any of the patterns between commas; `=` and `!=` compare the whole text, or a whole tag."""
    if sign in ("=", "!="):
        wanted = value.lower()

        def is_same(row: RunSummary) -> bool:
            text = _lower(field, row)
            return text == wanted or (field.key == "tag" and wanted in text.split())

        return is_same if sign == "=" else lambda row: not is_same(row)
    patterns = [pattern for pattern in value.lower().split(",") if pattern]
    whole = [re.compile(str(fnmatch.translate(one))) for one in patterns if "*" in one or "?" in one]
    parts = [one for one in patterns if "*" not in one and "?" not in one]

    def matches(row: RunSummary) -> bool:
        text = _lower(field, row)
        texts = (text, *text.split()) if field.key == "tag" else (text,)
        return any(part in text for part in parts) or any(one.match(t) for one in whole for t in texts)

    return matches


def _number_test(field: RunField, sign: str, value: str) -> Test:
    if field.kind == "time":
        low, high = filter_values.moments(value)
        return _time_test(field, sign, low, high)
    read = {"duration": filter_values.seconds, "bytes": filter_values.size}.get(field.kind, filter_values.number)
    limit, compare = read(value), _OPERATORS["=" if sign == ":" else sign]

    def holds(row: RunSummary) -> bool:
        found = field.value(row)
        return isinstance(found, int | float) and compare(found, limit)

    return holds


def _time_test(field: RunField, sign: str, low: float, high: float) -> Test:
    """A day is all of it: `>` is after its end, `<` before it begins, `:` within."""
    tests: dict[str, Callable[[float], bool]] = {
        ">": lambda moment: moment >= high > low or moment > low == high,
        ">=": lambda moment: moment >= low,
        "<": lambda moment: moment < low,
        "<=": lambda moment: moment < high if high > low else moment <= low,
        "!=": lambda moment: not low <= moment < max(high, low + 1),
    }
    test: Callable[[float], bool] = tests.get(sign, lambda moment: low <= moment < max(high, low + 1))

    def holds(row: RunSummary) -> bool:
        found = field.value(row)
        return isinstance(found, int | float) and test(found)

    return holds


def _lower(field: RunField, row: RunSummary) -> str:
    found: Got = field.value(row)
    return found.lower() if isinstance(found, str) else ""


def _unquoted(text: str, at: int) -> str:
    if not text.startswith('"'):
        return text
    if len(text) < 2 or not text.endswith('"'):
        raise FilterError(at, "this quote is not closed")
    return text[1:-1]


def _example(name: str, sign: str) -> str:
    field = field_named(name)
    values = {"duration": "2h", "bytes": "500MB", "time": "2026-11-22", "number": "3"}
    if name == "is":
        return "is:live"
    if name == "has":
        return "has:note"
    return f"{name}{sign}{values.get(field.kind if field else '', 'keep')}"
