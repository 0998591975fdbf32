#!/usr/bin/env python3
"""Times the compiled networks beside ONNX Runtime and OpenVINO, one thread each.

Contenders: the executable that `billc build` makes (gen), bytecode in billrun (byte),
ONNX Runtime (ort), OpenVINO in f32 (ov) and on the same network rewritten for int8 by
int8_model.py, exactly (ov8). They alternate within every round, so that a machine whose
speed drifts slows all of them alike; quote the ratios. Before anything is timed, the
scores of all contenders for one clip are compared.

  python bench/compare.py --models DIR [--rounds 7] [--isa generic] [--skip ov,ov8] [NAME ...]

needs onnxruntime and numpy and, for their columns, onnx and openvino, from PyPI in any
virtual environment, and Go: it builds billc and billrun itself.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnxruntime as ort

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NETS = ["billnet_full_mid", "billnet_full", "billnet_small", "billnet_mid"]
CONTENDERS = ["gen", "byte", "ort", "ov", "ov8"]
TOLERANCE = 1e-3  # of the scores: the float contenders sum in another order


def build(out, tags):
    for prog in ("billc", "billrun"):
        cmd = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", os.path.join(out, prog)]
        subprocess.run(cmd + (["-tags", tags] if tags and prog == "billrun" else []) + ["./cmd/" + prog], cwd=REPO, check=True)


class Program:
    """An executable of ours: command and the arguments that measure and that print scores."""

    def __init__(self, bench, scores, isa):
        self.bench, self.scores_cmd, self.isa = bench, scores, ["--isa=" + isa] if isa else []

    def scores(self, clip_file):
        out = subprocess.run(self.scores_cmd + [clip_file, "--logits"] + self.isa, check=True, capture_output=True, text=True).stdout
        return np.array(out.split(), np.float32)

    def measure(self, seconds):
        out = subprocess.run(self.bench + ["--json", f"--time={seconds}s", "--threads=1"] + self.isa, check=True, capture_output=True, text=True).stdout
        return json.loads(out)["median_ms"]


class Engine:
    """A function of the clip."""

    def __init__(self, run):
        self.run = run

    def scores(self, _):
        return np.asarray(self.run()).ravel()

    def measure(self, seconds):
        self.run()
        times, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 3:
            t = time.perf_counter()
            self.run()
            times.append((time.perf_counter() - t) * 1e3)
        return statistics.median(times)


def ort_engine(path, clip):
    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    name = s.get_inputs()[0].name
    return Engine(lambda: s.run(None, {name: clip})[0])


def ov_engine(path, clip):
    import openvino as ov

    core = ov.Core()
    m = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1})
    return Engine(lambda: m(clip)[0])


def contenders(tmp, path, name, clip, a):
    model, exe, int8 = (os.path.join(tmp, name + end) for end in (".billb", "", ".int8.onnx"))
    billc, billrun = os.path.join(a.bin or tmp, "billc"), os.path.join(a.bin or tmp, "billrun")
    skip = set(a.skip.split(","))
    found = {}
    if "gen" not in skip:
        subprocess.run([billc, "build", path, "-o", exe, "--fast"], check=True, capture_output=True)
        found["gen"] = Program([exe, "--bench"], [exe], a.isa)
    if "byte" not in skip:
        subprocess.run([billc, "compile", path, "-o", model, "--ledger=none"], check=True, capture_output=True)
        found["byte"] = Program([billrun, "bench", model], [billrun, model], a.isa)
    if "ort" not in skip:
        found["ort"] = ort_engine(path, clip)
    try:
        if "ov" not in skip:
            found["ov"] = ov_engine(path, clip)
        if "ov8" not in skip:
            subprocess.run([sys.executable, os.path.join(REPO, "bench", "int8_model.py"), path, int8, "--clips=1"], check=True, capture_output=True)
            found["ov8"] = ov_engine(int8, clip)
    except ImportError as e:
        print(f"without OpenVINO: {e}", file=sys.stderr)
    return found


def check(name, found, clip_file):
    first, want = None, None
    for key, c in found.items():
        got = c.scores(clip_file)
        if first is None:
            first, want = key, got
        elif got.shape != want.shape or np.abs(got - want).max() > TOLERANCE:
            raise SystemExit(f"{name}: {key} gives other scores than {first}: {got} and {want}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nets", nargs="*", default=NETS)
    p.add_argument("--models", default=os.path.join(REPO, "..", "shared", "models", "billnet"), help="folder with NAME.onnx and NAME.clips.u8.npy")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.5, help="per contender and round")
    p.add_argument("--isa", default="", help="generic, avx2 or avx512 (default: the best)")
    p.add_argument("--tags", default="", help="Go build tags for billrun, such as purego")
    p.add_argument("--skip", default="", help="contenders to leave out, with commas: " + ", ".join(CONTENDERS))
    p.add_argument("--bin", default="", help="folder with billc and billrun, in place of building them")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        if not a.bin:
            build(tmp, a.tags)
        ratios = [(k, "gen") for k in CONTENDERS[1:]]
        print(f"{'milliseconds a clip':20}" + "".join(f"{k:>9}" for k in CONTENDERS) + "".join(f"{k + '/' + b:>10}" for k, b in ratios) + f"{'ort/byte':>10}")
        for name in a.nets or NETS:
            path = os.path.join(a.models, name + ".onnx")
            clip = np.load(os.path.join(a.models, name + ".clips.u8.npy"))[:1]
            clip = clip.reshape((1,) + clip.shape[-4:])
            clip_file = os.path.join(tmp, name + ".npy")
            np.save(clip_file, clip)
            found = contenders(tmp, path, name, clip.astype(np.float32), a)
            check(name, found, clip_file)
            rows = {k: [] for k in CONTENDERS}
            for _ in range(a.rounds):
                for k, c in found.items():
                    rows[k].append(c.measure(a.seconds))
            med = lambda k: f"{statistics.median(rows[k]):9.2f}" if rows[k] else f"{'-':>9}"
            ratio = lambda k, b: f"{statistics.median(x / y for x, y in zip(rows[k], rows[b])):10.2f}" if rows[k] and rows[b] else f"{'-':>10}"
            print(f"{name:20}" + "".join(map(med, CONTENDERS)) + "".join(ratio(*r) for r in ratios) + ratio("ort", "byte"))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
