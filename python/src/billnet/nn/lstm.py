"""The binary long short-term memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .modes import is_exact
from .norm import StepNorm
from .step import Step


class BinaryLSTM(nn.Module):
    """A long short-term memory in bits and integers: [N, T, inputs] -> the last h [N, hidden], or all h [N, T, hidden].

    With binary weights ``wi`` [4*hidden, inputs] and ``wh`` [4*hidden, hidden], gates in the order i, f, g, o::

        z = norm(sign(wi) x_t + sign(wh) h)     i, f, o = H(z)    g = sign(z), sign(0) = +1
        c = f*c + i*g                           h = o * sign(c),  sign(0) = sign0

    c is a counter, at most t in size. Soft gates are the logistic function and tanh.
    Sources: Hochreiter and Schmidhuber, 1997; Ardakani et al., "Learning Recurrent Binary/Ternary Weights", 2019.
    """

    def __init__(self, inputs: int, hidden: int, sign0: int = 1, sequence: bool = False) -> None:
        super().__init__()
        self.inputs, self.hidden, self.sign0, self.sequence = inputs, hidden, sign0, sequence
        self.wi, self.wh = nn.Parameter(torch.empty(4 * hidden, inputs)), nn.Parameter(torch.empty(4 * hidden, hidden))
        for w in (self.wi, self.wh):
            nn.init.normal_(w, 0, w.shape[1] ** -0.5)
        self.sign = Step("cell-weight", signed=True)
        self.bn = StepNorm(4 * hidden)
        with torch.no_grad():
            self.bn.bias[hidden : 2 * hidden] = 1  # remember, to begin with
        self.gate = Step("gate")
        self.candidate = Step("candidate", signed=True)
        self.cell = Step("cell", signed=True, at_zero=sign0)

    def forward(self, x: Tensor) -> Tensor:
        wi, wh = self.sign(self.wi), self.sign(self.wh)
        h = c = torch.zeros(x.shape[0], self.hidden, device=x.device, dtype=x.dtype)
        all_h = []
        for t in range(x.shape[1]):
            z = self.bn(_product(x[:, t], wi) + _product(h, wh))
            i, f, g, o = z.chunk(4, 1)
            c = self.gate(f) * c + self.gate(i) * self.candidate(g)
            h = self.gate(o) * self.cell(c)
            all_h.append(h)
        if self.training:
            self.bn.finish()
        return torch.stack(all_h, 1) if self.sequence else h

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.hidden}, sign0={self.sign0}{', sequence' if self.sequence else ''}"


def _product(x: Tensor, w: Tensor) -> Tensor:
    if is_exact():  # sums of integers
        return F.linear(x.double(), w.double()).to(x.dtype)
    return F.linear(x, w)


class Scores(nn.Linear):
    """The last layer, in float: [N, inputs] -> the logits [N, classes] = h w' + bias."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(inputs, classes)
        nn.init.normal_(self.weight, 0, inputs**-0.5)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if not is_exact():
            return super().forward(x)
        y = torch.zeros(x.shape[0], self.out_features)
        for k in range(self.in_features):  # the program's order: from 0 on, one rounding each
            y = y + x[:, k : k + 1] * self.weight[:, k]
        return y + self.bias
