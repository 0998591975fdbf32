#!/usr/bin/env python3
"""Random networks that mix idioms of binary and few-bit training with float operators, against ONNX Runtime.

    python bench/random_networks.py --count 200 --seed 0     # prints what is wrong, refused or failed, and how often each kind of layer became bits
    python bench/random_networks.py --record tests/cases/testdata/random_networks.zip --count 100

A network is wrong if more than 1 in 100 elements of its output are off by more than 1e-3 of the largest: a sum within rounding of a threshold may fall on
either side of it. ONNX Runtime's optimizer has such sums in an order of its own, so the output without it counts too, and that of ONNX's reference evaluator. Such networks are not recorded. Every convolution has a bias: a sum of scaled weights without one is often 0, and ONNX Runtime's order of
the sum decides its sign. Needs numpy, onnx and onnxruntime.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A network under construction; shape is that of its last value, v."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.count = [], [], 0
        self.axes = int(self.rng.integers(1, 4))
        c, size = int(self.rng.choice([4, 8, 12, 16])), int(self.rng.integers(4, 9))
        self.shape = [1, c] + [size] * self.axes
        self.input, self.v, self.kinds = list(self.shape), "x", []

    def one_of(self, *names):
        return names[int(self.rng.integers(len(names)))]

    def op(self, kind, *inputs, **attrs):
        self.count += 1
        out = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attrs))
        return out

    def const(self, value, dtype=np.float32):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def channels(self, values):
        """A constant of one number a channel that broadcasts."""
        return self.const(np.reshape(values, [-1] + [1] * self.axes))

    def normal(self, *shape, scale=1.0):
        return self.rng.normal(0, scale, shape).astype(np.float32)

    # What comes in front of a layer.

    def quantize(self):
        x, c = self.v, self.shape[1]
        kind = self.one_of("where", "sign", "larq", "greater", "zero_where", "rsign", "round1", "dorefa", "pact", "lsq", "signed", "qdq")
        self.kinds.append(kind)
        one, minus, zero = self.const(1), self.const(-1), self.const(0)
        bits = int(self.rng.integers(1, 9))
        most = 2**bits - 1
        if kind == "where":
            x = self.op("Where", self.op("GreaterOrEqual", x, zero), one, minus)
        elif kind == "sign":
            x = self.op("Sign", x)
        elif kind == "larq":
            x = self.op("Sign", self.op("Add", self.op("Sign", x), self.const(0.1)))
        elif kind == "greater":
            x = self.op("Cast", self.op("Greater", x, self.const(float(self.normal(scale=0.3)))), to=TensorProto.FLOAT)
        elif kind == "zero_where":
            s = self.op("Sign", x)
            x = self.op("Where", self.op("Equal", s, zero), one, s)
        elif kind == "rsign":
            x = self.op("Where", self.op("GreaterOrEqual", self.op("Add", x, self.channels(self.normal(c))), zero), one, minus)
        elif kind == "round1":
            x = self.op("Round", self.op("Clip", x, zero, one))
        elif kind == "dorefa":
            k = self.const(most)
            x = self.op("Div", self.op("Round", self.op("Mul", self.op("Clip", x, zero, one), k)), k)
        elif kind == "pact":
            a = 0.5 + self.rng.random() * 2
            x = self.op("Mul", self.op("Round", self.op("Mul", self.op("Clip", x, zero, self.const(a)), self.const(most / a))), self.const(a / most))
        elif kind == "lsq":
            s = self.const(0.05 + self.rng.random() * 0.3)
            x = self.op("Mul", self.op("Round", self.op("Clip", self.op("Div", x, s), zero, self.const(most))), s)
        elif kind == "signed":
            s, bits = self.const(0.05 + self.rng.random() * 0.3), max(bits, 2)
            x = self.op("Mul", self.op("Round", self.op("Clip", self.op("Div", x, s), self.const(-(2 ** (bits - 1))), self.const(2 ** (bits - 1) - 1))), s)
        else:
            s, z = self.const(0.02 + self.rng.random() * 0.1), self.const(int(self.rng.integers(0, 2)) * 128, np.uint8)
            x = self.op("DequantizeLinear", self.op("QuantizeLinear", x, s, z), s, z)
        self.v = x

    # Layers.

    def weights(self, shape):
        rng, o = self.rng, shape[0]
        per = np.reshape(rng.random(o) + 0.1, [-1] + [1] * (len(shape) - 1))
        signs = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
        kind = self.one_of("binary", "scaled", "ternary", "two_valued", "straight", "few", "few_channel", "dorefa", "float")
        self.kinds.append(kind)
        bits = int(rng.integers(2, 9))
        q = np.clip(np.round(rng.normal(0, 2 ** (bits - 1) / 2, shape)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if kind == "binary":
            w = signs
        elif kind == "scaled":
            w = signs * per
        elif kind == "ternary":
            w = signs * (rng.random(shape) < 0.7) * per
        elif kind == "two_valued":
            w = signs * per + 0.3 * np.reshape(rng.normal(size=o), per.shape)
        elif kind == "straight":
            c = np.clip(rng.normal(size=shape), -1, 1).astype(np.float32)
            w = ((signs * per).astype(np.float32) - c) + c
        elif kind == "few":
            w = q.astype(np.float32) * np.float32(0.03)
        elif kind == "few_channel":
            w = q.astype(np.float32) * (0.1 * per).astype(np.float32)
        elif kind == "dorefa":
            n = np.float32(2**bits - 1)
            w = np.float32(2) * (np.round(rng.random(shape).astype(np.float32) * n) / n) - np.float32(1)
        else:
            w = rng.normal(0, 0.3, shape)
        return np.asarray(w, np.float32)

    def convolve(self):
        rng, c = self.rng, self.shape[1]
        groups = int(rng.choice([1, 1, 1, 2, c]))
        o = groups * int(rng.integers(1, 9)) if groups < c else c
        k = int(rng.choice([1, 3])) if min(self.shape[2:]) >= 3 else 1
        stride = int(rng.integers(1, 3))
        pads = [int(p) for p in rng.integers(0, 2, 2 * self.axes)] if k == 3 else [0] * 2 * self.axes
        args = [self.v, self.const(self.weights((o, c // groups) + (k,) * self.axes)), self.const(self.normal(o))]
        self.v = self.op("Conv", *args, group=groups, strides=[stride] * self.axes, pads=pads, kernel_shape=[k] * self.axes)
        self.shape = [1, o] + [(s + pads[i] + pads[i + self.axes] - k) // stride + 1 for i, s in enumerate(self.shape[2:])]

    def norm(self):
        c = self.shape[1]
        scale = self.normal(c)
        scale[np.abs(scale) < 0.05] = 0.5
        params = [scale, self.normal(c), self.normal(c, scale=2), self.rng.random(c) * 9 + 0.5]
        self.v = self.op("BatchNormalization", self.v, *map(self.const, params))

    def activate(self):
        x, c = self.v, self.shape[1]
        kind = self.one_of("Relu", "PRelu", "LeakyRelu", "HardSwish", "silu", "gelu", "mish", "Tanh", "Sigmoid", "Elu", "HardSigmoid", "Softplus", "Abs", "softmax", "layer_norm")
        self.kinds.append(kind)
        if kind == "PRelu":
            self.v = self.op(kind, x, self.channels(self.normal(c, scale=0.3)))
        elif kind == "silu":
            self.v = self.op("Mul", x, self.op("Sigmoid", x))
        elif kind == "gelu":
            inner = self.op("Add", self.op("Erf", self.op("Div", x, self.const(2**0.5))), self.const(1))
            self.v = self.op("Mul", self.op("Mul", x, inner), self.const(0.5))
        elif kind == "mish":
            self.v = self.op("Mul", x, self.op("Tanh", self.op("Softplus", x)))
        elif kind == "softmax":
            self.v = self.op("Softmax", x, axis=1)
        elif kind == "layer_norm":
            self.v = self.op("LayerNormalization", x, self.const(self.normal(self.shape[-1]) + 1), axis=-1)
        else:
            self.v = self.op(kind, x)

    def move(self):
        x, shape = self.v, self.shape
        kind = self.one_of("shuffle", "pad", "slice", "concat", "max", "average", "transpose", "resize", "split")
        last = shape[-1]
        self.kinds.append(kind)
        if kind == "shuffle" and shape[1] % 2 == 0:
            parted = self.op("Reshape", x, self.const([1, 2, shape[1] // 2] + shape[2:], np.int64))
            swapped = self.op("Transpose", parted, perm=[0, 2, 1] + list(range(3, 3 + self.axes)))
            self.v = self.op("Reshape", swapped, self.const(shape, np.int64))
        elif kind == "pad":
            self.v = self.op("Pad", x, self.const([0] * (1 + self.axes) + [1] + [0] * (1 + self.axes) + [1], np.int64), mode=self.one_of("constant", "edge"))
            self.shape = shape[:-1] + [last + 2]
        elif kind == "slice" and last > 3:
            self.v = self.op("Slice", x, self.const([1], np.int64), self.const([last], np.int64), self.const([1 + self.axes], np.int64))
            self.shape = shape[:-1] + [last - 1]
        elif kind == "concat" and shape[1] <= 16:
            self.v = self.op("Concat", x, self.op("Neg", x), axis=1)
            self.shape = [1, 2 * shape[1]] + shape[2:]
        elif kind in ("max", "average") and min(shape[2:]) >= 2:
            self.v = self.op("MaxPool" if kind == "max" else "AveragePool", x, kernel_shape=[2] * self.axes, strides=[2] * self.axes)
            self.shape = shape[:2] + [s // 2 for s in shape[2:]]
        elif kind == "transpose" and self.axes > 1:
            self.v = self.op("Transpose", x, perm=list(range(self.axes)) + [1 + self.axes, self.axes])
            self.shape = shape[:-2] + [shape[-1], shape[-2]]
        elif kind == "resize" and np.prod(shape) < 4000:
            self.v = self.op("Resize", x, "", self.const([1, 1] + [2] * self.axes), mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
            self.shape = shape[:2] + [2 * s for s in shape[2:]]
        elif kind == "split" and shape[1] % 2 == 0:
            self.count += 2
            names = [f"v{self.count - 1}s", f"v{self.count}s"]
            self.nodes.append(helper.make_node("Split", [x], names, axis=1, num_outputs=2))
            self.v = self.op("Concat", names[1], names[0], axis=1)

    def head(self):
        kind = self.one_of("map", "linear", "lstm", "cumsum")
        c = self.shape[1]
        if kind == "linear":
            pooled = self.op("Flatten", self.op("GlobalAveragePool", self.v))
            self.v = self.op("Gemm", pooled, self.const(self.weights((10, c))), self.const(self.normal(10)), transB=1)
        elif kind == "lstm":
            steps = int(np.prod(self.shape[2:]))
            seq = self.op("Transpose", self.op("Reshape", self.v, self.const([1, c, steps], np.int64)), perm=[2, 0, 1])
            self.count += 1
            out = f"v{self.count}"
            self.nodes.append(helper.make_node("LSTM", [seq, self.const(self.weights((1, 16, c))), self.const(self.normal(1, 16, 4, scale=0.3))], ["", out], hidden_size=4))
            self.v = out
        elif kind == "cumsum":
            self.v = self.op("CumSum", self.v, self.const(1, np.int64))

    def model(self):
        if self.rng.random() < 0.3:
            self.convolve()
        for _ in range(int(self.rng.integers(1, 4))):
            self.quantize()
            if self.rng.random() < 0.3:
                self.move()
            self.convolve()
            for part in self.rng.permutation([self.norm, self.activate, self.move])[: int(self.rng.integers(0, 4))]:
                part()
        self.head()
        self.op("Identity", self.v)
        self.nodes[-1].output[0] = "y"
        info = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "random", [info("x", TensorProto.FLOAT, self.input)], [info("y", TensorProto.FLOAT, None)], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def apart(got, want):
    """The share of elements that are off."""
    off = np.abs(got - want) > 1e-3 * max(1e-6, np.abs(want).max())
    return off.mean()


def check(seed, tools, folder):
    """Returns a verdict, details, and the model with its input and output."""
    network = Network(seed)
    model = network.model()
    x = network.rng.normal(size=network.input).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        want = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        again = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
    except Exception as e:  # the generator's fault
        return "invalid", str(e).splitlines()[0][:200], None
    if not np.isfinite(want).all():
        return "invalid", "not finite", None
    path, compiled = folder / "m.onnx", folder / "m.billb"
    onnx.save(model, path)
    np.save(folder / "x.npy", x)
    p = subprocess.run([tools[0], "compile", path, "-o", compiled], capture_output=True, text=True)
    if p.returncode:
        return ("refused" if p.returncode == 4 else "failed"), p.stderr.strip()[-300:], None
    ledger = p.stdout
    p = subprocess.run([tools[1], compiled, "--input", f"x=@{folder / 'x.npy'}", "--out", folder / "out"], capture_output=True, text=True)
    if p.returncode:
        return "failed", p.stderr.strip()[-300:], None
    got = np.load(folder / "out" / "y.npy")
    share = min(apart(got, want), apart(got, again)) if got.shape == want.shape else 1.0
    if share > 0.01 and got.shape == want.shape:
        share = min(share, apart(got, onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]))
    macs = re.search(r"operations: ([\d.]+) MMAC on bits, ([\d.]+) on integers, ([\d.]+) in float", ledger)
    return ("right" if share == 0 else "near" if share <= 0.01 else "wrong"), f"{share:.4f} apart; {' '.join(network.kinds)}; {macs.group(0) if macs else ''}", (model, x, want)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first network; the others follow")
    parser.add_argument("--record", type=Path, help="a zip file for small networks that are right, with their inputs and outputs")
    parser.add_argument("--billc", default="billc")
    parser.add_argument("--billrun", default="billrun")
    args = parser.parse_args()
    count, kept, seed = {}, [], args.seed
    while (len(kept) if args.record else seed - args.seed) < args.count:
        with tempfile.TemporaryDirectory() as folder:
            verdict, detail, made = check(seed, (args.billc, args.billrun), Path(folder))
        count[verdict] = count.get(verdict, 0) + 1
        if verdict not in ("right", "invalid"):
            print(seed, verdict, detail, flush=True)
        if verdict == "right" and made[0].ByteSize() < 16000 and made[2].size < 4000:
            kept.append((seed, *made))
        seed += 1
    print(", ".join(f"{n} {v}" for v, n in sorted(count.items())))
    if args.record:
        with zipfile.ZipFile(args.record, "w", zipfile.ZIP_DEFLATED) as z:
            for seed, model, x, y in kept:
                for name, data in (("onnx", model.SerializeToString()), ("x", x.tobytes()), ("y", y.astype("<f4").tobytes())):
                    z.writestr(zipfile.ZipInfo(f"{seed:05}.{name}"), data, zipfile.ZIP_DEFLATED)
    return 1 if set(count) & {"wrong", "failed"} else 0


if __name__ == "__main__":
    sys.exit(main())
