"""The one schema: every field says what it is, takes what it should, and refuses the rest in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.fields import FieldSpec, format_value
from presets.schema import FIELD_BY_PATH, FIELDS, SECTION_LABELS, RunConfig


def test_every_field_has_a_label_a_sentence_of_help_and_a_section_with_a_label() -> None:
    for spec in FIELDS:
        assert spec.label and spec.help.endswith("."), spec.path
        assert spec.section in SECTION_LABELS, spec.path


def test_labels_fit_into_the_forms_column() -> None:
    assert max(len(spec.label) for spec in FIELDS) <= 18


def test_every_default_is_a_value_its_own_field_takes() -> None:
    for spec in FIELDS:
        spec.check(spec.default)


@pytest.mark.parametrize("spec", FIELDS, ids=lambda spec: spec.path)
def test_a_default_survives_being_written_and_read_back(spec: FieldSpec) -> None:
    assert spec.parse(format_value(spec.default)) == spec.default


@given(st.floats(min_value=0, max_value=1, exclude_min=True, allow_subnormal=False))
def test_any_learning_rate_survives_being_written_and_read_back(value: float) -> None:
    assert FIELD_BY_PATH["optim.lr"].parse(format_value(value)) == value


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("train.max_steps", "1e6", 1_000_000),
        ("train.max_steps", "10,000", 10_000),
        ("optim.lr", "3E-5", 3e-5),
        ("data.lowercase", "no", False),
        ("probes.texts", "a [MASK]\n\n b [MASK] ", ("a [MASK]", "b [MASK]")),
    ],
)
def test_what_people_type_is_understood(path: str, text: str, value: object) -> None:
    assert FIELD_BY_PATH[path].parse(text) == value


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("train.batch_size", "1.5", "not a whole number"),
        ("train.batch_size", "0", "below the limit 1"),
        ("train.batch_size", "", "not a whole number"),
        ("optim.lr", "3", "above the limit 1"),
        ("optim.lr", "0", "more than 0"),
        ("optim.lr", "nan", "not a finite number"),
        ("optim.lr", "quick", "not a number"),
        ("optim.schedule", "square", "not one of linear"),
        ("data.lowercase", "perhaps", "neither true nor false"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(path: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FIELD_BY_PATH[path].parse(text)


def test_an_error_says_what_people_usually_choose() -> None:
    with pytest.raises(ValueError, match="usually 1e-5 to 1e-2"):
        FIELD_BY_PATH["optim.lr"].parse("3")


def test_bounds_are_short_and_exact() -> None:
    assert FIELD_BY_PATH["model.hidden_size"].bounds() == "1 … 8,192"
    assert FIELD_BY_PATH["optim.lr"].bounds() == "> 0 … 1"
    assert FIELD_BY_PATH["train.eval_every"].bounds() == "1 … 1e9"
    assert FIELD_BY_PATH["train.seed"].bounds() == "0 … 2,147,483,647"
    assert FIELD_BY_PATH["train.eval_rows"].bounds() == "≥ 0"
    assert FIELD_BY_PATH["launch.device"].bounds() == "auto | cpu | cuda"


def test_feed_forward_size_follows_the_hidden_size_when_it_is_not_set() -> None:
    assert RunConfig().model.feed_forward_size == 4 * RunConfig().model.hidden_size
