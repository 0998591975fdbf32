"""Batch norms: over maps, and over the steps of a recurrent cell."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from .modes import is_exact


def _alone() -> bool:
    """Whether the batch is that of one process."""
    return not (torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1)


def _sum_of_all(x: Tensor) -> Tensor:
    """x summed over all processes, with gradients; x itself where there is one process."""
    if _alone():
        return x
    import torch.distributed.nn as distributed

    return distributed.all_reduce(x)


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance of every channel of x [N, C, ...] over all processes, and how many elements that is."""
    axes = [a for a in range(x.dim()) if a != 1]
    count = x.numel() // x.shape[1]
    sums = _sum_of_all(torch.cat([x.sum(axes), x.new_full((1,), float(count))]))
    n = sums[-1].detach()
    mean = sums[:-1] / n
    centred = x - mean.reshape(_channels(x))
    return mean, _sum_of_all((centred * centred).sum(axes)) / n, n


def _channels(x: Tensor) -> list[int]:
    return [-1 if a == 1 else 1 for a in range(x.dim())]


class Norm(_BatchNorm):
    """Batch norm over axis 1 of maps [N, C, ...]: ``(x - mean) / sqrt(var + eps) * gamma + beta``.

    In training on the statistics of the whole batch, that of all processes together; in evaluation
    on the running ones, which are means of the batches' (unbiased variance).
    Source: Ioffe and Szegedy, "Batch Normalization", 2015.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"a norm's input has shape {list(x.shape)}, expected [N, {self.num_features}, ...]")

    #: The axes of what it was last applied to: 5 for maps.
    rank = 0
    #: Where batches' statistics are collected in place of moving the running ones: see :meth:`collected`.
    collect: Optional[list[tuple[Tensor, Tensor]]] = None

    def forward(self, x: Tensor) -> Tensor:
        if is_exact():
            return self._as_compiled(x)
        self.rank = x.dim()
        if not self.training:
            return super().forward(x)
        x = x.float()
        if _alone() and x.numel() > x.shape[1]:
            mean, var = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
            y = F.batch_norm(x, mean, var, self.weight, self.bias, True, 1.0, self.eps)
            self._follow(mean, var)
            return y
        mean, var, n = _moments(x)
        self._follow(mean.detach(), (var * n / (n - 1).clamp(min=1)).detach())
        shape = _channels(x)
        y = (x - mean.reshape(shape)) * torch.rsqrt(var + self.eps).reshape(shape)
        return y * self.weight.reshape(shape) + self.bias.reshape(shape)

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """Moves the running statistics; with momentum None they are the mean of all that were seen."""
        if self.collect is not None:
            self.collect.append((mean, var))
            return
        self.num_batches_tracked.add_(1)
        momentum: float = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(var, momentum)

    @torch.no_grad()
    def collected(self) -> None:
        """Sets the running statistics to the mean of those that were collected, and collects no more."""
        if self.collect:
            means, variances = zip(*self.collect)
            self.running_mean.copy_(torch.stack(means).double().mean(0))
            self.running_var.copy_(torch.stack(variances).double().mean(0))
        self.collect = None

    def _as_compiled(self, x: Tensor) -> Tensor:
        """One rounding an operation in float32; the real number in float64."""
        shape = _channels(x)
        mean, var, gamma, beta = (p.to(x.dtype).reshape(shape) for p in (self.running_mean, self.running_var, self.weight, self.bias))
        return (x - mean) / torch.sqrt(var + torch.tensor(self.eps, dtype=x.dtype)) * gamma + beta


class StepNorm(Norm):
    """Batch norm of a recurrent cell, applied to [N, C] at every time step with one set of statistics.

    It runs on the running statistics in training too; at the end of a pass :meth:`finish` moves them
    by the mean over the steps of what these found. No gradient goes through the statistics.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self._seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        if is_exact():
            return self._as_compiled(x)
        if self.training:
            with torch.no_grad():
                mean, var, n = _moments(x.float())
                self._seen.append((mean, var * n / (n - 1).clamp(min=1)))
            return self._on_running(x.float())
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)

    def _on_running(self, x: Tensor) -> Tensor:
        # Copies: the statistics move before the gradient is taken.
        inverse = torch.rsqrt(self.running_var.clone() + self.eps)
        return (x - self.running_mean.clone()) * inverse * self.weight + self.bias

    def finish(self) -> None:
        """Ends a pass over the time steps."""
        if self._seen:
            means, variances = zip(*self._seen)
            self._seen = []
            self._follow(torch.stack(means).mean(0), torch.stack(variances).mean(0))
