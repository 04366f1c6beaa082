"""Columns of numbers that only grow, or are cut at their end, and need not be in memory.

What a cache file holds of a column is read from there when somebody asks for it, so that ten million points take
little memory. A file that became shorter meanwhile gives zeros, never an error.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, overload

_BLOCK = 512  # numbers; a page of the file
_MOST_BLOCKS = 512  # two megabytes of each open file
_PIECE = 1 << 16
_UNPACK = {typecode: struct.Struct(f"={typecode}").unpack_from for typecode in "dq"}


class ColumnFile:
    """An open cache file; it is closed when nobody holds a column of it any more."""

    def __init__(self, descriptor: int) -> None:
        """Takes a duplicate of the descriptor. Raises OSError."""
        self._descriptor = os.dup(descriptor)
        self._blocks: dict[int, bytes] = {}

    def __del__(self) -> None:
        os.close(self._descriptor)

    def read(self, offset: int, num_bytes: int) -> bytes:
        """What is there; as many zeros as are missing."""
        try:
            found = os.pread(self._descriptor, num_bytes, offset)
        except OSError:
            found = b""
        return found + bytes(num_bytes - len(found))

    def number(self, offset: int, typecode: str) -> Any:
        """One number of eight bytes; neighbours that were asked for before come from memory."""
        start = offset // (8 * _BLOCK) * (8 * _BLOCK)
        block = self._blocks.get(start)
        if block is None:
            block = self.read(start, 8 * _BLOCK)
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks.clear()  # from another thread too: a cleared memory only has to be filled again
            self._blocks[start] = block
        return _UNPACK[typecode](block, offset - start)[0]


class Column:
    """Behaves as an `array` as far as columns need it: by place, by slice, to grow, to be cut at the end.

    Slices are arrays. For one thread that changes it; others may read meanwhile.
    """

    __slots__ = ("_held", "typecode")

    def __init__(self, typecode: str = "d", numbers: Iterable[float] = ()) -> None:
        """typecode: of numbers with eight bytes, "d" or "q"."""
        self.typecode = typecode
        # the file, where the column begins in it, how much of it is there, and what is in memory behind that:
        # replaced together, so that a reader never sees half of it
        self._held: tuple[ColumnFile | None, int, int, array[Any]] = (None, 0, 0, array(typecode, numbers))

    def __len__(self) -> int:
        _, _, kept, rest = self._held
        return kept + len(rest)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> array[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        file, offset, kept, rest = self._held
        if file is None:
            return rest[place]
        if isinstance(place, slice):
            start, stop, stride = place.indices(kept + len(rest))
            if stride < 0:
                raise ValueError("columns are read forwards")
            found = self._piece(start, stop)
            return found if stride == 1 else found[::stride]
        if place < 0:
            place += kept + len(rest)
        if place >= kept:
            return rest[place - kept]
        if place < 0:
            raise IndexError("column index out of range")
        return file.number(offset + 8 * place, self.typecode)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), _PIECE):
            yield from self[start : start + _PIECE]

    def __eq__(self, other: object) -> bool:
        return self[:] == (other[:] if isinstance(other, Column) else other)

    __hash__ = None  # type: ignore[assignment]

    def __delitem__(self, place: slice) -> None:
        """Only `del column[length:]`."""
        file, offset, kept, rest = self._held
        length = min(place.start, len(self))
        if place.stop is not None or place.step is not None or length < 0:
            raise ValueError("columns are cut at their end")
        if length >= kept:
            del rest[length - kept :]
        else:
            self._held = (file, offset, length, array(self.typecode))

    def append(self, number: float) -> None:
        """Add one."""
        self._held[3].append(number)

    def extend(self, numbers: Iterable[float]) -> None:
        """Add several."""
        self._held[3].extend(numbers)

    @property
    def num_in_file(self) -> int:
        """How many are not in memory."""
        return self._held[2]

    def rest_on(self, file: ColumnFile, offset: int, count: int) -> None:
        """From now on the first `count` numbers are those that a file has from `offset` on; later ones stay."""
        self._held = (file, offset, count, self[count:])

    def _piece(self, start: int, stop: int) -> array[Any]:
        file, offset, kept, rest = self._held
        found = array(self.typecode)
        if file is not None and start < min(stop, kept):
            found.frombytes(file.read(offset + 8 * start, 8 * (min(stop, kept) - start)))
        if stop > kept:
            found += rest[max(0, start - kept) : stop - kept]
        return found


Numbers: TypeAlias = "array[float] | Column"
