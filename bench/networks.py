#!/usr/bin/env python3
"""Exports networks that people use with both of PyTorch's exporters, compiles them and compares every output with ONNX Runtime.

    python bench/networks.py                      # all of them; the ONNX files stay in ./networks and are made once
    python bench/networks.py resnet swin --exporter dynamo
    python bench/networks.py --models DIR         # the ONNX files of a folder (and below) instead

Weights are random. It prints a row a network: whether it compiles, the largest difference relative to the largest value, compile time and peak memory
of billc, and the ledger's share of work by kind. The exit code is 1 if anything is wrong, 0 otherwise, refusals included; they are counted at the end.
Needs numpy and onnxruntime, and torch, torchvision, onnx and onnxscript to export.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

IMAGE = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5",
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16", "wide_resnet50_2",
]
VIDEO = ["r3d_18", "mc3_18", "r2plus1d_18", "s3d", "swin3d_t", "mvit_v1_b", "mvit_v2_s"]
SEGMENTATION = ["deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large"]
CUSTOM = ["tsm", "cnn_transformer", "convgru", "unet3d", "bigru_attention", "stream"]
# Shapes and constants of inputs that a file leaves open, by parts of file names; 1 elsewhere.
OPEN = {
    "320n": {"images": (1, 3, 320, 320)},
    "PP-OCRv4_det": {"x": (1, 3, 96, 128)},
    "PP-OCRv4_rec": {"x": (1, 3, 48, 160)},
    "cls_infer": {"x": (1, 3, 48, 192)},
    "silero_vad": {"input": (1, 576), "state": (2, 1, 128), "sr": 16000},
    "common_old": {"input1": (1, 1, 64, 96)},
    "common.onnx": {"input1": (1, 1, 64, 96)},
}

NAMES = CUSTOM + IMAGE + VIDEO + SEGMENTATION + ["raft_small"]


def custom():
    """Small video networks in the ways that repositories write them."""
    import torch
    from torch import nn
    import torch.nn.functional as F

    class TSM(nn.Module):
        """Temporal shift by assignment to slices, around 2-D convolutions."""

        def __init__(self, frames=8):
            super().__init__()
            self.frames, self.conv1, self.conv2 = frames, nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 1, 1)
            self.head = nn.Linear(16, 10)

        def shift(self, x):
            nt, c, h, w = x.shape
            x = x.view(nt // self.frames, self.frames, c, h, w)
            fold = c // 8
            out = torch.zeros_like(x)
            out[:, :-1, :fold] = x[:, 1:, :fold]
            out[:, 1:, fold:2 * fold] = x[:, :-1, fold:2 * fold]
            out[:, :, 2 * fold:] = x[:, :, 2 * fold:]
            return out.view(nt, c, h, w)

        def forward(self, x):  # [N,T,3,H,W]
            n, t = x.shape[:2]
            x = torch.relu(self.conv1(x.flatten(0, 1)))
            x = torch.relu(self.conv2(self.shift(x)))
            return self.head(x.mean((2, 3))).view(n, t, -1).mean(1)

    class CNNTransformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn = nn.Sequential(nn.Conv2d(3, 32, 5, 4, 2), nn.GroupNorm(4, 32), nn.GELU(), nn.AdaptiveAvgPool2d(1))
            layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
            self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(32, 10)

        def forward(self, x):
            n, t = x.shape[:2]
            return self.head(self.encoder(self.cnn(x.flatten(0, 1)).flatten(1).view(n, t, -1)).mean(1))

    class ConvGRU(nn.Module):
        def __init__(self, c=8):
            super().__init__()
            self.c, self.gates, self.cand = c, nn.Conv2d(3 + c, 2 * c, 3, padding=1), nn.Conv2d(3 + c, c, 3, padding=1)
            self.head = nn.Linear(c, 10)

        def forward(self, x):
            h = torch.zeros(x.shape[0], self.c, *x.shape[3:])
            for t in range(x.shape[1]):
                z, r = torch.sigmoid(self.gates(torch.cat([x[:, t], h], 1))).chunk(2, 1)
                n = torch.tanh(self.cand(torch.cat([x[:, t], r * h], 1)))
                h = (1 - z) * h + z * n
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
            return self.head(h.mean((2, 3)))

    class UNet3D(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv3d(3, 8, 3, padding=1), nn.Conv3d(8, 16, 3, padding=1)
            self.up, self.c = nn.ConvTranspose3d(16, 8, 2, 2), nn.Conv3d(16, 4, 3, padding=1)
            self.norm = nn.InstanceNorm3d(8, affine=True)

        def forward(self, x):
            a = F.leaky_relu(self.norm(self.a(x)))
            b = F.elu(self.b(F.max_pool3d(a, 2)))
            b = F.interpolate(F.interpolate(b, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True), size=b.shape[2:], mode="nearest")
            return self.c(torch.cat([a, self.up(b)], 1))

    class BiGRU(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gru = nn.Conv3d(3, 8, 3, (1, 2, 2), 1), nn.GRU(8, 16, 2, batch_first=True, bidirectional=True)
            self.att, self.head = nn.Linear(32, 1), nn.Linear(32, 10)

        def forward(self, x):  # [N,3,T,H,W]
            y, _ = self.gru(F.mish(self.conv(x)).mean((3, 4)).transpose(1, 2))
            return self.head((torch.softmax(self.att(y), 1) * y).sum(1))

    class Stream(nn.Module):
        """A causal network with state in and out, after MoViNet's streams."""

        def __init__(self):
            super().__init__()
            self.space, self.time, self.head = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv1d(16, 16, 3, groups=16), nn.Linear(16, 10)

        def forward(self, x, buffer, total, count):
            y = F.hardswish(self.space(x)).mean((2, 3))[..., None]
            y = torch.cat([buffer, y], 2)
            z = self.time(y)[..., 0]
            total, count = total + z, count + 1
            return self.head(total / count), y[..., 1:], total, count

    clip = lambda *shape: (torch.rand(*shape),)
    return {
        "tsm": lambda: (TSM(), clip(1, 8, 3, 32, 32)),
        "cnn_transformer": lambda: (CNNTransformer(), clip(1, 6, 3, 32, 32)),
        "convgru": lambda: (ConvGRU(), clip(1, 4, 3, 16, 16)),
        "unet3d": lambda: (UNet3D(), clip(1, 3, 4, 16, 16)),
        "bigru_attention": lambda: (BiGRU(), clip(1, 3, 6, 16, 16)),
        "stream": lambda: (Stream(), (torch.rand(1, 3, 32, 32), torch.rand(1, 16, 2), torch.rand(1, 16), torch.ones(1))),
    }


def constructors():
    """Maps names to functions that make a module and example inputs."""
    import torch
    import torchvision

    made = custom()
    for name in IMAGE:
        size = 299 if name == "inception_v3" else 224
        extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        made[name] = lambda name=name, size=size, extra=extra: (getattr(torchvision.models, name)(weights=None, **extra), (torch.rand(1, 3, size, size),))
    for name in VIDEO:
        size = 112 if name.endswith("_18") else 224
        made[name] = lambda name=name, size=size: (getattr(torchvision.models.video, name)(weights=None), (torch.rand(1, 3, 16, size, size),))
    for name in SEGMENTATION:
        def segmentation(name=name):
            net = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None)

            class Out(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.net = net

                def forward(self, x):
                    return self.net(x)["out"]

            return Out(), (torch.rand(1, 3, 128, 128),)

        made[name] = segmentation

    def raft():
        class Flow(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = torchvision.models.optical_flow.raft_small(weights=None)

            def forward(self, a, b):
                return self.net(a, b, num_flow_updates=3)[-1]

        return Flow(), (torch.rand(1, 3, 128, 128) * 2 - 1, torch.rand(1, 3, 128, 128) * 2 - 1)

    made["raft_small"] = raft
    return made


def export(name, exporter, path):
    import torch

    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)  # the tracing exporter has no operator for it
    net, inputs = constructors()[name]()
    net.eval()
    with torch.no_grad():
        torch.onnx.export(net, inputs, str(path), dynamo=exporter == "dynamo", opset_version=18 if exporter == "dynamo" else 17)


def export_apart(name, exporter, path):
    """Exports in a process of its own, so that its memory does not count as that of what is started later."""
    p = subprocess.run([sys.executable, __file__, "--export", name, exporter, str(path)], capture_output=True, text=True)
    if p.returncode != 0:
        path.unlink(missing_ok=True)
        raise RuntimeError(p.stderr.strip().splitlines()[-1])


def billc(command, *args):
    """Runs billc and returns its exit code, output, seconds and peak bytes."""
    before = time.time()
    with tempfile.TemporaryFile("w+") as err:
        p = subprocess.Popen([command, *args], stdout=subprocess.DEVNULL, stderr=err)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        return p.returncode, err.read(), time.time() - before, usage.ru_maxrss * 1024


def check(model, tools):
    """Compiles one file and returns (verdict, details)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    feed, given = {}, []
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
    with tempfile.TemporaryDirectory() as folder:
        known = next((v for part, v in OPEN.items() if part in model.name), {})
        fixed = []
        for i in session.get_inputs():
            given_shape = known.get(i.name, ())
            shape = [d if isinstance(d, int) and d > 0 else 1 for d in i.shape]
            if isinstance(given_shape, int):
                feed[i.name] = np.full(shape, given_shape, kinds[i.type])
                path = Path(folder, "const.npy")
                np.save(path, feed[i.name])
                fixed += [f"--const={i.name}=@{path}"]
                continue
            if len(given_shape) == len(shape):
                shape = [d if isinstance(d, int) and d > 0 else g for d, g in zip(i.shape, given_shape)]
            dtype = kinds.get(i.type)
            if dtype is None:
                return "skipped", f"input of type {i.type}"
            value = rng.random(shape) if dtype in (np.float32, np.float64) else rng.integers(0, 2, shape)
            feed[i.name] = value.astype(dtype)
        compiled = Path(folder, "m.billb")
        constants = [name for name, v in known.items() if isinstance(v, int)]
        shapes = [f"--shape={name}={'x'.join(map(str, v.shape))}" for name, v in feed.items() if v.ndim and name not in constants]
        code, err, seconds, peak = billc(tools[0], "compile", str(model), "-o", str(compiled), *shapes, *fixed)
        cost = f"{seconds:.1f} s, {peak / 1e6:.0f} MB for {model_bytes(model) / 1e6:.1f} MB"
        if code == 4:
            return "refused", " ".join(err.split("not supported:")[-1].split())[:200]
        if code != 0:
            return "failed", f"exit {code}: {err.strip()[-200:]}"
        try:
            want, again = session.run(None, feed), plain.run(None, feed)
            nudge = lambda v: v * (1 + 1e-6 * rng.standard_normal(v.shape)).astype(v.dtype) if v.dtype.kind == "f" else v
            nudged = [session.run(None, {k: nudge(v) for k, v in feed.items()}) for _ in range(5)]
        except Exception as e:  # the peer itself refuses its input
            return "skipped", str(e)[:120]
        for k, (name, value) in enumerate(feed.items()):
            if name not in constants:
                path = Path(folder, f"in{k}.npy")
                np.save(path, value)
                given += ["--input", f"{name}=@{path}"]
        code, err, _, _ = billc(tools[1], str(compiled), *given, "--out", str(Path(folder, "out")))
        if code != 0:
            return "failed", f"billrun: exit {code}: {err.strip()[-200:]}"
        return compare(session, want, [again, *nudged], Path(folder, "out"), cost)


def model_bytes(model):
    return sum(p.stat().st_size for p in (model, Path(str(model) + ".data")) if p.exists())


def difference(a, b):
    """The largest difference of finite elements, relative to the largest of b."""
    m = np.isfinite(a) & np.isfinite(b)
    return np.abs(a[m] - b[m]).max() / max(1e-6, np.abs(b[m]).max()) if m.any() else 0.0


def compare(session, want, others, folder, cost):
    """Compares outputs; ONNX Runtime's own, without its optimizer and for inputs that are moved by 1e-6 of themselves, tell how much rounding alone does to
    this network: where activations are quantized, a sum near a tie moves by a whole step."""
    found = sorted(folder.rglob("*.npy"))
    worst = own = 0.0
    for output, w, *own_values in zip(session.get_outputs(), want, *others):
        name = re.sub(r"[^\w.-]", "_", output.name)
        match = [p for p in found if p.stem in (output.name, name)] or (found if len(want) == 1 else [])
        if not match:
            return "wrong", f"output {output.name} is missing among {[p.name for p in found]}"
        got = np.load(match[0])
        if got.shape != w.shape:
            return "wrong", f"output {output.name} has shape {got.shape}, expected {w.shape}"
        a, b = got.astype(np.float64), w.astype(np.float64)
        if not (np.isfinite(a) == np.isfinite(b)).all():
            return "wrong", f"output {output.name}: other elements are finite"
        worst = max(worst, difference(a, b))
        own = max(own, *(difference(v.astype(np.float64), b) for v in own_values))
    return ("right" if worst < max(1e-3, 4 * own) else "wrong"), f"differs by {worst:.1e} (ONNX Runtime from itself {own:.1e}); {cost}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names; all without")
    parser.add_argument("--exporter", choices=["trace", "dynamo", "both"], default="both")
    parser.add_argument("--folder", type=Path, default=Path("networks"), help="where exported files are kept")
    parser.add_argument("--models", type=Path, help="a folder with ONNX files to check instead")
    parser.add_argument("--billc", default="billc")
    parser.add_argument("--billrun", default="billrun")
    parser.add_argument("--export", nargs=3, metavar=("NAME", "EXPORTER", "FILE"), help="export one network and end")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    args = parser.parse_args()
    if args.export:
        export(args.export[0], args.export[1], Path(args.export[2]))
        return 0

    def wanted(name):
        return not args.names or any(part in name for part in args.names)

    if args.models:
        jobs = [(str(p.relative_to(args.models)), p, None) for p in sorted(args.models.rglob("*.onnx")) if wanted(p.name)]
    else:
        args.folder.mkdir(exist_ok=True)
        jobs = []
        for name in NAMES:
            for exporter in ("trace", "dynamo"):
                if wanted(name) and args.exporter in (exporter, "both"):
                    jobs.append((f"{name} {exporter}", args.folder / f"{name}_{exporter}.onnx", (name, exporter)))
    count = {}
    for name, path, source in jobs:
        try:
            if source and not path.exists():
                export_apart(*source, path)
        except Exception as e:
            verdict, detail = "not exported", str(e).strip().splitlines()[-1][:150]
        else:
            verdict, detail = check(path, (args.billc, args.billrun))
        count[verdict] = count.get(verdict, 0) + 1
        if args.json:
            print(json.dumps({"network": name, "verdict": verdict, "detail": detail}), flush=True)
        else:
            print(f"{name:44} {verdict:12} {detail}", flush=True)
    print(", ".join(f"{n} {v}" for v, n in sorted(count.items())), file=sys.stderr)
    return 1 if count.get("wrong") or count.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
