"""Randomness without state: numbers that are functions of (seed, epoch, sample, position)."""

from __future__ import annotations

import torch
from torch import Tensor

_GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15, splitmix64's increment, as a signed 64-bit number
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB
_MASK_64 = (1 << 64) - 1


def mix(values: Tensor) -> Tensor:
    """Splitmix64's finaliser on int64, elementwise (Steele, Lea & Flood 2014); every bit depends on all."""
    values = (values ^ _shifted(values, 30)) * _FIRST
    values = (values ^ _shifted(values, 27)) * _SECOND
    return values ^ _shifted(values, 31)


def sample_keys(seed: int, epochs: Tensor, samples: Tensor) -> Tensor:
    """(B,) one int64 key for each sample of an epoch. epochs, samples: (B,) int64."""
    start = mix(torch.full_like(samples, seed) + _GAMMA)
    return mix(mix(start + epochs * _GAMMA) + samples * _GAMMA)


def position_keys(keys: Tensor, num_positions: int, stream: int) -> Tensor:
    """(B, num_positions) non-negative int64 keys; another stream gives unrelated ones."""
    positions = torch.arange(1, num_positions + 1, device=keys.device)
    own_stream = mix(keys + torch.full_like(keys, stream) * _GAMMA)
    mixed = mix(own_stream[:, None] + positions * _GAMMA)
    return _shifted(mixed, 1)


def scalar_seed(*parts: int) -> int:
    """A seed for a torch generator from several integers, the same everywhere."""
    value = 0
    for part in parts:
        value = _mix_scalar((value + part * (_GAMMA & _MASK_64) + 1) & _MASK_64)
    return value >> 1


def _mix_scalar(value: int) -> int:
    value = ((value ^ (value >> 30)) * (_FIRST & _MASK_64)) & _MASK_64
    value = ((value ^ (value >> 27)) * (_SECOND & _MASK_64)) & _MASK_64
    return value ^ (value >> 31)


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's `>>` on int64 copies the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)
