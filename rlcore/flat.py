"""Parameters as one vector: for small networks most of a gradient step is the number of its tensors."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Flat"]


class Flat:
    """Makes parameters, those of a network for one, and their gradients, views into one vector each.

    ``rlcore.optimizers`` move the vector. They stay on their device, and gradients are zeroed by
    ``zero_grad`` here: one that is set to None would no longer be a view.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        parameters = list(parameters)
        self.vector = torch.cat([p.detach().flatten() for p in parameters])
        """[all] float32"""
        self.gradient = torch.zeros_like(self.vector)
        """[all] float32"""
        place = 0
        for p in parameters:
            end = place + p.numel()
            p.data = self.vector[place:end].view_as(p)
            if p.requires_grad:
                p.grad = self.gradient[place:end].view_as(p)
            place = end

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.gradient.zero_()

    def clip_grad(self, longest: float) -> Tensor:
        """Shorten the gradient to this length (Pascanu et al. 2013, algorithm 1); the length that it had."""
        length = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_((longest / (length + 1e-6)).clamp_(max=1.0))
        return length
