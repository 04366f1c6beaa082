"""The columns of the list of runs fit, however narrow it is."""

from __future__ import annotations

import pytest

from tui.run_columns import GAP, fitting


@pytest.mark.parametrize("width", range(14, 200))
@pytest.mark.parametrize("has_much_to_say", [True, False])
def test_the_usual_columns_fit_into_any_width(width: int, has_much_to_say: bool) -> None:
    columns, num_hidden = fitting(width, (), (), has_much_to_say)
    keys = [column.key for column in columns]
    assert keys[:2] == ["state", "name"] and num_hidden == 0
    if width >= 15:
        assert sum(column.width + GAP for column in columns) <= width
    assert all(column.width > 0 for column in columns)
    assert len(columns) > 2 or width < 60, "with room there are figures too"
