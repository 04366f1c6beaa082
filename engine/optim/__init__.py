"""Optimisers on flat parameters, schedules of the learning rate, loss scaling, and the average of weights."""

from engine.optim.flat import FlatParameters
from engine.optim.optimizer import Optimizer, UpdateFigures
from engine.optim.schedules import learning_rate

__all__ = ["FlatParameters", "Optimizer", "UpdateFigures", "learning_rate"]
