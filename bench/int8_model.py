#!/usr/bin/env python3
"""Rewrites a binary network for engines that run int8: exact, and as fast as they can.

Every value that is a bit wherever it feeds a convolution goes through
QuantizeLinear and DequantizeLinear with scale 1 (u8), and every weight tensor of
-1 and +1 becomes int8 behind a DequantizeLinear of scale 1. Nothing is rounded,
so the outputs stay those of the source; the script checks that in ONNX Runtime
on random clips. What is a bit is found by running the network on random clips.

  python bench/int8_model.py model.onnx model_int8.onnx [--clips N]

needs onnx, onnxruntime and numpy from PyPI.
"""
import argparse

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def session(model):
    o = ort.SessionOptions()
    o.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])


def constants(model):
    """The value of every tensor that depends on no input."""
    g = model.graph
    known = {t.name for t in g.initializer}
    wanted = []
    for n in g.node:
        if all(not i or i in known for i in n.input) and not any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in n.attribute):
            known.update(n.output)
            wanted += n.output
    part = onnx.ModelProto()
    part.CopyFrom(model)
    keep = [n for n in part.graph.node if set(n.output) <= known]
    del part.graph.node[:], part.graph.output[:], part.graph.input[:], part.graph.value_info[:]
    part.graph.node.extend(keep)
    part.graph.output.extend(helper.make_empty_tensor_value_info(w) for w in wanted)
    values = dict(zip(wanted, session(part).run(None, {}))) if wanted else {}
    values.update({t.name: numpy_helper.to_array(t) for t in g.initializer})
    return values


def bits(model, names, feeds):
    """Those of names that are 0 or 1 everywhere on all feeds."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    have = {o.name for o in probe.graph.output}
    probe.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names if n not in have)
    s = session(probe)
    left = set(names)
    for f in feeds:
        for n, v in zip(names, s.run(names, f)):
            if not np.isin(v, (0, 1)).all():
                left.discard(n)
    return left


def convert(model, feeds):
    const = constants(model)
    g = model.graph
    inputs = {i.name for i in g.input}
    convs = [n for n in g.node if n.op_type == "Conv" and n.input[1] in const and np.isin(const[n.input[1]], (-1, 1)).all()]
    binary = bits(model, sorted({n.input[0] for n in convs} - inputs), feeds)
    g.initializer.extend([numpy_helper.from_array(np.float32(1), "int8.one"), numpy_helper.from_array(np.uint8(0), "int8.u8"), numpy_helper.from_array(np.int8(0), "int8.i8")])
    before, dequantized = {}, {}
    for n in convs:
        x, w = n.input[:2]
        extra = []
        if w + ".i8" not in {t.name for t in g.initializer}:
            g.initializer.append(numpy_helper.from_array(const[w].astype(np.int8), w + ".i8"))
        extra.append(helper.make_node("DequantizeLinear", [w + ".i8", "int8.one", "int8.i8"], [n.name + ".w"], name=n.name + ".w.dq"))
        n.input[1] = n.name + ".w"
        if x in binary:
            if x not in dequantized:
                extra.append(helper.make_node("QuantizeLinear", [x, "int8.one", "int8.u8"], [x + ".q"], name=x + ".quantize"))
                extra.append(helper.make_node("DequantizeLinear", [x + ".q", "int8.one", "int8.u8"], [x + ".dq"], name=x + ".dequantize"))
                dequantized[x] = x + ".dq"
            n.input[0] = dequantized[x]
        before[n.name] = extra
    nodes = []
    for n in g.node:
        nodes += before.get(n.name, []) if n.op_type == "Conv" else []
        nodes.append(n)
    # What made the float weights is dead now.
    live, kept = {o.name for o in g.output}, []
    for n in reversed(nodes):
        if live & set(n.output):
            live.update(n.input)
            kept.append(n)
    del g.node[:]
    g.node.extend(reversed(kept))
    weights = [t for t in g.initializer if t.name in live]
    del g.initializer[:]
    g.initializer.extend(weights)
    return len(convs), len(dequantized)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--clips", type=int, default=3, help="random clips that decide what is a bit, and as many that check the result")
    a = p.parse_args()
    model = onnx.load(a.model)
    if not all(n.name for n in model.graph.node):
        for i, n in enumerate(model.graph.node):
            n.name = n.name or f"node{i}"
    source = onnx.ModelProto()
    source.CopyFrom(model)
    rng = np.random.default_rng(1)

    def feed():
        f = {}
        for i in model.graph.input:
            if i.name in {t.name for t in model.graph.initializer}:
                continue
            shape = [d.dim_value or 1 for d in i.type.tensor_type.shape.dim]
            f[i.name] = rng.integers(0, 256, shape).astype(np.uint8 if i.type.tensor_type.elem_type == TensorProto.UINT8 else np.float32)
        return f

    n, q = convert(model, [feed() for _ in range(a.clips)])
    onnx.checker.check_model(model)
    want, got = session(source), session(model)
    worst = 0.0
    for _ in range(a.clips):
        f = feed()
        worst = max(worst, *(float(np.abs(x - y).max()) for x, y in zip(want.run(None, f), got.run(None, f))))
    onnx.save(model, a.out)
    print(f"{a.out}: {n} convolutions with int8 weights, {q} bit tensors as u8, largest difference on {a.clips} clips {worst:g}")
    if worst > 1e-4:
        raise SystemExit("the rewritten network gives other outputs")


if __name__ == "__main__":
    main()
