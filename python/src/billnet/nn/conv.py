"""Convolutions with binary weights, and the factorized block made of them."""

from __future__ import annotations

from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .modes import is_exact, is_exporting
from .norm import Norm
from .step import Heaviside, Step

Size = Union[int, tuple[int, int, int]]


def _triple(v: Size) -> tuple[int, int, int]:
    return (v, v, v) if isinstance(v, int) else v


class Pixels(nn.Module):
    """Clips of bytes 0..255, [N, 3, T, H, W] of any type, as numbers 0..1: ``x / 255``."""

    def forward(self, clip: Tensor) -> Tensor:
        x = clip.double() if is_exact() else clip.float()
        return x / 255.0


class _ByFrames(torch.autograd.Function):
    """A grouped conv3d of stride 1 in time whose gradients are those of a conv2d on all frames: PyTorch's own are half as fast on a CPU.

    With frames x_t, taps w_k and a padding of p, ``y_t = sum_k conv2d(x_{t+k-p}, w_k)``: what reaches
    the conv2d of x_t with w_k is the gradient of y_{t+p-k}.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, stride: tuple[int, int, int], pad: list[int], groups: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.sizes = stride, pad, groups
        return F.conv3d(x, w, None, stride, pad, 1, groups)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Optional[Tensor], Optional[Tensor], None, None, None]:
        x, w = ctx.saved_tensors
        stride, pad, groups = ctx.sizes
        (n, _, frames, *_), taps = x.shape, w.shape[2]
        # [N, T, H', W', out, taps] in memory, [N*T, out*taps, H', W'] to conv2d
        each = g.new_empty((n, frames, g.shape[3], g.shape[4], g.shape[1], taps))
        for k in range(taps):
            shift = pad[0] - k
            first = min(max(0, -shift), frames)
            last = max(first, min(frames, g.shape[2] - shift))
            each[:, :first, ..., k] = 0
            each[:, first:last, ..., k] = g[:, :, first + shift : last + shift].permute(0, 2, 3, 4, 1)
            each[:, last:, ..., k] = 0
        gx, gw, _ = torch.ops.aten.convolution_backward(
            each.flatten(4).flatten(0, 1).permute(0, 3, 1, 2), x.transpose(1, 2).flatten(0, 1).to(g.dtype), w.transpose(1, 2).flatten(0, 1).to(g.dtype),
            None, stride[1:], pad[1:], [1, 1], False, [0, 0], groups, [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False],
        )  # fmt: skip
        return (
            None if gx is None else gx.unflatten(0, (n, frames)).transpose(1, 2).to(x.dtype),
            None if gw is None else gw.unflatten(0, (w.shape[0], taps)).transpose(1, 2).to(w.dtype),
            None, None, None,
        )  # fmt: skip


class BinaryConv3d(nn.Module):
    """A 3-D convolution [N, in, T, H, W] -> [N, out, T', H', W'] whose weights are signs.

    ``y = conv(x, sign(w))`` with latent weights ``w`` [out, in/groups, kt, kh, kw], sign(0) = +1, zero
    padding of k/2 ("same" for odd kernels at stride 1) and no bias: a norm follows. ``causal`` pads
    time on the side of the past alone, so that no frame sees a later one.
    Sources: Courbariaux et al., "Binarized Neural Networks", 2016; Rastegari et al., "XNOR-Net", 2016.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size = 3, stride: Size = 1, groups: int = 1, causal: bool = False) -> None:
        super().__init__()
        if groups < 1 or inputs % groups or outputs % groups:
            raise ValueError(f"{groups} groups do not divide {inputs} input and {outputs} output channels")
        self.inputs, self.outputs, self.groups, self.causal = inputs, outputs, groups, causal
        self.kernel, self.stride = _triple(kernel), _triple(stride)
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, *self.kernel))
        nn.init.normal_(self.weight, 0, (2 / (self.weight.numel() / outputs)) ** 0.5)
        self.sign = Step("weight", signed=True)

    def forward(self, x: Tensor) -> Tensor:
        w = self.sign(self.weight)
        pad = [k // 2 for k in self.kernel]
        if self.causal and self.kernel[0] > 1:
            x = F.pad(x, (0, 0, 0, 0, self.kernel[0] - 1, 0))
            pad[0] = 0
        if is_exact():  # sums of integers, or of real numbers
            return F.conv3d(x.double(), w.double(), None, self.stride, pad, 1, self.groups).to(x.dtype)
        if self.training and x.device.type == "cpu" and self.groups > 1 and self.stride[0] == 1 and not is_exporting():
            y: Tensor = _ByFrames.apply(x, w, self.stride, pad, self.groups)
            return y
        return F.conv3d(x, w, None, self.stride, pad, 1, self.groups)

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, kernel={self.kernel}, stride={self.stride}, groups={self.groups}{', causal' if self.causal else ''}"


class CF(nn.Module):
    """A 3x3x3 convolution [N, in, T, H, W] -> [N, out, T, H, W] factorized into pointwise, grouped, pointwise.

    ``y = H(norm(c(b(a(x)))))``; ``per`` channels make a group of b. With ``mid="linear"`` there are
    integers between the three, with ``"bits"`` a norm and a step each.
    Source: Nguyen, Guicquero, Sicard, "BILLNET", SiPS 2022.
    """

    def __init__(self, inputs: int, outputs: int, per: int = 8, mid: str = "linear", causal: bool = False) -> None:
        super().__init__()
        if mid not in ("linear", "bits"):
            raise ValueError(f"mid is {mid!r}, expected linear or bits")
        if per < 1 or outputs % per:
            raise ValueError(f"groups of {per} channels do not divide {outputs} channels")
        self.a = BinaryConv3d(inputs, outputs, 1)
        self.a_bn: Optional[Norm] = Norm(outputs) if mid == "bits" else None
        self.b = BinaryConv3d(outputs, outputs, 3, groups=outputs // per, causal=causal)
        self.b_bn: Optional[Norm] = Norm(outputs) if mid == "bits" else None
        self.c = BinaryConv3d(outputs, outputs, 1)
        self.bn = Norm(outputs)
        self.act = Heaviside()

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        if self.a_bn is not None:
            x = self.act(self.a_bn(x))
        x = self.b(x)
        if self.b_bn is not None:
            x = self.act(self.b_bn(x))
        return self.act(self.bn(self.c(x)))
