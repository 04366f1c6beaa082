"""The exact probability of a hidden word given all visible ones: forward-backward over the grammar's automaton."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data.synthetic.automaton import Automaton

HIDDEN = -1
_MOST_NUMBERS = (
    1 << 19
)  # float64s of one table at once: 4 MB, which stay in the cache (2 s instead of 10 for the largest)


def hidden_losses(automaton: Automaton, seen: Tensor, targets: Tensor) -> Tensor:
    """−ln P(target | all words of the row that are seen, and its length), in nats, float64.

    seen: (R, T) word numbers in the order of the text, HIDDEN where masked. targets: (R, T), HIDDEN where nothing
    is asked. Returns (R, T), 0 where nothing is asked. Raises ValueError for a row that is no sentence.
    Baum et al. 1970; every quantity is scaled to sum to 1 in each step, which the quotients do not feel.
    """
    length = seen.shape[1]
    order = automaton.order(length)
    layers = _layers(automaton, length)
    widest = max(len(layer) for layer in layers) + automaton.num_states
    rows_at_once = max(1, _MOST_NUMBERS // widest)
    losses = torch.zeros(seen.shape, dtype=torch.float64)
    for first in range(0, len(seen), rows_at_once):
        part = slice(first, first + rows_at_once)
        losses[part, order] = _losses(automaton, layers, seen[part, order].T, targets[part, order].T).T
    return losses


def _layers(automaton: Automaton, length: int) -> list[Tensor]:
    """For each step the arcs that lie on a path from the start to an end state of exactly `length` steps."""
    reached = torch.zeros(automaton.num_states, dtype=torch.bool)
    reached[0] = True
    forward: list[Tensor] = []
    for _ in range(length):
        arcs = reached[automaton.source].nonzero()[:, 0]
        forward.append(arcs)
        reached = torch.zeros_like(reached).index_fill_(0, automaton.target[arcs], True)
    layers: list[Tensor] = []
    leads_on = automaton.is_end
    for arcs in reversed(forward):
        arcs = arcs[leads_on[automaton.target[arcs]]]
        layers.append(arcs)
        leads_on = torch.zeros_like(reached).index_fill_(0, automaton.source[arcs], True)
    return layers[::-1]


def _losses(automaton: Automaton, layers: list[Tensor], seen: Tensor, targets: Tensor) -> Tensor:
    """As `hidden_losses`, but all of shape (T, R) in the automaton's order."""
    num_rows = seen.shape[1]
    likelihoods = [_likelihood(automaton, words) for words in seen]
    forward = torch.zeros(automaton.num_states, num_rows, dtype=torch.float64)
    forward[0] = 1.0
    before: list[Tensor] = []
    for arcs, likelihood in zip(layers, likelihoods, strict=True):
        flow = forward[automaton.source[arcs]] * automaton.probability[arcs, None]
        before.append(flow)
        after = flow * likelihood[automaton.slot[arcs]]
        forward = _scaled(torch.zeros_like(forward).index_add_(0, automaton.target[arcs], after))
    backward = automaton.is_end.double()[:, None].expand(-1, num_rows)
    losses = torch.zeros(seen.shape, dtype=torch.float64)
    for step in reversed(range(len(layers))):
        arcs = layers[step]
        ahead = backward[automaton.target[arcs]]
        asked = (targets[step] != HIDDEN).nonzero()[:, 0]
        chances = torch.zeros(len(automaton.emissions), len(asked), dtype=torch.float64)
        chances.index_add_(0, automaton.slot[arcs], before[step][:, asked] * ahead[:, asked])
        hits = (chances * automaton.emissions[:, targets[step, asked]]).sum(0) / chances.sum(0)
        if not bool((hits > 0).all()):
            raise ValueError("a row is not a sentence of this grammar")
        losses[step, asked] = -hits.log()
        flow = ahead * automaton.probability[arcs, None] * likelihoods[step][automaton.slot[arcs]]
        backward = _scaled(
            torch.zeros(automaton.num_states, num_rows, dtype=torch.float64).index_add_(
                0, automaton.source[arcs], flow
            )
        )
    return losses


def _likelihood(automaton: Automaton, words: Tensor) -> Tensor:
    """(slots, R) how likely each slot gives the word that is seen; 1 where it is hidden. words: (R,)."""
    return torch.where(words == HIDDEN, 1.0, automaton.emissions[:, words.clamp(min=0)])


def _scaled(values: Tensor) -> Tensor:
    total = values.sum(0)
    if not bool((total > 0).all()):
        raise ValueError("a row is not a sentence of this grammar")
    return values / total
