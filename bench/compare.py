#!/usr/bin/env python3
"""Times billrun beside ONNX Runtime and OpenVINO on the same networks, one thread each.

The contenders alternate within every round, so that a machine whose speed drifts
slows all of them alike; quote the ratios. Prints the median milliseconds a clip of
every contender and how many times faster billrun is.

  python bench/compare.py --models DIR [--rounds 7] [--isa generic] [NAME ...]

needs onnxruntime, numpy and, for its column, openvino, from PyPI in any virtual
environment, and Go: it builds billc and billrun itself.
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


def build(out, tags):
    for prog in ("billc", "billrun"):
        cmd = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", os.path.join(out, prog)]
        subprocess.run(cmd + (["-tags", tags] if tags and prog == "billrun" else []) + ["./cmd/" + prog], cwd=REPO, check=True)


def ort_session(path):
    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def openvino_model(path):
    try:
        import openvino as ov
    except ImportError:
        return None
    core = ov.Core()
    return core.compile_model(core.read_model(path), "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1})


def timed(run, seconds):
    run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        t = time.perf_counter()
        run()
        times.append((time.perf_counter() - t) * 1e3)
    return statistics.median(times)


def billrun(bin_dir, model, seconds, threads, isa):
    cmd = [os.path.join(bin_dir, "billrun"), "bench", model, "--json", f"--time={seconds}s", f"--threads={threads}"]
    if isa:
        cmd.append(f"--isa={isa}")
    return json.loads(subprocess.run(cmd, check=True, capture_output=True, text=True).stdout)["median_ms"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nets", nargs="*", default=NETS)
    p.add_argument("--models", default=os.path.join(REPO, "..", "shared", "models", "billnet"), help="folder with NAME.onnx and NAME.clips.u8.npy")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.5, help="per contender and round")
    p.add_argument("--isa", default="", help="generic, avx2 or avx512 (default: the best)")
    p.add_argument("--tags", default="", help="Go build tags for billrun, such as purego")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        build(tmp, a.tags)
        print(f"{'network':20} {'billrun':>9} {'2 threads':>9} {'ORT f32':>9} {'OpenVINO':>9} {'ORT/bill':>9} {'OV/bill':>9} {'1/2 thr.':>9}")
        for name in a.nets or NETS:
            path = os.path.join(a.models, name + ".onnx")
            clip = np.load(os.path.join(a.models, name + ".clips.u8.npy"))[:1].astype(np.float32)
            clip = clip.reshape((1,) + clip.shape[-4:])
            model = os.path.join(tmp, name + ".billb")
            subprocess.run([os.path.join(tmp, "billc"), "compile", path, "-o", model, "--ledger=none"], check=True, capture_output=True)
            sess, ov = ort_session(path), openvino_model(path)
            feed = {sess.get_inputs()[0].name: clip}
            rows = {"bill": [], "bill2": [], "ort": [], "ov": []}
            for _ in range(a.rounds):
                rows["bill"].append(billrun(tmp, model, a.seconds, 1, a.isa))
                rows["ort"].append(timed(lambda: sess.run(None, feed), a.seconds))
                rows["bill2"].append(billrun(tmp, model, a.seconds, 2, a.isa))
                if ov:
                    rows["ov"].append(timed(lambda: ov(clip), a.seconds))
            med = {k: statistics.median(v) if v else float("nan") for k, v in rows.items()}
            ratio = lambda k, base="bill": statistics.median([x / y for x, y in zip(rows[k], rows[base])]) if rows[k] else float("nan")
            print(f"{name:20} {med['bill']:9.2f} {med['bill2']:9.2f} {med['ort']:9.2f} {med['ov']:9.2f} {ratio('ort'):9.1f} {ratio('ov'):9.1f} {ratio('bill', 'bill2'):9.2f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
