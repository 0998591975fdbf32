"""Residual gates: thresholded global average pooling and the MUX-OR block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv import CF
from .modes import is_exact
from .step import Step


class TGAP(nn.Module):
    """Thresholded global average pooling of a map [N, C, T, H, W]: ``S = H(mean(x) - t)``, t a threshold a channel.

    ========= ============================ =================================
    mode      mean over                    result
    ========= ============================ =================================
    clip      time and space               [N, C, 1, 1, 1]
    frame     space, frame by frame        [N, C, T, 1, 1]
    running   space and all frames so far  [N, C, T, 1, 1]
    ========= ============================ =================================
    """

    def __init__(self, channels: int, mode: str = "clip", threshold: float = 0.5) -> None:
        super().__init__()
        if mode not in ("clip", "frame", "running"):
            raise ValueError(f"mode is {mode!r}, expected clip, frame or running")
        self.mode = mode
        self.threshold = nn.Parameter(torch.full((1, channels, 1, 1, 1), threshold))
        self.step = Step("select")

    def mean(self, x: Tensor) -> Tensor:
        """The share of ones that is compared."""
        if self.mode != "running":
            return _mean(x, [2, 3, 4] if self.mode == "clip" else [3, 4])
        t, pixels = x.shape[2], x.shape[3] * x.shape[4]
        ones = x.sum([3, 4], keepdim=True).cumsum(2)
        frames = torch.arange(1, t + 1, device=x.device, dtype=x.dtype).reshape(1, 1, t, 1, 1)
        return ones / (frames * float(pixels))

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self.mean(x) - self.threshold)

    def extra_repr(self) -> str:
        return self.mode


def _mean(x: Tensor, axes: list[int], keepdim: bool = True) -> Tensor:
    if not is_exact():
        return x.mean(axes, keepdim=keepdim)
    count = 1
    for a in axes:
        count *= x.shape[a]
    return x.double().sum(axes, keepdim=keepdim).float() / torch.tensor(float(count))


class FrameMean(nn.Module):
    """The mean of every frame of a map: [N, C, T, H, W] -> [N, C, T]."""

    def forward(self, x: Tensor) -> Tensor:
        return _mean(x, [3, 4], False)


class MOR(nn.Module):
    """The MUX-OR residual block on [N, C, T, H, W]: a CF block F beside x, and a select S = TGAP(x).

    ============ ========================= ==================
    wiring       result                    with numbers
    ============ ========================= ==================
    mux-or       ``F or (S and x)``        ``F + Sx - F*Sx``
    or           ``F or x``                ``F + x - F*x``
    mux          ``x where S, else F``     ``S*x + (1-S)*F``
    ============ ========================= ==================

    Source: Nguyen, Guicquero, Sicard, "BILLNET", SiPS 2022; the wiring mux-or is this project's.
    """

    def __init__(self, channels: int, per: int = 8, wiring: str = "mux-or", mid: str = "linear", causal: bool = False, tgap: str = "clip") -> None:
        super().__init__()
        if wiring not in ("mux-or", "or", "mux"):
            raise ValueError(f"wiring is {wiring!r}, expected mux-or, or, mux")
        self.wiring = wiring
        self.f = CF(channels, channels, per, mid, causal)
        self.select = TGAP(channels, tgap) if wiring != "or" else None
        #: Shares of ones (block, beside, select, out) of the last pass, where they are wanted.
        self.density: list[float] | None = None
        self.measure = False

    def forward(self, x: Tensor) -> Tensor:
        f = self.f(x)
        s = self.select(x) if self.select is not None else None
        if s is not None and self.wiring == "mux":
            y = s * x + (1 - s) * f
        else:
            sx = x if s is None else s * x
            y = f + sx - f * sx
        if self.measure:
            self.density = [float((v > 0).float().mean()) for v in (f, x, s if s is not None else x.new_zeros(1), y)]
        return y

    def extra_repr(self) -> str:
        return self.wiring
