"""Steps and signs, their soft forms, and the surrogates that stand for their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import torch
from torch import Tensor, nn

from .modes import is_exact, is_exporting

#: What a binary operation is for; a stage makes roles hard or soft.
ROLES = ("activation", "weight", "cell-weight", "select", "gate", "candidate", "cell")


@dataclass(frozen=True)
class Surrogate:
    """The function whose value stands for the derivative of the unit step. Its integral is 1.

    ========== ==========================================================
    triangle   ``(w - |x|) / w^2`` for ``|x| < w``
    box        ``1 / (2w)`` for ``|x| <= w``
    logistic   ``w * s(wx) * (1 - s(wx))`` with ``s`` the logistic function
    ========== ==========================================================

    Signs, which jump by 2, take it twice.
    """

    shape: str
    width: float

    def __post_init__(self) -> None:
        if self.shape not in ("triangle", "box", "logistic"):
            raise ValueError(f"unknown surrogate {self.shape!r}, expected triangle, box or logistic")
        if not 0 < self.width < float("inf"):
            raise ValueError(f"the width of surrogate {self.shape} is {self.width}, expected a positive number")

    def derivative(self, x: Tensor) -> Tensor:
        """Its values at x."""
        w = self.width
        if self.shape == "triangle":
            return torch.rsub(x.abs(), w).clamp_(min=0).div_(w * w)
        if self.shape == "box":
            return (x.abs() <= w).to(x.dtype).div_(2 * w)
        p = torch.sigmoid(w * x)
        return w * p * (1 - p)


#: The surrogate of every role.
SURROGATES = {
    "activation": Surrogate("triangle", 1),
    "weight": Surrogate("box", 1),
    "cell-weight": Surrogate("box", 1),
    "select": Surrogate("triangle", 0.3),
    "gate": Surrogate("logistic", 2),
    "candidate": Surrogate("triangle", 1.5),
    "cell": Surrogate("triangle", 3),
}


class _Straight(torch.autograd.Function):
    """A step whose gradient is that of its surrogate."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: "Step") -> Tensor:
        ctx.save_for_backward(x)
        ctx.step = step
        return step.hard(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        step: Step = ctx.step
        return step.surrogate.derivative(x).mul_(g).mul_(1 - step.low), None


class Step(nn.Module):
    """The unit step to {0, 1}, or the sign to {-1, +1}, of any tensor.

    ========= ============================== ==========================================
    form      {0, 1}                         {-1, +1} (``signed``)
    ========= ============================== ==========================================
    hard      1 where x > 0                  ``at_zero`` where x = 0, else the sign of x
    soft      activation: ``max(x, 0)``      activation: x cut off at -1 and 1
    soft      else ``1 / (1 + exp(-kx))``    weights: x itself, else ``tanh(kx)``
    ========= ============================== ==========================================

    ``k`` is ``slope``: 8 for selects, 1 for the others unless a stage says otherwise. The hard form
    is trained straight through, with the surrogate of its role.
    Source: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013.
    """

    def __init__(self, role: str = "activation", signed: bool = False, at_zero: int = 1, surrogate: Optional[Surrogate] = None) -> None:
        super().__init__()
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}, expected one of {', '.join(ROLES)}")
        if at_zero not in (-1, 0, 1):
            raise ValueError(f"the sign of 0 is {at_zero}, expected -1, 0 or 1")
        self.role, self.low, self.at_zero = role, -1 if signed else 0, at_zero
        self.surrogate = surrogate or SURROGATES[role]
        self.soft = False
        self.slope = 8.0 if role == "select" else 1.0

    def hard(self, x: Tensor) -> Tensor:
        """The step itself."""
        if self.low == 0:
            return (x > 0).to(x.dtype)
        if self.at_zero == 0:
            return torch.sign(x)
        over = x >= 0 if self.at_zero > 0 else x > 0
        return torch.where(over, x.new_ones(()), x.new_full((), -1.0))

    def smooth(self, x: Tensor) -> Tensor:
        """The soft form."""
        if self.role in ("weight", "cell-weight"):
            return x if self.low < 0 else (x + 1) / 2
        if self.role == "activation":
            return x.clamp(-1, 1) if self.low < 0 else torch.relu(x)
        return torch.tanh(self.slope * x) if self.low < 0 else torch.sigmoid(self.slope * x)

    def forward(self, x: Tensor) -> Tensor:
        if self.soft:
            return self.smooth(x)
        if is_exact():
            return self.hard(x).float()
        if is_exporting() or not torch.is_grad_enabled():
            return self.hard(x)
        return _Straight.apply(x, self)

    def extra_repr(self) -> str:
        sign = f", signed, sign(0)={self.at_zero}" if self.low < 0 else ""
        return f"{self.role}{sign}{', soft' if self.soft else ''}"


class Heaviside(Step):
    """The step of a feature map to bits: 1 where x > 0, else 0. See :class:`Step`."""

    def __init__(self, surrogate: Optional[Surrogate] = None) -> None:
        super().__init__("activation", surrogate=surrogate)


class Sign(Step):
    """The sign of a feature map: +1 where x >= 0, else -1. See :class:`Step`."""

    def __init__(self, at_zero: int = 1, surrogate: Optional[Surrogate] = None) -> None:
        super().__init__("activation", signed=True, at_zero=at_zero, surrogate=surrogate)
