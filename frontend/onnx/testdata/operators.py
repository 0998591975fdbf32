#!/usr/bin/env python3
"""Makes operators.zip: one small model an operator form, with inputs and ONNX Runtime's outputs, in the layout of ONNX's own cases.

    python operators.py              # all of them
    python operators.py FOLDER PART  # only those with PART in their names, unpacked

Needs numpy, onnx and onnxruntime. Every case is made from its own seed, so that one can be made anew without the others.
"""

import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

CASES = []
F, I, U8, S8 = np.float32, np.int64, np.uint8, np.int8
M = "com.microsoft"


def case(name, op, inputs, opset=18, domain="", outputs=1, **attributes):
    """inputs: arrays, or functions of a generator that make them; Const(...) for initializers, None for one that is left out."""
    CASES.append((name, op, inputs, opset, domain, outputs, attributes))


class Const:
    def __init__(self, value, dtype=None):
        self.value = value if callable(value) else np.array(value, dtype)


def x(*shape, scale=2.0, dtype=F):
    """Random numbers, integers between -100 and 100."""
    if np.issubdtype(dtype, np.floating):
        return lambda rng: (rng.standard_normal(shape) * scale).astype(dtype)
    info = np.iinfo(dtype)
    return lambda rng: rng.integers(max(info.min, -100), min(info.max, 100) + 1, shape).astype(dtype)


def below(n, *shape):
    """Random indices."""
    return lambda rng: rng.integers(-n, n, shape)


def between(lo, hi, *shape):
    return lambda rng: rng.uniform(lo, hi, shape).astype(F)


def activations():
    edge = np.array([-100, -3, -1, -0.7, -0.5, -1e-3, -0.0, 0, 1e-3, 0.5, 0.7, 1, 3, 100], F)
    for op, opset, a in [
        ("Celu", 18, {}), ("Celu", 18, {"alpha": 0.3}), ("Gelu", 20, {}), ("Gelu", 20, {"approximate": "tanh"}), ("Mish", 18, {}), ("Selu", 18, {}),
        ("Selu", 18, {"alpha": 2.0, "gamma": 0.5}), ("Softplus", 18, {}), ("Softsign", 18, {}), ("ThresholdedRelu", 18, {}), ("ThresholdedRelu", 18, {"alpha": -0.2}),
        ("Shrink", 18, {"lambd": 0.7, "bias": 0.2}), ("Erf", 13, {}),
    ]:
        tag = "_".join([op.lower()] + [f"{k}_{v}" for k, v in a.items()])
        case(tag, op, [x(2, 3, 5)], opset, **a)
        case(tag + "_edge", op, [edge], opset, **a)
    for op in ["Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh"]:
        case(op.lower(), op, [x(40, scale=3)])
    for op, lo, hi in [("Asin", -1, 1), ("Acos", -1, 1), ("Atanh", -1, 1), ("Acosh", 1, 9)]:
        case(op.lower(), op, [between(lo, hi, 40)])
    case("hardmax", "Hardmax", [x(3, 4, 5)], axis=1)
    case("hardmax_11", "Hardmax", [x(3, 4, 5)], 11, axis=1)
    case("hardmax_ties", "Hardmax", [np.array([[1, 3, 3], [2, 2, 1]], F)])


def normalizations():
    case("layernorm", "LayerNormalization", [x(2, 3, 8), x(8), x(8)], axis=-1)
    case("layernorm_axis1", "LayerNormalization", [x(2, 3, 4, 5), x(3, 4, 5)], axis=1, epsilon=0.01)
    case("groupnorm_21", "GroupNormalization", [x(2, 6, 3, 4), x(6), x(6)], 21, num_groups=3)
    case("instancenorm", "InstanceNormalization", [x(2, 3, 4, 5), x(3), x(3)])
    case("instancenorm_1d", "InstanceNormalization", [x(1, 3, 7), x(3), x(3)], epsilon=0.1)
    case("lpnorm_1", "LpNormalization", [x(3, 4)], p=1, axis=0)
    case("lpnorm_2", "LpNormalization", [x(3, 4)])
    case("mvn", "MeanVarianceNormalization", [x(2, 3, 4, 5)])
    case("lrn", "LRN", [x(1, 7, 3, 3)], size=5, alpha=0.3, beta=0.6, bias=1.5)
    case("lrn_wide", "LRN", [x(1, 3, 2, 2)], size=9)


def reductions():
    for op in ["ReduceLogSum", "ReduceLogSumExp", "ReduceL1", "ReduceL2", "ReduceSumSquare"]:
        v = between(0.1, 3, 2, 3, 4) if op == "ReduceLogSum" else x(2, 3, 4)
        case(op.lower(), op, [v, Const([1], I)], keepdims=0)
        case(op.lower() + "_all", op, [v], keepdims=1)
        case(op.lower() + "_13", op, [v], 11, axes=[0, 2])
    case("reducelogsumexp_large", "ReduceLogSumExp", [np.array([[500, 501], [-600, -601]], F), Const([1], I)])
    for d in (F, S8, U8, np.int32):
        case(f"argmin_{np.dtype(d).name}", "ArgMin", [x(4, 5, dtype=d)], axis=1, keepdims=0)
    case("argmin_last", "ArgMin", [np.array([[1, 0, 0, 2], [3, 3, 3, 3]], F)], axis=-1, select_last_index=1)


def positions():
    for reverse in (0, 1):
        for exclusive in (0, 1):
            case(f"cumsum_{reverse}{exclusive}", "CumSum", [x(2, 7, 3), Const(1, I)], reverse=reverse, exclusive=exclusive)
    case("cumsum_int", "CumSum", [x(9, dtype=np.int32), Const(-1, np.int32)])
    case("cumsum_one", "CumSum", [x(3, 1), Const(1, I)], exclusive=1)
    for k, upper in [(0, 1), (2, 1), (-3, 1), (0, 0), (9, 0), (-1, 0)]:
        case(f"trilu_{k}_{upper}", "Trilu", [x(2, 4, 5), Const(k, I)], upper=upper)
    case("eyelike", "EyeLike", [x(3, 5)], k=1)
    case("onehot", "OneHot", [below(5, 2, 3), Const(5, I), Const([-1, 2], F)])
    case("onehot_axis0", "OneHot", [np.array([0, 4, 9, -1, -9], I), Const(6, I), Const([0, 1], F)], axis=0)
    case("nonzero", "NonZero", [Const([[1, 0, 2], [0, 0, 3]], F)])
    case("reversesequence", "ReverseSequence", [x(5, 3, 2), np.array([1, 5, 3], I)], time_axis=0, batch_axis=1)
    case("reversesequence_batch_first", "ReverseSequence", [x(3, 4), np.array([4, 2, 1], I)], time_axis=1, batch_axis=0)
    case("topk", "TopK", [x(3, 7), Const([3], I)], outputs=2)
    case("topk_smallest_axis0", "TopK", [x(5, 4), Const([2], I)], outputs=2, axis=0, largest=0)
    case("topk_ties", "TopK", [np.array([[2, 1, 2, 1, 2]], F), Const([4], I)], outputs=2)
    case("topk_int", "TopK", [x(2, 9, dtype=I), Const([9], I)], outputs=2)
    case("spacetodepth", "SpaceToDepth", [x(1, 2, 4, 6)], blocksize=2)
    for fmod in (0, 1):
        a, b = np.array([-7, 7, -7, 7, 6, -6], np.int32), np.array([3, 3, -3, -3, 3, -3], np.int32)
        case(f"mod_int_{fmod}", "Mod", [a, b], fmod=fmod)
    case("mod_float", "Mod", [x(4, 5), x(5)], fmod=1)
    case("mod_uint8", "Mod", [x(20, dtype=U8), np.array(7, U8)])


def scattering():
    for r in ("none", "add", "mul", "max", "min"):
        at = np.array([[0, -1], [2, 1], [3, 0]], I)
        case(f"scatterelements_{r}", "ScatterElements", [x(3, 4), at, x(3, 2)], axis=1, reduction=r)
        case(f"scatternd_{r}", "ScatterND", [x(4, 3, 2), np.array([[2], [0]], I), x(2, 3, 2)], reduction=r)
    case("scatterelements_const", "ScatterElements", [x(5, 4), Const([[1, 0, 2, 0], [0, 2, 1, 3]], I), x(2, 4)], axis=0)
    points = [[0, 1], [3, -1], [2, 2], [0, 1]]
    case("scatternd_points", "ScatterND", [x(4, 5), np.array(points[:3], I), x(3)])
    case("scatternd_points_const", "ScatterND", [x(4, 5), Const(points, I), x(4)])
    box = np.stack(np.meshgrid(np.arange(1, 3), np.arange(0, 2), indexing="ij"), -1)
    case("scatternd_box", "ScatterND", [x(4, 3, 5), Const(box, I), x(2, 2, 5)])
    case("scatternd_box_front", "ScatterND", [x(4, 3), Const([[0], [1]], I), x(2, 3)])
    case("scatternd_all", "ScatterND", [x(2, 3), Const([[0], [1]], I), x(2, 3)])
    case("scatter_9", "Scatter", [x(3, 3), np.array([[1, 0, 2]], I), x(1, 3)], 9)


def einsum():
    for i, (equation, *shapes) in enumerate([
        ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,j->ij", (3,), (4,)),
        ("...ij,...jk->...ik", (2, 1, 3, 4), (1, 5, 4, 2)), ("bhqd,bhkd->bhqk", (1, 2, 3, 4), (1, 2, 5, 4)), ("nkctv,kvw->nctw", (1, 2, 3, 4, 5), (2, 5, 5)),
        ("ij,j,k->ik", (2, 3), (3,), (4,)), ("abc,cd,de->abe", (2, 3, 4), (4, 5), (5, 2)), ("ij,ij->i", (3, 4), (3, 4)), ("i,i", (5,), (5,)), ("bld,bmd", (1, 2, 3), (1, 4, 3)),
        ("ythwk,tik->ythwi", (2, 2, 2, 3, 4), (2, 5, 4)),
    ]):
        case(f"einsum_{i:02}", "Einsum", [x(*s) for s in shapes], equation=equation)


def windows():
    for i, (a, shape, w, bias) in enumerate([
        ({}, (1, 2, 5), (2, 3, 3), True), ({"strides": [2]}, (2, 2, 5), (2, 3, 4), False), ({"strides": [2, 3], "pads": [1, 0, 2, 1]}, (1, 4, 3, 4), (4, 2, 3, 3), True),
        ({"strides": [2, 2], "group": 2, "output_padding": [1, 0]}, (1, 4, 3, 3), (4, 3, 2, 3), True), ({"dilations": [2, 1]}, (1, 1, 3, 3), (1, 2, 2, 3), False),
        ({"strides": [2, 2, 2]}, (1, 3, 2, 3, 2), (3, 2, 2, 2, 2), True), ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (1, 2, 3, 4), (2, 2, 3, 3), False),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, (1, 2, 3, 4), (2, 2, 3, 3), False), ({"strides": [3], "output_shape": [10]}, (1, 1, 3), (1, 1, 2), False),
        ({"strides": [2], "output_shape": [8]}, (1, 1, 4), (1, 1, 3), False), ({"strides": [1, 1], "pads": [2, 2, 2, 2]}, (1, 2, 5, 5), (2, 2, 2, 2), False),
        ({"group": 3, "strides": [2, 2]}, (1, 3, 3, 2), (3, 1, 2, 2), True), ({"strides": [4]}, (1, 1, 1), (1, 2, 3), False),
    ]):
        extra = [Const(x(w[1] * a.get("group", 1)))] if bias else []
        case(f"convtranspose_{i:02}", "ConvTranspose", [x(*shape), Const(x(*w))] + extra, kernel_shape=list(w[2:]), **a)
    case("convtranspose_weights_fed", "ConvTranspose", [x(1, 2, 4, 4), x(2, 3, 3, 3)], strides=[2, 2])
    case("maxpool_indices", "MaxPool", [x(1, 2, 5, 6)], outputs=2, kernel_shape=[2, 3], strides=[2, 2])
    case("maxpool_indices_pad", "MaxPool", [x(2, 2, 5, 5)], outputs=2, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case("maxpool_indices_ties", "MaxPool", [np.zeros((1, 1, 4, 4), F)], outputs=2, kernel_shape=[2, 2], strides=[1, 1])
    case("maxpool_indices_ceil", "MaxPool", [x(1, 1, 5, 5)], outputs=2, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    case("maxpool_indices_columns", "MaxPool", [x(1, 2, 4, 3)], outputs=2, kernel_shape=[2, 2], storage_order=1)
    case("maxpool_indices_3d", "MaxPool", [x(1, 1, 3, 4, 4)], outputs=2, kernel_shape=[2, 2, 2], strides=[1, 2, 2])
    case("maxpool_indices_int8", "MaxPool", [x(1, 1, 4, 4, dtype=S8)], outputs=2, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    case("globallppool", "GlobalLpPool", [x(1, 2, 3, 4)], p=3)
    case("lppool", "LpPool", [x(1, 2, 5, 6)], kernel_shape=[2, 3], p=2, strides=[2, 1], pads=[1, 0, 0, 1])


def resampling():
    for mode in ("nearest", "linear", "cubic"):
        for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"):
            for sizes in ([1, 2, 7, 9], [1, 2, 2, 3], [1, 2, 1, 10]):
                case(f"resize_{mode}_{coordinates}_{sizes[2]}x{sizes[3]}", "Resize", [x(1, 2, 4, 5), None, None, Const(sizes, I)], 19, mode=mode, coordinate_transformation_mode=coordinates)
        if mode != "cubic":
            case(f"resize_{mode}_3d", "Resize", [x(1, 1, 2, 3, 4), None, Const([1, 1, 2, 1.5, 0.5], F)], mode=mode)
            case(f"resize_{mode}_1d", "Resize", [x(1, 2, 6), None, Const([1, 1, 1.7], F)], mode=mode)
        roi = Const([0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2], F)
        case(f"resize_{mode}_crop", "Resize", [x(1, 1, 5, 6), roi, None, Const([1, 1, 4, 5], I)], mode=mode, coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=7.5)
    for mode in ("linear", "cubic"):
        case(f"resize_{mode}_antialias", "Resize", [x(1, 1, 9, 12), None, None, Const([1, 1, 4, 5], I)], mode=mode, antialias=1)
    case("resize_cubic_exclude", "Resize", [x(1, 1, 4, 4), None, Const([1, 1, 1.6, 0.7], F)], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
    case("resize_axes", "Resize", [x(1, 2, 4, 5), None, None, Const([6, 3], I)], mode="linear", axes=[2, 3])
    for policy in ("not_larger", "not_smaller"):
        case(f"resize_{policy}", "Resize", [x(1, 2, 4, 6), None, None, Const([7, 7], I)], mode="nearest", axes=[2, 3], keep_aspect_ratio_policy=policy)
    case("resize_tf_half_pixel", "Resize", [x(1, 1, 3, 4), Const([], F), Const([1, 1, 2, 2], F)], 11, mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor")
    case("resize_10", "Resize", [x(1, 1, 3, 4), Const([1, 1, 2, 1.5], F)], 10, mode="linear")
    case("upsample_9", "Upsample", [x(1, 1, 3, 4), Const([1, 1, 2, 3], F)], 9, mode="nearest")
    case("upsample_9_linear", "Upsample", [x(1, 1, 3, 4), Const([1, 1, 2, 3], F)], 9, mode="linear")
    case("upsample_7", "Upsample", [x(1, 1, 3, 4)], 7, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                case(f"gridsample_{mode}_{padding}_{corners}", "GridSample", [x(2, 3, 5, 4), x(2, 3, 6, 2, scale=1.0)], 20, mode=mode, padding_mode=padding, align_corners=corners)
    case("gridsample_3d", "GridSample", [x(1, 2, 3, 4, 5), x(1, 2, 2, 3, 3, scale=0.8)], 20, mode="linear")
    case("affinegrid", "AffineGrid", [x(2, 2, 3), Const([2, 3, 4, 5], I)], 20)
    case("affinegrid_3d", "AffineGrid", [x(1, 3, 4), Const([1, 3, 2, 3, 4], I)], 20, align_corners=1)


def microsoft():
    scale, zero = (lambda v: Const(v, F)), (lambda v, d=U8: Const(v, d))
    for op in ("QLinearAdd", "QLinearMul"):
        case(op.lower(), op, [x(2, 3, dtype=U8), scale(0.1), zero(100), x(3, dtype=U8), scale(0.07), zero(90), scale(0.2), zero(120)], domain=M)
        case(op.lower() + "_s8", op, [x(2, 3, dtype=S8), scale(0.1), zero(3, S8), x(2, 3, dtype=S8), scale(0.07), zero(-9, S8), scale(0.2), zero(5, S8)], domain=M)
    case("qlinearconcat", "QLinearConcat", [scale(0.1), zero(10), x(2, 3, dtype=U8), scale(0.05), zero(100), x(2, 2, dtype=U8), scale(0.2), zero(7)], domain=M, axis=1)
    case("qlinearsigmoid", "QLinearSigmoid", [x(3, 4, dtype=U8), scale(0.05), zero(50), scale(1 / 256), zero(0)], domain=M)
    case("qlinearleakyrelu", "QLinearLeakyRelu", [x(3, 4, dtype=U8), scale(0.05), zero(50), scale(0.04), zero(30)], domain=M, alpha=0.2)
    case("qlinearglobalaveragepool", "QLinearGlobalAveragePool", [x(1, 3, 4, 5, dtype=U8), scale(0.05), zero(50), scale(0.04), zero(30)], domain=M, channels_last=0)
    case("qlinearaveragepool", "QLinearAveragePool", [x(1, 3, 4, 6, dtype=U8), scale(0.05), zero(50), scale(0.043), zero(41)], domain=M, kernel_shape=[2, 2], strides=[2, 2])
    case("qgemm", "QGemm", [x(3, 4, dtype=U8), scale(0.05), zero(50), Const(x(4, 2, dtype=S8)), scale(0.1), zero(0, S8), None, scale(0.5), zero(60)], domain=M)
    case("qgemm_float", "QGemm", [x(3, 4, dtype=U8), scale(0.05), zero(50), Const(x(2, 4, dtype=S8)), scale(0.1), zero(3, S8), Const([100, -50], np.int32)], domain=M, transB=1)
    case("dynamicquantizematmul", "DynamicQuantizeMatMul", [x(3, 4), Const(x(4, 2, dtype=S8)), scale(0.1), zero(3, S8), Const([0.5, -1], F)], domain=M)
    case("matmulintegertofloat", "MatMulIntegerToFloat", [x(3, 4, dtype=U8), Const(x(4, 2, dtype=S8)), scale(0.1), scale(0.2), zero(3), zero(-4, S8)], domain=M)
    case("fusedconv", "FusedConv", [x(1, 2, 4, 4), Const(x(3, 2, 3, 3)), Const(x(3))], domain=M, activation="Relu", kernel_shape=[3, 3])
    case("fusedmatmul", "FusedMatMul", [x(2, 3, 4), x(2, 5, 4)], domain=M, transB=1, alpha=0.5)
    case("biasgelu", "BiasGelu", [x(2, 6), x(6)], domain=M)
    case("fastgelu", "FastGelu", [x(2, 6), x(6)], domain=M)
    case("quickgelu", "QuickGelu", [x(2, 6)], domain=M)
    case("skiplayernorm", "SkipLayerNormalization", [x(1, 3, 8), x(1, 3, 8), x(8), x(8), x(8)], domain=M)
    for direction in ("forward", "reverse", "bidirectional"):
        n = 2 if direction == "bidirectional" else 1
        weights = [Const(x(n, 4, 12, dtype=S8)), Const(x(n, 3, 12, dtype=S8)), Const(x(n, 24)), None, None, None, None]
        scales = [Const([0.01] * n, F), Const([3] * n, S8), Const([0.02] * n, F), Const([-2] * n, S8)]
        case(f"dynamicquantizelstm_{direction}", "DynamicQuantizeLSTM", [x(5, 1, 4), *weights, *scales], domain=M, outputs=3, hidden_size=3, direction=direction)


def make(folder, name, op, inputs, opset, domain, outputs, attributes):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    names, fed, initializers = [], [], []
    for i, value in enumerate(inputs):
        if value is None:
            names.append("")
            continue
        names.append(f"i{i}")
        constant = isinstance(value, Const)
        value = value.value if constant else value
        value = np.asarray(value(rng) if callable(value) else value)
        if constant:
            initializers.append(numpy_helper.from_array(value, names[-1]))
        else:
            fed.append((names[-1], value))
    results = [f"o{i}" for i in range(outputs)]

    def port(name, value):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)

    node = helper.make_node(op, names, results, domain=domain, **attributes)
    graph = helper.make_graph([node], name, [port(n, v) for n, v in fed], [helper.make_empty_tensor_value_info(n) for n in results], initializers)
    sets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=sets, ir_version=8, producer_name="operators.py")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    got = session.run(None, dict(fed))
    model.graph.ClearField("output")
    model.graph.output.extend(port(n, v) for n, v in zip(results, got))
    data = Path(folder, name, "test_data_set_0")
    data.mkdir(parents=True, exist_ok=True)
    Path(folder, name, "model.onnx").write_bytes(model.SerializeToString())
    for kind, values in (("input", [v for _, v in fed]), ("output", got)):
        for i, v in enumerate(values):
            Path(data, f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(v)).SerializeToString())


def main():
    for group in (activations, normalizations, reductions, positions, scattering, einsum, windows, resampling, microsoft):
        group()
    archive = Path(__file__).with_suffix(".zip")
    temporary = tempfile.TemporaryDirectory()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary.name)
    failed = 0
    for c in CASES:
        if len(sys.argv) > 2 and not any(part in c[0] for part in sys.argv[2:]):
            continue
        try:
            make(folder, *c)
        except Exception as e:
            failed += 1
            print(f"{c[0]}: ONNX Runtime: {str(e).strip().splitlines()[0][:160]}")
    if len(sys.argv) == 1:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                z.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
