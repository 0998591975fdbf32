"""Layers, soft and hard, and their gradients."""

from __future__ import annotations

import pytest
import torch
from conftest import SMALL, clips_of

import billnet
from billnet import nn


@pytest.mark.parametrize("role", nn.ROLES)
@pytest.mark.parametrize("signed", [False, True])
def test_surrogates(role, signed):
    """The gradient is the surrogate's, whose integral is the height of the jump."""
    step = nn.Step(role, signed)
    x = torch.linspace(-30, 30, 60001, dtype=torch.float64, requires_grad=True)
    y = step(x)
    assert set(y.detach().unique().tolist()) == ({-1.0, 1.0} if signed else {0.0, 1.0})
    y.sum().backward()
    assert float(x.grad.sum() * 0.001) == pytest.approx(1 - step.low, rel=1e-3)


@pytest.mark.parametrize("role", nn.ROLES)
@pytest.mark.parametrize("signed", [False, True])
def test_soft_forms(role, signed):
    step = nn.Step(role, signed)
    step.soft, step.slope = True, 2.0
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    if role == "activation":
        want = x.clamp(-1, 1) if signed else x.clamp(min=0)
    elif "weight" in role:
        want = x if signed else (x + 1) / 2
    else:
        want = torch.tanh(2 * x) if signed else 1 / (1 + torch.exp(-2 * x))
    assert torch.allclose(step(x), want)


def test_zero_and_nan():
    x = torch.tensor([-0.0, 0.0, float("nan"), 1e-45])
    assert nn.Heaviside()(x).tolist() == [0, 0, 0, 1]
    assert nn.Sign()(x).tolist() == [1, 1, -1, 1]
    assert nn.Sign(at_zero=0)(x[:2]).tolist() == [0, 0]
    assert nn.Sign(at_zero=-1)(x[:2]).tolist() == [-1, -1]


@pytest.mark.parametrize(
    "layer", [nn.BinaryConv3d(2, 4, 3, causal=True), nn.CF(2, 4, 2, causal=True), nn.MOR(2, 1, causal=True, tgap="running"), nn.TGAP(2, "running"), nn.TGAP(2, "frame")]
)
def test_causal_layers_do_not_see_the_future(layer):
    x = (torch.rand(1, 2, 5, 4, 4) > 0.5).float()
    later = x.clone()
    later[:, :, 3:] = 1 - later[:, :, 3:]
    layer.eval()
    assert torch.equal(layer(x)[:, :, :3], layer(later)[:, :, :3])


@pytest.mark.parametrize("kernel, stride, groups, causal", [(3, 1, 2, False), (3, (1, 2, 1), 4, True), ((5, 1, 3), 1, 2, False), ((7, 3, 3), 1, 2, True), (1, 1, 2, False)])
def test_gradients_of_grouped_convolutions(kernel, stride, groups, causal):
    """They go another way in training, to the same numbers."""
    layer = nn.BinaryConv3d(4, 8, kernel, stride, groups, causal).double()
    x = torch.randn(2, 4, 4, 7, 6, dtype=torch.float64, requires_grad=True)
    found = []
    for _ in range(2):
        y = layer(x)
        grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        found.append((y, *torch.autograd.grad(y, [x, layer.weight], grad)))
        layer.eval()
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(*found))


@pytest.mark.parametrize("wiring", ["mux-or", "or", "mux"])
def test_gates_by_their_tables(wiring):
    block = nn.MOR(4, 2, wiring).eval()
    x = (torch.rand(2, 4, 3, 4, 4) > 0.5).float()
    f = block.f(x).bool()
    s = block.select(x).bool().expand_as(f) if block.select is not None else torch.ones_like(f)
    want = torch.where(s, x.bool(), f) if wiring == "mux" else f | (s & x.bool())
    assert torch.equal(block(x).bool(), want)


def test_norms_follow_batches_as_torch_does():
    ours, theirs = nn.Norm(3), torch.nn.BatchNorm3d(3)
    for i in range(3):
        x = torch.randn(4, 3, 2, 5, 5) * (i + 1) + i
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        ya, yb = ours(a), theirs(b)
        assert torch.allclose(ya, yb, atol=1e-5)
        ya.square().sum().backward()
        yb.square().sum().backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-3)
    assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-6)
    assert torch.allclose(ours.running_var, theirs.running_var, rtol=1e-5)


def test_the_lstm_counts():
    """Cells are whole numbers of at most the steps so far, h is -1, 0 or 1."""
    lstm = nn.BinaryLSTM(6, 5, sequence=True).eval()
    h = lstm((torch.rand(7, 9, 6) > 0.5).float())
    assert h.shape == (7, 9, 5) and set(h.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_everything_learns():
    net = billnet.BILLNET(**SMALL)
    logits, aux = net(clips_of(net.config.clip))
    (logits.square().sum() + aux.square().sum()).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_summary(small):
    table = billnet.summary(small)
    rows = {r.path: r for r in table.rows}
    assert rows["stem"].input_bits == 8 and rows["stem"].integer_macs == 4 * 4 * 4 * 5 * 81 and rows["stem"].binary_macs == 0
    assert rows["blocks.0.f.a"].binary_macs == 4 * 4 * 4 * 5 * 4
    assert rows["fc"].float_macs == 15 and rows["fc"].weight_bytes == 72
    assert "sum" in str(table).splitlines()[-1] and "a threshold a channel" in str(table)
