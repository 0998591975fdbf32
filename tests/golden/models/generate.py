#!/usr/bin/env python3
"""Writes the small models, clips and recorded outputs of this folder.

Needs numpy, onnx and onnxruntime. The result depends on the seeds only; the
outputs are recorded from ONNX Runtime.

    python generate.py [FOLDER]

tiny      a BILLNET of 4 channels on 4 frames of 8x8, as the tracing exporter of
          PyTorch writes it (opset 13): binary weights are Where nodes, batch
          norms stay, the binary LSTM is unrolled over its steps
tiny18    the same network as today's exporter writes it (opset 18): batch norms
          folded into scaled weights, weights in tiny18.onnx.data
tiny_dyn  tiny with an open batch
raw       a layer on a clip that the graph does not divide by 255
open      a linear layer on an input whose dimensions are open by name
gate      two inputs: maps and the selector of a MUX
float     a float layer between binary ones
foreign   operators that the compiler does not have, two kinds in three nodes
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper, numpy_helper

FRAMES, SIZE, CHANNELS, HIDDEN, CLASSES = 4, 8, 4, 3, 3
EPSILON = 1e-5


class Graph:
    """A graph that is written node by node; nodes get exporter-like names."""

    def __init__(self, inputs, opset, producer="pytorch"):
        self.opset, self.producer = opset, producer
        self.inputs, self.nodes, self.weights, self.counts = inputs, [], {}, {}

    def weight(self, name, value, dtype=np.float32):
        self.weights[name] = np.asarray(value, dtype)
        return name

    def name(self, scope, op):
        n = self.counts.get((scope, op), 0)
        self.counts[scope, op] = n + 1
        return f"{scope}/{op}" + (f"_{n}" if n else "")

    def add(self, op, *args, scope="", outputs=1, domain="", **attrs):
        name = self.name(scope, op)
        outs = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, args, outs, name=name, domain=domain, **attrs))
        return outs[0] if outputs == 1 else outs

    def const(self, value, scope="", dtype=np.float32):
        return self.add("Constant", scope=scope, value=numpy_helper.from_array(np.asarray(value, dtype)))

    def model(self, outputs, metadata={}):
        renamed = {old: new for old, new, _ in outputs}
        nodes = []
        for n in self.nodes:
            k = onnx.NodeProto()
            k.CopyFrom(n)
            k.output[:] = [renamed.get(o, o) for o in k.output]
            k.input[:] = [renamed.get(i, i) for i in k.input]
            nodes.append(k)
        used = {i for n in nodes for i in n.input}
        weights = [numpy_helper.from_array(v, k) for k, v in self.weights.items() if k in used]
        ins = [helper.make_tensor_value_info(n, t, s) for n, t, s in self.inputs]
        outs = [helper.make_tensor_value_info(new, T.FLOAT, s) for _, new, s in outputs]
        opsets = [helper.make_opsetid(d, v) for d, v in {"": self.opset, **{n.domain: 1 for n in nodes if n.domain}}.items()]
        m = helper.make_model(helper.make_graph(nodes, "main_graph", ins, outs, weights), opset_imports=opsets,
                              producer_name=self.producer, ir_version=7 if self.opset < 18 else 10)
        for k, v in metadata.items():
            m.metadata_props.add(key=k, value=v)
        return m


def run(model, feeds):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    s = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return s.run(None, feeds)


class Network:
    """The tiny BILLNET. Its batch norms are calibrated on the clips when it is
    first written; weights are latent floats whose sign counts."""

    def __init__(self, seed, clips):
        self.rng, self.clips, self.latent, self.norms = np.random.default_rng(seed), clips, {}, {}

    def latents(self, name, *shape):
        if name not in self.latent:
            self.latent[name] = self.rng.uniform(-1, 1, shape).astype(np.float32)
        return self.latent[name]

    def write(self, style, batch=1, metadata={}):
        g = style([("clip", T.FLOAT, [batch, 3, FRAMES, SIZE, SIZE])], self)
        x = g.add("Div", "clip", g.number(255.0))
        x = g.step(g.conv_norm(x, "stem", CHANNELS, 3, 3, stride=[1, 2, 2]))
        f = g.conv(x, "f.0/a", CHANNELS, CHANNELS, 1)
        f = g.conv(f, "f.0/b", CHANNELS, CHANNELS // 2, 3, groups=2)
        f = g.step(g.conv_norm(f, "f.0/c", CHANNELS, CHANNELS, 1))
        select = g.step(g.add("Sub", g.mean(x, [2, 3, 4], 1), g.weight("f.0.t", self.quantile(g, x)), scope="/f.0"), "/f.0")
        either = g.add("Max", f, x, scope="/f.0")
        taken = g.add("Mul", select, either, scope="/f.0")
        other = g.add("Mul", g.add("Sub", g.number(1.0), select, scope="/f.0"), f, scope="/f.0")
        x = g.add("Add", taken, other, scope="/f.0")
        x = g.add("MaxPool", x, scope="/f.1", kernel_shape=[1, 2, 2], strides=[1, 2, 2], pads=[0] * 6, dilations=[1] * 3, ceil_mode=0)
        x = g.step(g.norm(g.mean(x, [3, 4], 0), "bg", CHANNELS))
        x = g.add("Transpose", x, perm=[0, 2, 1])
        h = self.lstm(g, x)
        y = g.add("Gemm", h, g.weight("fc.weight", self.latents("fc", CLASSES, HIDDEN) * 2),
                  g.weight("fc.bias", self.latents("fc.bias", CLASSES)), scope="/fc", alpha=1.0, beta=1.0, transB=1)
        return g.model([(y, "logits", [batch, CLASSES])], metadata)

    def quantile(self, g, x):
        """A threshold for every channel that some clips pass and others do not."""
        if "t" not in self.norms:
            means = g.measure(x).mean((2, 3, 4))
            spread = np.sort(means, 0)
            t = (spread[0] + spread[-1]) / 2 + 1e-3
            self.norms["t"] = np.where(np.arange(CHANNELS) % 2, t, -0.5).reshape(1, CHANNELS, 1, 1, 1).astype(np.float32)
        return self.norms["t"]

    def lstm(self, g, x):
        wi, wh = g.binary("lstm.wi", 4 * HIDDEN, CHANNELS), g.binary("lstm.wh", 4 * HIDDEN, HIDDEN)
        h = g.const(np.zeros((1, HIDDEN)), "/lstm")
        c = g.const(np.zeros((1, HIDDEN)), "/lstm")
        for t in range(FRAMES):
            step = g.add("Gather", x, g.const(t, "/lstm", np.int64), scope="/lstm", axis=1)
            z = g.norm(g.add("Add", g.linear(step, wi), g.linear(h, wh), scope="/lstm"), "lstm.bn", 4 * HIDDEN)
            i, f, o, v = g.split(z)
            kept = g.add("Mul", g.step(f, "/lstm"), c, scope="/lstm")
            v = g.add("Where", g.add("Greater", v, g.number(0.0), scope="/lstm"), g.number(1.0), g.number(-1.0), scope="/lstm")
            c = g.add("Add", kept, g.add("Mul", g.step(i, "/lstm"), v, scope="/lstm"), scope="/lstm")
            h = g.add("Mul", g.step(o, "/lstm"), g.add("Sign", c, scope="/lstm"), scope="/lstm")
        return h


class Style(Graph):
    def __init__(self, inputs, opset, net):
        super().__init__(inputs, opset)
        self.net = net

    def measure(self, value):
        """The values on all clips, of the graph as far as it is written."""
        m = self.model([(value, "measured", None)])
        return np.concatenate([run(m, {"clip": c[None].astype(np.float32)})[0] for c in self.net.clips])

    def calibrated(self, x, name, channels):
        """Scale, bias, mean and variance of a batch norm after x."""
        n = self.net
        if name not in n.norms:
            v = np.moveaxis(self.measure(x), 1, 0).reshape(channels, -1)
            scale = n.rng.uniform(0.5, 1.5, channels) * np.where(np.arange(channels) % 3 == 2, -1, 1)
            n.norms[name] = [p.astype(np.float32) for p in (scale, n.rng.uniform(-0.6, 0.1, channels), v.mean(1), v.var(1) + 0.1)]
        return n.norms[name]

    def norm(self, x, name, channels):
        p = self.calibrated(x, name, channels)
        args = [self.weight(f"{name}.{k}", v) for k, v in zip(("weight", "bias", "running_mean", "running_var"), p)]
        return self.add("BatchNormalization", x, *args, scope="/" + name.replace(".", "/"), epsilon=EPSILON, momentum=0.9)

    def step(self, x, scope=""):
        return self.add("Cast", self.add("Greater", x, self.number(0.0), scope=scope), scope=scope, to=T.FLOAT)

    def convolve(self, x, w, name, *bias, kernel, groups=1, stride=(1, 1, 1)):
        return self.add("Conv", x, w, *bias, scope="/" + name, kernel_shape=[kernel] * 3, pads=[kernel // 2] * 6, strides=list(stride),
                        dilations=[1] * 3, group=groups)


class Traced(Style):
    """PyTorch's tracing exporter: nothing that follows a Where is folded."""

    def __init__(self, inputs, net):
        super().__init__(inputs, 13, net)

    def number(self, v):
        return self.const(v)

    def binary(self, name, *shape):
        w = self.weight(name + ".w", self.net.latents(name, *shape))
        scope = "/" + name
        sign = self.add("GreaterOrEqual", w, self.const(0.0, scope), scope=scope)
        return self.add("Where", sign, self.const(1.0, scope), self.const(-1.0, scope), scope=scope)

    def conv(self, x, name, out, inner, kernel, **attrs):
        return self.convolve(x, self.binary(name, out, inner, kernel, kernel, kernel), name, kernel=kernel, **attrs)

    def conv_norm(self, x, name, out, inner, kernel, **attrs):
        return self.norm(self.conv(x, name, out, inner, kernel, **attrs), name + "/bn", out)

    def mean(self, x, axes, keep):
        return self.add("ReduceMean", x, axes=axes, keepdims=keep)

    def linear(self, x, w):
        return self.add("MatMul", x, self.add("Transpose", w, scope="/lstm", perm=[1, 0]), scope="/lstm")

    def split(self, z):
        one = lambda v: self.const([v], "/lstm", np.int64)
        axis = one(1)
        size = self.add("Gather", self.add("Shape", z, scope="/lstm"), axis, scope="/lstm", axis=0)
        part = self.add("Div", self.add("Add", size, one(3), scope="/lstm"), one(4), scope="/lstm")
        ends = [one(0)] + [self.add("Mul", part, one(k), scope="/lstm") for k in (1, 2, 3, 4)]
        return [self.add("Slice", z, ends[k], ends[k + 1], axis, scope="/lstm") for k in range(4)]


class Exported(Style):
    """PyTorch's exporter of today: small constants and batch norms are folded."""

    def __init__(self, inputs, net):
        super().__init__(inputs, 18, net)

    def number(self, v):
        return self.weight(f"scalar_{v:g}", v)

    def const(self, value, scope="", dtype=np.float32):
        return self.weight(f"val_{len(self.weights)}", value, dtype)

    def signs(self, name, *shape):
        return np.where(self.net.latents(name, *shape) >= 0, 1, -1).astype(np.float32)

    def binary(self, name, *shape):
        return self.weight("where_" + name, self.signs(name, *shape))

    def conv(self, x, name, out, inner, kernel, **attrs):
        return self.convolve(x, self.binary(name, out, inner, kernel, kernel, kernel), name, kernel=kernel, **attrs)

    def conv_norm(self, x, name, out, inner, kernel, **attrs):
        gamma, beta, mean, var = self.net.norms[name + "/bn"]
        s = (gamma / np.sqrt(var + np.float32(EPSILON))).astype(np.float32)
        w = self.weight("where_" + name, self.signs(name, out, inner, kernel, kernel, kernel) * s.reshape(-1, 1, 1, 1, 1))
        return self.convolve(x, w, name, self.weight(w + "_bias", beta - mean * s), kernel=kernel, **attrs)

    def mean(self, x, axes, keep):
        return self.add("ReduceMean", x, self.const(axes, dtype=np.int64), keepdims=keep, noop_with_empty_axes=0)

    def linear(self, x, w):
        return self.add("Gemm", x, w, scope="/lstm", alpha=1.0, beta=1.0, transB=1)

    def split(self, z):
        return self.add("Split", z, scope="/lstm", outputs=4, axis=1, num_outputs=4)


def make_clips():
    """Three clips: a bright square that moves right, down, or stays, on noise."""
    rng = np.random.default_rng(7)
    clips = rng.integers(0, 96, (3, 3, FRAMES, SIZE, SIZE)).astype(np.uint8)
    for k, (dy, dx) in enumerate([(0, 1), (1, 0), (0, 0)]):
        for t in range(FRAMES):
            y, x = 1 + dy * t + 2 * (k == 2), 1 + dx * t + 2 * (k == 2)
            clips[k, :, t, y:y + 3, x:x + 3] = rng.integers(160, 256, (3, 3, 3))
    return clips


def find_network(clips):
    """The first seed whose network gives the clips three different classes."""
    for seed in range(1000):
        net = Network(seed, clips)
        m = net.write(Traced)
        logits = np.concatenate([run(m, {"clip": c[None].astype(np.float32)})[0] for c in clips])
        if len(set(logits.argmax(1))) == len(clips):
            return net
    raise SystemExit("no seed gives three classes")


def raw():
    """Stem and classifier on a clip of 0..255, with no division."""
    rng = np.random.default_rng(3)
    g = Graph([("clip", T.FLOAT, [1, 3, FRAMES, SIZE, SIZE])], 13)
    w = g.weight("stem.w", np.where(rng.random((4, 3, 3, 3, 3)) < 0.5, -1, 1))
    x = g.add("Conv", "clip", w, scope="/stem", kernel_shape=[3] * 3, pads=[1] * 6, strides=[1, 2, 2], dilations=[1] * 3, group=1)
    x = g.add("Sub", x, g.weight("stem.t", rng.integers(-900, 900, (1, 4, 1, 1, 1))), scope="/stem")
    x = g.add("Cast", g.add("Greater", x, g.const(0.0)), to=T.FLOAT)
    x = g.add("ReduceMean", x, axes=[2, 3, 4], keepdims=0)
    y = g.add("Gemm", x, g.weight("fc.weight", rng.normal(size=(3, 4))), g.weight("fc.bias", rng.normal(size=3)), scope="/fc", transB=1)
    return g.model([(y, "logits", [1, 3])])


def open_dims():
    g = Graph([("x", T.FLOAT, ["rows", "steps", 4])], 18)
    y = g.add("MatMul", "x", g.weight("w", np.arange(12).reshape(4, 3) / 4 - 1))
    y = g.add("ReduceMean", y, g.weight("axes", [1], np.int64), keepdims=0)
    return g.model([(y, "y", ["rows", 3])])


def gate():
    g = Graph([("a", T.FLOAT, [1, 4, 2, 2, 2]), ("b", T.FLOAT, [1, 4, 2, 2, 2]), ("sel", T.FLOAT, [1, 4, 1, 1, 1])], 13)
    bit = lambda v: g.add("Cast", g.add("Greater", v, g.const(0.0)), to=T.FLOAT)
    s = bit("sel")
    y = g.add("Add", g.add("Mul", s, bit("a")), g.add("Mul", g.add("Sub", g.const(1.0), s), bit("b")))
    return g.model([(y, "y", [1, 4, 2, 2, 2])])


def float_layer():
    rng = np.random.default_rng(5)
    g = Graph([("clip", T.FLOAT, [1, 3, FRAMES, SIZE, SIZE])], 13)
    x = g.add("Div", "clip", g.const(255.0))
    for k, inner in enumerate((3, 4)):
        w = rng.normal(size=(4, inner, 1, 1, 1))
        w = g.weight(f"w{k}", np.sign(w) if k == 0 else w)
        x = g.add("Conv", x, w, scope=f"/f.{k}", kernel_shape=[1] * 3, pads=[0] * 6, strides=[1] * 3, dilations=[1] * 3, group=1)
        x = g.add("Cast", g.add("Greater", x, g.const(0.1), scope=f"/f.{k}"), scope=f"/f.{k}", to=T.FLOAT)
    x = g.add("ReduceMean", x, axes=[2, 3, 4], keepdims=0)
    y = g.add("Gemm", x, g.weight("fc.weight", rng.normal(size=(3, 4))), g.weight("fc.bias", rng.normal(size=3)), scope="/fc", transB=1)
    return g.model([(y, "logits", [1, 3])])


def foreign():
    g = Graph([("x", T.FLOAT, [1, 4])], 18)
    y = g.add("Fancy", "x", scope="/a", domain="com.example")
    y = g.add("Fancy", g.add("Relu", y), scope="/b", domain="com.example")
    y = g.add("Det", g.add("Unsqueeze", y, g.weight("axes", [0], np.int64)), scope="/c")
    return g.model([(y, "y", [1])])


def main(folder):
    def save(name, model, outputs=None, external=False):
        path = os.path.join(folder, name + ".onnx")
        data = name + ".onnx.data"
        if os.path.exists(path + ".data"):
            os.remove(path + ".data")
        if external:
            onnx.save_model(model, path, save_as_external_data=True, location=data, size_threshold=64)
            os.chmod(path + ".data", 0o644)
        else:
            with open(path, "wb") as f:
                f.write(model.SerializeToString(deterministic=True))
        if outputs is not None:
            np.save(os.path.join(folder, name + ".logits.npy"), outputs)

    clips = make_clips()
    np.save(os.path.join(folder, "clips.npy"), clips)
    logits = lambda m: np.concatenate([run(m, {"clip": c[None].astype(np.float32)})[0] for c in clips])
    net = find_network(clips)
    tiny, tiny18 = net.write(Traced), net.write(Exported, metadata={"labels": "right,down,still"})
    save("tiny", tiny, logits(tiny))
    save("tiny18", tiny18, logits(tiny18), external=True)
    save("tiny_dyn", net.write(Traced, batch="batch"), logits(tiny))
    for name, model in (("raw", raw()), ("float", float_layer())):
        save(name, model, logits(model))
    save("open", open_dims())
    save("gate", gate())
    save("foreign", foreign())


main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
