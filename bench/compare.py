#!/usr/bin/env python3
"""Times the compiled networks beside ONNX Runtime and OpenVINO, one thread each.

Contenders: the executable that `billc build` makes (gen), bytecode in billrun (byte) and in
a billrun of plain Go, without assembly (plain), ONNX Runtime (ort), OpenVINO in f32 (ov) and on the same network rewritten for int8 by
int8_model.py, exactly (ov8). They alternate within every round, so that a machine whose
speed drifts slows all of them alike; quote the ratios. Under every network's medians stand
the fastest and the slowest round of each. Before anything is timed, the
scores of all contenders for one clip are compared.

  python bench/compare.py --models DIR [--rounds 7] [--isa generic] [--skip ov,ov8] [NAME ...]
  python bench/compare.py --field DIR [--rounds 7] [--isa avx2] [NAME ...]

With --field the networks are files NAME.onnx or NAME.onnx.gz of any kind, on random inputs (dimensions left open are 1): bytecode
in billrun beside ONNX Runtime, how far apart their outputs are, relative to the largest, and the quotient of the times.

needs onnxruntime and numpy and, for their columns, onnx and openvino, from PyPI in any
virtual environment, and Go: it builds billc and billrun itself.
"""
import argparse
import gzip
import json
import os
import re
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
CONTENDERS = ["gen", "byte", "plain", "ort", "ov", "ov8"]
TOLERANCE = 1e-3  # of the scores: the float contenders sum in another order


def build(out, tags):
    for prog, source, tag in (("billc", "billc", ""), ("billrun", "billrun", tags), ("billrun-plain", "billrun", "purego")):
        subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-tags", tag, "-o", os.path.join(out, prog), "./cmd/" + source], cwd=REPO, check=True)


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
    if not {"byte", "plain"} <= skip:
        subprocess.run([billc, "compile", path, "-o", model, "--ledger=none"], check=True, capture_output=True)
    for key, program, isa in (("byte", billrun, a.isa), ("plain", billrun + "-plain", "")):
        if key not in skip:
            found[key] = Program([program, "bench", model], [program, model], isa)
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


def field_inputs(session):
    """Random inputs of a model, the same for both contenders."""
    rng, kinds = np.random.default_rng(1), {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": bool}
    feeds = {}
    for i in session.get_inputs():
        kind, shape = kinds[i.type], [d if isinstance(d, int) else 1 for d in i.shape]
        x = rng.standard_normal(shape) if np.issubdtype(kind, np.floating) else rng.integers(0, 2, shape)
        feeds[i.name] = np.asarray(x, kind)
    return feeds


def field_network(tmp, path, a):
    """The contenders of one network of the field and how far apart their outputs are."""
    onnx_file, model, out = (os.path.join(tmp, f) for f in ("m.onnx", "m.billb", "out"))
    raw = gzip.open(path).read() if path.endswith(".gz") else open(path, "rb").read()
    open(onnx_file, "wb").write(raw)
    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.log_severity_level = 3
    session = ort.InferenceSession(onnx_file, o, providers=["CPUExecutionProvider"])
    feeds = field_inputs(session)
    billc, billrun = os.path.join(a.bin or tmp, "billc"), os.path.join(a.bin or tmp, "billrun")
    shapes = [f"--shape={i.name}={'x'.join(map(str, feeds[i.name].shape))}" for i in session.get_inputs() if any(not isinstance(d, int) for d in i.shape)]
    subprocess.run([billc, "compile", onnx_file, "-o", model, "--ledger=none", *shapes], check=True, capture_output=True)
    args = []
    for i, (name, x) in enumerate(feeds.items()):
        np.save(os.path.join(tmp, f"in{i}.npy"), x)
        args.append(f"--input={name}=@{os.path.join(tmp, f'in{i}.npy')}")
    isa = ["--isa=" + a.isa] if a.isa else []
    subprocess.run([billrun, model, *args, "--out", out, *isa], check=True, capture_output=True)
    apart = 0.0
    for info, want in zip(session.get_outputs(), session.run(None, feeds)):
        got = np.load(os.path.join(out, re.sub(r"[^\w.-]", "_", info.name) + ".npy")).reshape(want.shape)
        apart = max(apart, float(np.abs(got.astype(float) - want).max() / max(np.abs(want).max(), 1e-9)) if want.size else 0.0)
    return {"byte": Program([billrun, "bench", model, *args], [], a.isa), "ort": Engine(lambda: session.run(None, feeds))}, apart


def field(a):
    files = sorted(f for f in os.listdir(a.field) if f.endswith((".onnx", ".onnx.gz")) and (not a.nets or f.split(".onnx")[0] in a.nets))
    print(f"{'milliseconds a run':36}{'byte':>9}{'ort':>9}{'ort/byte':>10}{'apart':>10}")
    quotients = []
    for f in files:
        with tempfile.TemporaryDirectory() as tmp:
            if not a.bin:
                a.bin = tempfile.mkdtemp()
                build(a.bin, a.tags)
            try:
                found, apart = field_network(tmp, os.path.join(a.field, f), a)
            except (subprocess.CalledProcessError, ValueError) as e:
                print(f"{f.split('.onnx')[0]:36} {(getattr(e, 'stderr', None) or str(e).encode()).decode().strip().splitlines()[0][:120]}")
                continue
            rows = {"byte": [], "ort": []}
            for _ in range(a.rounds):
                for k, c in found.items():
                    rows[k].append(c.measure(a.seconds))
            quotients.append(statistics.median(x / y for x, y in zip(rows["ort"], rows["byte"])))
            print(f"{f.split('.onnx')[0]:36}{statistics.median(rows['byte']):9.2f}{statistics.median(rows['ort']):9.2f}{quotients[-1]:10.2f}{apart:10.1e}", flush=True)
    if quotients:
        print(f"{'geometric mean':54}{statistics.geometric_mean(quotients):10.2f}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nets", nargs="*")
    p.add_argument("--field", default="", help="folder with networks of any kind, in place of the video networks")
    p.add_argument("--models", default=os.path.join(REPO, "..", "shared", "models", "billnet"), help="folder with NAME.onnx and NAME.clips.u8.npy")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.5, help="per contender and round")
    p.add_argument("--isa", default="", help="generic, avx2 or avx512 (default: the best)")
    p.add_argument("--tags", default="", help="Go build tags for billrun, such as purego")
    p.add_argument("--skip", default="", help="contenders to leave out, with commas: " + ", ".join(CONTENDERS))
    p.add_argument("--bin", default="", help="folder with billc, billrun and billrun-plain, in place of building them")
    a = p.parse_args()
    if a.field:
        return field(a)
    with tempfile.TemporaryDirectory() as tmp:
        if not a.bin:
            build(tmp, a.tags)
        ratios = [(k, "gen") for k in CONTENDERS[1:]]
        print(f"{'milliseconds a clip':20}" + "".join(f"{k:>9}" for k in CONTENDERS) + "".join(f"{k + '/' + b:>10}" for k, b in ratios) + f"{'ort/byte':>10}{'ort/plain':>10}")
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
            print(f"{name:20}" + "".join(map(med, CONTENDERS)) + "".join(ratio(*r) for r in ratios) + ratio("ort", "byte") + ratio("ort", "plain"))
            spread = lambda k: f"{min(rows[k]):.3g}-{max(rows[k]):.3g}" if rows[k] else "-"
            print("  fastest-slowest: " + ", ".join(f"{k} {spread(k)}" for k in CONTENDERS))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
