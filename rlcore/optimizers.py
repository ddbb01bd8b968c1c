"""RMSProp and Adam for parameters that are one vector: for small networks, the bookkeeping of ``torch.optim`` costs
more than the arithmetic. On any device; the same numbers as torch's, but for rounding.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from rlcore.flat import Flat

__all__ = ["Adam", "Optimizer", "RMSProp"]


class Optimizer(ABC):
    """Moves ``parameters.vector`` down along ``parameters.gradient``."""

    def __init__(self, parameters: Flat, epsilon: float) -> None:
        self.parameters, self.epsilon = parameters, epsilon
        self.squares = torch.zeros_like(parameters.vector)
        """[all]: mean of squared gradients so far."""

    @abstractmethod
    def step(self, learning_rate: float) -> None:
        """Once."""

    def save(self) -> dict[str, Tensor]:
        """What it goes on from: copies."""
        return {"squares": self.squares.clone()}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what ``save`` gave."""
        self.squares.copy_(saved["squares"])


class RMSProp(Optimizer):
    """RMSProp (Tieleman and Hinton 2012), with epsilon outside the root."""

    def __init__(self, parameters: Flat, decay: float = 0.99, epsilon: float = 1e-5) -> None:
        super().__init__(parameters, epsilon)
        self.decay = decay

    def step(self, learning_rate: float) -> None:
        gradient = self.parameters.gradient
        self.squares.mul_(self.decay).addcmul_(gradient, gradient, value=1.0 - self.decay)
        self.parameters.vector.addcdiv_(gradient, self.squares.sqrt().add_(self.epsilon), value=-learning_rate)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self, parameters: Flat, decays: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-5) -> None:
        super().__init__(parameters, epsilon)
        self.decays, self.steps = decays, 0
        self.means = torch.zeros_like(parameters.vector)
        """[all]: mean of gradients so far."""

    def step(self, learning_rate: float) -> None:
        gradient, (first, second) = self.parameters.gradient, self.decays
        self.steps += 1
        self.means.lerp_(gradient, 1.0 - first)
        self.squares.mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
        of_means, of_squares = 1.0 - first**self.steps, 1.0 - second**self.steps  # both began at 0: they lack the rest
        length = self.squares.sqrt().mul_(of_means * of_squares**-0.5).add_(of_means * self.epsilon)
        self.parameters.vector.addcdiv_(self.means, length, value=-learning_rate)

    def save(self) -> dict[str, Tensor]:
        return super().save() | {"means": self.means.clone(), "steps": torch.tensor(self.steps)}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        super().restore(saved)
        self.means.copy_(saved["means"])
        self.steps = int(saved["steps"])
