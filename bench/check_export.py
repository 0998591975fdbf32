#!/usr/bin/env python3
"""Loads what billc exports as ONNX in ONNX Runtime and compares it with recorded outputs.

Every network below DIR that has inputs and expected outputs beside it is exported at
the source and at the logic level, loaded, run on one clip, and compared with the
recorded output or, where ONNX Runtime is wrong about the original, with that. Prints a
line for every export; exits with 1 if one does not load or is off by more than the
tolerance.

  python bench/check_export.py --models DIR [--billc FILE] [NAME ...]

needs onnxruntime, numpy and onnx (for its checker; left out if it is not there).
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnxruntime as ort

try:
    import onnx
except ImportError:
    onnx = None

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUFFIXES = ["", "_op13", "_op17", "_qonnx_op13", "_qcdq_op13"]
DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def recorded(path):
    """Inputs and expected output of a model, for one clip; None if there are none."""
    folder, name = os.path.split(path[: -len(".onnx")])
    at = lambda n: os.path.join(folder, n + ".npy")
    for base in (name, name.removeprefix("t2_")):
        if os.path.exists(at(base + ".clips.u8")):
            return [np.load(at(base + ".clips.u8"))[:1]], np.load(at(base + ".logits"))[:1]
    for s in SUFFIXES:
        base = name.removesuffix(s)
        inputs = sorted(glob.glob(at(base + ".input_*")))
        if inputs and os.path.exists(at(base + ".expected")):
            return [np.load(i) for i in inputs], np.load(at(base + ".expected"))
    if os.path.exists(at(name + ".expected")):
        kind = "input_ntchw" if name.startswith("c_td") else "input_manlstm" if "manlstm" in name else "input_ncthw"
        inputs = [np.load(at(kind))]
        if "muxin" in name:
            inputs.append(np.load(at("input_muxin_sel")))
        return inputs, np.load(at(name + ".expected"))
    return None


def labels(y):
    return y.reshape(len(y), -1).argmax(1)


def check(billc, path, level, out, inputs, want, tolerance):
    cmd = [billc, "compile", path, "--emit=onnx", "-o", out, "--ledger=none"]
    if level == "source":
        cmd.append("--stop-after=none")
    if "dynT" in path:
        cmd.append("--dim=" + ("4*t4=16" if "t2_" in path else "time=16"))
    done = subprocess.run(cmd, capture_output=True, text=True)
    if done.returncode:
        return "not exported: " + done.stderr.strip().splitlines()[-1], False
    try:
        if onnx:
            onnx.checker.check_model(out, full_check=True)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(out, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # every reason counts
        reason = str(e).splitlines()[0]
        return "does not load: " + reason, None if "qonnx.custom_op" in reason else False
    feed = {p.name: x.astype(DTYPES[p.type]) for p, x in zip(session.get_inputs(), inputs)}
    got = session.run(None, feed)[0]
    diff = float(np.abs(got - want).max())
    text = f"differs by {diff:.2g}, {os.path.getsize(out)} bytes"
    if diff <= tolerance and (labels(got) == labels(want)).all():
        return text, True
    # ONNX Runtime flushes tiny values, which a sign can tell from 0: what counts then
    # is what it says for the original.
    original = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {p.name: x.astype(DTYPES[p.type]) for p, x in zip(original.get_inputs(), inputs)}
    diff = float(np.abs(got - original.run(None, feed)[0]).max())
    return text + f"; from ONNX Runtime on the original by {diff:.2g}", diff <= tolerance


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", required=True, help="folder of .onnx models with .npy files beside them")
    p.add_argument("--billc", help="the compiler; built from this repository by default")
    p.add_argument("--tolerance", type=float, default=3e-3, help="largest difference from the recorded output")
    p.add_argument("names", nargs="*", help="check these networks only")
    a = p.parse_args()
    bad = checked = skipped = 0
    with tempfile.TemporaryDirectory() as tmp:
        billc = a.billc
        if not billc:
            billc = os.path.join(tmp, "billc")
            subprocess.run(["go", "build", "-o", billc, "./cmd/billc"], cwd=REPO, check=True)
        for path in sorted(glob.glob(os.path.join(a.models, "**", "*.onnx"), recursive=True)):
            name = os.path.basename(path)[: -len(".onnx")]
            case = recorded(path)
            if not case or a.names and name not in a.names:
                continue
            for level in ("source", "logic"):
                text, ok = check(billc, path, level, os.path.join(tmp, "x.onnx"), *case, a.tolerance)
                if ok is None:
                    skipped += 1
                else:
                    checked += 1
                    bad += not ok
                print(f"{'skip' if ok is None else 'ok  ' if ok else 'FAIL'} {name} {level}: {text}", flush=True)
    print(f"{checked - bad} of {checked} exports agree; {skipped} use QONNX operators, which ONNX Runtime does not have")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
