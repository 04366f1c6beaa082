"""What a configuration field says of itself, and the flat list that every front end is made from."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["int", "float", "bool", "str", "choice", "texts"]
Value = int | float | bool | str | tuple[str, ...]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def field(
    label: str,
    help: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    usual: str = "",
    zero: str = "",
    advanced: bool = False,
) -> msgspec.Meta:
    """Describe one field, where it is declared.

    label: what the form calls it. help: one sentence. unit: of the value, as shown beside it.
    ge, gt, le: bounds. usual: a sentence for errors on what people choose. zero: what 0 stands for.
    """
    extra: dict[str, Any] = {"unit": unit, "usual": usual, "zero": zero, "advanced": advanced}
    if gt is not None:
        return msgspec.Meta(title=label, description=help, gt=gt, le=le, extra=extra)
    return msgspec.Meta(title=label, description=help, ge=ge, le=le, extra=extra)


class FieldSpec(msgspec.Struct, frozen=True):
    """One leaf of the schema, as forms, the command line and the docs need it."""

    path: str
    section: str
    name: str
    kind: Kind
    label: str
    help: str
    unit: str
    minimum: float | None
    exclusive_minimum: bool
    maximum: float | None
    choices: tuple[str, ...]
    default: Value
    usual: str
    zero: str
    advanced: bool

    def bounds(self) -> str:
        """The allowed values in a few characters: `1 … 8,192`, `> 0`, `auto | cpu | cuda`, or nothing."""
        if self.kind == "choice":
            return " | ".join(self.choices)
        low = None if self.minimum is None else _bound(self.minimum)
        high = None if self.maximum is None else _bound(self.maximum)
        if low is not None and high is not None:
            return f"{'> ' if self.exclusive_minimum else ''}{low} … {high}"
        if low is not None:
            return f"{'>' if self.exclusive_minimum else '≥'} {low}"
        return f"≤ {high}" if high is not None else ""

    def parse(self, text: str) -> Value:
        """Turn what a person typed into the field's value.

        Raises ValueError with a sentence that says what is wrong and what would be right.
        """
        stripped = text.strip()
        value: Value
        if self.kind == "int":
            value = _parse_int(stripped)
        elif self.kind == "float":
            value = _parse_float(stripped)
        elif self.kind == "bool":
            value = _parse_bool(stripped)
        elif self.kind == "texts":
            value = tuple(line.strip() for line in text.split("\n") if line.strip())
        else:
            value = stripped
        self.check(value)
        return value

    def check(self, value: Any) -> None:
        """Raise ValueError when a value of any origin is not one this field takes."""
        if self.kind == "int" and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{value!r} is not a whole number")
        if self.kind == "float" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{value!r} is not a number")
        if self.kind == "bool" and not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        if self.kind in ("str", "choice") and not isinstance(value, str):
            raise ValueError(f"{value!r} is not a text")
        if self.kind == "texts" and not (
            isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        ):
            raise ValueError("this is not a list of texts")
        if self.kind == "choice" and value not in self.choices:
            raise ValueError(f"{value!r} is not one of {', '.join(self.choices)}")
        if self.kind in ("int", "float"):
            try:
                number = float(value)
            except OverflowError:
                raise ValueError("this number is far beyond every limit") from None
            self._check_bounds(number)

    def _check_bounds(self, value: float) -> None:
        hint = f" ({self.usual})" if self.usual else ""
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{value} is not a finite number{hint}")
        if self.minimum is not None:
            if self.exclusive_minimum and value <= self.minimum:
                raise ValueError(f"{value:g} must be more than {self.minimum:g}{hint}")
            if value < self.minimum:
                raise ValueError(f"{value:g} is below the limit {self.minimum:g}{hint}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"{value:g} is above the limit {self.maximum:g}{hint}")


def format_value(value: Value) -> str:
    """A value as a person would type it; `FieldSpec.parse` reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "\n".join(value)
    if isinstance(value, float):
        short = f"{value:g}".replace("e-0", "e-")  # 5e-5, as people write it
        return short if float(short) == value else repr(value)
    return str(value)


def _bound(limit: float) -> str:
    if limit >= 1e6 and f"{limit:.0e}" == f"{limit:.15e}".replace(".000000000000000", ""):
        return f"{limit:.0e}".replace("e+0", "e")  # 1,000,000,000 is hard to read
    return f"{limit:,.0f}" if float(limit).is_integer() else f"{limit:g}"


def _parse_int(text: str) -> int:
    cleaned = text.replace(",", "").replace("_", "").replace(" ", "")
    try:
        return int(cleaned)
    except ValueError:
        pass
    try:
        as_float = float(cleaned)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None
    if as_float.is_integer():  # 1e6 is how people write a million
        return int(as_float)
    raise ValueError(f"{text!r} is not a whole number")


def _parse_float(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not a number (write 0.001 or 1e-3)") from None


def _parse_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def specs_of(root: type[msgspec.Struct]) -> tuple[FieldSpec, ...]:
    """Flatten a two-level tree of structs into its leaves, in the order of declaration."""
    specs: list[FieldSpec] = []
    for section, section_type in typing.get_type_hints(root).items():
        defaults = section_type()
        hints: Mapping[str, Any] = typing.get_type_hints(section_type, include_extras=True)
        for name, annotation in hints.items():
            specs.append(_spec(section, name, annotation, getattr(defaults, name)))
    return tuple(specs)


def _spec(section: str, name: str, annotation: Any, default: Value) -> FieldSpec:
    base, *metadata = typing.get_args(annotation)
    (meta,) = metadata
    choices: tuple[str, ...] = ()
    kind: Kind
    if typing.get_origin(base) is Literal:
        kind, choices = "choice", typing.get_args(base)
    elif typing.get_origin(base) is tuple:
        kind = "texts"
    else:
        kind = {int: "int", float: "float", bool: "bool", str: "str"}[base]  # type: ignore[assignment]
    extra = meta.extra or {}
    return FieldSpec(
        path=f"{section}.{name}",
        section=section,
        name=name,
        kind=kind,
        label=meta.title,
        help=meta.description,
        unit=extra["unit"],
        minimum=meta.gt if meta.gt is not None else meta.ge,
        exclusive_minimum=meta.gt is not None,
        maximum=meta.le,
        choices=choices,
        default=default,
        usual=extra["usual"],
        zero=extra["zero"],
        advanced=extra["advanced"],
    )
