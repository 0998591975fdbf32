#!/usr/bin/env python3
"""Compares the training engine with PyTorch.

    train_step.py time [--batch 16] [--threads 2] [--seconds 10] [--go]
        Times one training step (forward, backward, Adam) of a BILLNET network of width 16 on clips of
        16x48x64, in PyTorch and, with --go, of the same network in this repository
        (go test ./train -run '^$' -bench Step).
    train_step.py record [--out train/testdata/torch.json]
        Writes weights, inputs, losses and gradients of two small networks, which the tests of package
        train must reproduce.

Needs torch 2.x and numpy.
"""
import argparse
import json
import os
import subprocess
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Triangle(torch.autograd.Function):
    """Unit step; backward (w - |x|)/w^2 within w."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x)
        ctx.w = w
        return (x > 0).float()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (ctx.w - x.abs()).clamp(min=0) / ctx.w**2, None


class Gate(torch.autograd.Function):
    """Unit step; backward 2 s(2x) (1 - s(2x))."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx, g):
        s = torch.sigmoid(2 * ctx.saved_tensors[0])
        return g * 2 * s * (1 - s)


class Sign(torch.autograd.Function):
    """Sign; backward 2 (w - |x|)/w^2 within w. zero says whether sign(0) is 0 rather than -1."""

    @staticmethod
    def forward(ctx, x, w, zero):
        ctx.save_for_backward(x)
        ctx.w = w
        return torch.sign(x) if zero else (x > 0).float() * 2 - 1

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * (ctx.w - x.abs()).clamp(min=0) / ctx.w**2, None, None


class Weight(torch.autograd.Function):
    """Sign of latent weights, sign(0) = +1; the gradient passes where |w| <= 1."""

    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return torch.where(w >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0].abs() <= 1)


def muxor(s, f, x):
    return f + s * x - f * s * x


class CF(nn.Module):
    """Pointwise, grouped 3x3x3, pointwise, norm, step."""

    def __init__(self, ci, co, group):
        super().__init__()
        self.a = nn.Parameter(torch.rand(co, ci, 1, 1, 1) * 2 - 1)
        self.b = nn.Parameter(torch.rand(co, group, 3, 3, 3) * 2 - 1)
        self.c = nn.Parameter(torch.rand(co, co, 1, 1, 1) * 2 - 1)
        self.bn = nn.BatchNorm3d(co)
        self.groups = co // group

    def forward(self, x):
        x = F.conv3d(x, Weight.apply(self.a))
        x = F.conv3d(x, Weight.apply(self.b), padding=1, groups=self.groups)
        x = F.conv3d(x, Weight.apply(self.c))
        return Triangle.apply(self.bn(x), 1.0)


class MOR(nn.Module):
    """mux-or of a block and its input, selected by a thresholded mean."""

    def __init__(self, c, group):
        super().__init__()
        self.f = CF(c, c, group)
        self.t = nn.Parameter(torch.full((1, c, 1, 1, 1), 0.3))

    def forward(self, x):
        s = Triangle.apply(x.mean((2, 3, 4), keepdim=True) - self.t, 0.3)
        return muxor(s, self.f(x), x)


class Cell(nn.Module):
    """Binary LSTM over [N,S,I], norm on running statistics; gates i f o g."""

    def __init__(self, i, h):
        super().__init__()
        self.wi = nn.Parameter(torch.rand(4 * h, i) * 2 - 1)
        self.wh = nn.Parameter(torch.rand(4 * h, h) * 2 - 1)
        self.bn = nn.BatchNorm1d(4 * h)
        self.bn.running_var.fill_(float(i))
        self.h = h

    def forward(self, x):
        h = c = torch.zeros(x.shape[0], self.h)
        wi, wh, bn = Weight.apply(self.wi), Weight.apply(self.wh), self.bn
        for t in range(x.shape[1]):
            z = x[:, t] @ wi.t() + h @ wh.t()
            z = F.batch_norm(z, bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0, bn.eps)
            i, f, o, g = z.chunk(4, 1)
            c = Gate.apply(f) * c + Gate.apply(i) * Sign.apply(g, 1.5, False)
            h = Gate.apply(o) * Sign.apply(c, 3.0, True)
        return h


class Binary(nn.Module):
    """The network of the time measurement: width 16, hidden 48."""

    def __init__(self, w=16, group=8, hidden=48, classes=12):
        super().__init__()
        self.stem = nn.Parameter(torch.rand(w, 3, 3, 3, 3) * 2 - 1)
        self.bs = nn.BatchNorm3d(w)
        self.f = nn.Sequential(
            MOR(w, group), nn.MaxPool3d((1, 2, 2)), CF(w, 2 * w, group), MOR(2 * w, group), nn.MaxPool3d((2, 2, 2)),
            CF(2 * w, 4 * w, group), MOR(4 * w, group), nn.MaxPool3d((1, 2, 2)))
        self.bg = nn.BatchNorm1d(4 * w)
        self.cell = Cell(4 * w, hidden)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        x = F.conv3d(x / 255, Weight.apply(self.stem), stride=(1, 2, 2), padding=1)
        x = self.f(Triangle.apply(self.bs(x), 1.0))
        x = Triangle.apply(self.bg(x.mean((3, 4))), 1.0)
        return self.fc(self.cell(x.transpose(1, 2)))


class SmallBinary(nn.Module):
    """The binary network of the record."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Parameter(torch.rand(4, 2, 3, 3, 3) * 2.2 - 1.1)
        self.bs = nn.BatchNorm3d(4)
        self.mor = MOR(4, 2)
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.bg = nn.BatchNorm1d(4)
        self.cell = Cell(4, 5)
        self.fc = nn.Linear(5, 3)
        self.aux = nn.Linear(4, 3)

    def forward(self, x):
        x = F.conv3d(x / 255, Weight.apply(self.stem), stride=(1, 2, 2), padding=1)
        x = self.pool(self.mor(Triangle.apply(self.bs(x), 1.0)))
        x = x.mean((3, 4))
        y = Triangle.apply(self.bg(x), 1.0)
        return self.fc(self.cell(y.transpose(1, 2))), self.aux(x.mean(2))


class SmallFloat(nn.Module):
    """The float network of the record."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv3d(2, 4, 3, stride=(1, 2, 2), padding=1)
        self.bn = nn.BatchNorm3d(4)
        self.b = nn.Conv3d(4, 6, (3, 3, 2), padding=(1, 1, 0), groups=2, dilation=(1, 1, 2))
        self.pool = nn.MaxPool3d((1, 2, 2), ceil_mode=True)
        self.lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.bn(self.a(x / 255)))
        x = torch.tanh(self.pool(self.b(x))).mean((3, 4))
        y, _ = self.lstm(x.transpose(1, 2))
        return self.fc(y[:, -1]),


def loss_of(heads, labels, teacher, distill, temperature, auxiliary):
    total = 0
    for i, z in enumerate(heads):
        ce = F.cross_entropy(z, labels)
        kl = F.kl_div(F.log_softmax(z / temperature, 1), F.softmax(teacher / temperature, 1), reduction="batchmean")
        total = total + (auxiliary if i else 1) * ((1 - distill) * ce + distill * temperature**2 * kl)
    return total


def numbers(t):
    return [float(np.float32(v)) for v in t.detach().numpy().reshape(-1)]


def record(out):
    torch.manual_seed(7)
    nets = {}
    for name, net, shape in [("binary", SmallBinary(), (3, 2, 4, 8, 12)), ("float", SmallFloat(), (3, 2, 4, 8, 12))]:
        with torch.no_grad():
            for n, p in net.named_parameters():
                if "bias" in n:
                    p.uniform_(-0.5, 0.5)
        net.train()
        clips, labels, teacher = torch.randint(0, 256, shape).float(), torch.tensor([0, 2, 1]), torch.randn(3, 3)
        params = {n: {"shape": list(p.shape), "data": numbers(p)} for n, p in net.named_parameters()}
        for n, b in net.named_buffers():
            if "running" in n:
                params[n] = {"shape": list(b.shape), "data": numbers(b)}
        settings = {"distill": 0.7, "temperature": 2.0, "auxiliary": 0.5}
        heads = net(clips)
        loss = loss_of(heads, labels, teacher, **settings)
        loss.backward()
        for n, p in net.named_parameters():
            params[n]["grad"] = numbers(p.grad)
        after = {n: numbers(b) for n, b in net.named_buffers() if "running" in n and not n.startswith("cell")}
        nets[name] = {"torch": torch.__version__, "shape": list(shape), "clips": [int(v) for v in clips.reshape(-1)], "labels": labels.tolist(), "teacher": numbers(teacher),
                      "settings": settings, "params": params, "after": after, "loss": loss.item(), "logits": [numbers(h) for h in heads]}
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".tmp", "w") as f:
        json.dump(nets, f, separators=(",", ":"))
    os.replace(out + ".tmp", out)
    print(out, os.path.getsize(out), "bytes; losses", {k: v["loss"] for k, v in nets.items()})


def measure(batch, threads, seconds, go):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = Binary()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    clips, labels = torch.randint(0, 256, (batch, 3, 16, 48, 64)).float(), torch.randint(0, 12, (batch,))

    def step():
        opt.zero_grad()
        F.cross_entropy(net(clips), labels).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        opt.step()

    step()
    n, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        step()
        n += 1
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    print(f"PyTorch {torch.__version__}, {threads} threads, batch {batch}: {n * batch / wall:.1f} clips/s, {1000 * used / (n * batch):.2f} ms of CPU a clip")
    if go:
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
        subprocess.run(["go", "test", "./train", "-run", "^$", "-bench", "Step", "-benchtime", f"{seconds}s", "-cpu", str(threads)], cwd=root, check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="what", required=True)
    t = sub.add_parser("time")
    t.add_argument("--batch", type=int, default=16)
    t.add_argument("--threads", type=int, default=2)
    t.add_argument("--seconds", type=float, default=10)
    t.add_argument("--go", action="store_true")
    r = sub.add_parser("record")
    r.add_argument("--out", default="train/testdata/torch.json")
    a = p.parse_args()
    if a.what == "time":
        measure(a.batch, a.threads, a.seconds, a.go)
    else:
        record(a.out)


if __name__ == "__main__":
    main()
