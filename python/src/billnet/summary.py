"""A table of a network's layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import torch
from torch import Tensor, nn

from .export import example_of
from .nn import TGAP, BinaryConv3d, BinaryLSTM, Norm, Pixels


@dataclass
class Row:
    """A layer: ``weight_bits`` and ``input_bits`` are of one number, 0 where there is none."""

    path: str
    kind: str
    shape: list[int]  # of its result, for one clip
    weight_bits: int
    input_bits: int
    binary_macs: int
    integer_macs: int
    float_macs: int
    weight_bytes: int
    becomes: str


@dataclass
class Summary:
    """What :func:`summary` returns; printed, it is the table."""

    rows: list[Row] = field(default_factory=list)

    def total(self, name: str) -> int:
        """The sum of a column."""
        return sum(getattr(r, name) for r in self.rows)

    def __str__(self) -> str:
        head = ["layer", "kind", "shape", "weights", "input", "binary MAC", "integer MAC", "float MAC", "bytes", "becomes"]
        sums = [self.total(k) for k in ("binary_macs", "integer_macs", "float_macs", "weight_bytes")]
        body = [
            [r.path, r.kind, "x".join(map(str, r.shape)), f"{r.weight_bits} bit" if r.weight_bits else "", f"{r.input_bits} bit" if r.input_bits else ""]
            + [f"{v:,}" if v else "" for v in (r.binary_macs, r.integer_macs, r.float_macs, r.weight_bytes)]
            + [r.becomes]
            for r in self.rows
        ]
        body.append(["sum", "", "", "", "", *(f"{v:,}" for v in sums), ""])
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
        numbers = range(5, 9)
        lines = ["  ".join(c.rjust(w) if i in numbers else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip() for line in [head, *body]]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def summary(net: nn.Module, example: Optional[object] = None) -> Summary:
    """Layers, shapes, bits, multiply-accumulates and bytes of a network, and what each becomes when compiled."""
    table, handles = Summary(), []
    for path, module in net.named_modules():
        if isinstance(module, (BinaryConv3d, Norm, TGAP, BinaryLSTM, Pixels, nn.Linear)):
            handles.append(module.register_forward_hook(lambda m, args, y, path=path: table.rows.extend(_rows(path, m, args[0], y))))
    training = net.training
    net.eval()
    try:
        clip = example_of(net, example).to(next(net.parameters()).device)
        with torch.no_grad():
            net(torch.randint_like(clip, 0, 256) if clip.dtype == torch.uint8 else clip)
    finally:
        for h in handles:
            h.remove()
        net.train(training)
    recurrent = tuple(p + "." for p, m in net.named_modules() if isinstance(m, BinaryLSTM))
    table.rows = [r for r in table.rows if not r.path.startswith(recurrent)]
    return table


def _bits(x: Tensor) -> int:
    """How many bits the numbers of x need: 1, 2 with signs, 8 for pixels, else those of an integer or float."""
    if x.dtype == torch.uint8:
        return 8
    if bool(((x == 0) | (x == 1)).all()):
        return 1
    if bool(((x == 0) | (x.abs() == 1)).all()):
        return 2
    if bool(((x * 255 - (x * 255).round()).abs() < 1e-3).all()) and float(x.min()) >= 0 and float(x.max()) <= 1:
        return 8
    if torch.equal(x, x.round()):
        return 8 if float(x.abs().max()) < 128 else 16 if float(x.abs().max()) < 32768 else 32
    return 32


def _rows(path: str, m: nn.Module, x: Tensor, y: Tensor) -> list[Row]:
    shape, bits = list(y.shape[1:]), _bits(x)
    kind = type(m).__name__

    def row(weight_bits: int, macs: int, size: int, becomes: str) -> Row:
        b, i, f = (macs, 0, 0) if weight_bits == 1 and bits <= 2 else (0, macs, 0) if weight_bits == 1 else (0, 0, macs)
        return Row(path, kind, shape, weight_bits, bits, b, i, f, size, becomes)

    if isinstance(m, BinaryConv3d):
        n, per = m.weight.numel(), m.weight.numel() // m.outputs
        what = "counts of equal bits" if bits == 1 else "sums of pixels" if bits == 8 and not torch.equal(x, x.round()) else "sums of integers"
        return [row(1, y[0].numel() * per, (n + 7) // 8, what)]
    if isinstance(m, BinaryLSTM):
        n = m.wi.numel() + m.wh.numel()
        return [row(1, x.shape[1] * n, (n + 7) // 8 + 16 * m.hidden, "bits, and counters as cells")]
    if isinstance(m, TGAP):
        return [row(0, 0, 4 * m.threshold.numel(), "a count of ones and a comparison")]
    if isinstance(m, Norm):
        return [row(0, 0, 4 * m.num_features, "a threshold a channel")]
    if isinstance(m, nn.Linear):
        return [row(32, y[0].numel() * m.in_features, 4 * sum(p.numel() for p in m.parameters()), "float sums")]
    if isinstance(m, Pixels):
        return [row(0, 0, 0, "nothing: thresholds take it up")]
    return []
