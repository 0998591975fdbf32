"""The command ``billnet``: train, compile, summary."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Optional, Sequence

import numpy as np
import torch

from . import __version__, tools
from .data import Source
from .exact import as_bytes
from .export import export
from .fit import Trainer
from .load import load
from .nn import BILLNET, Config
from .program import compile_file, verify
from .stages import Stages, describe
from .summary import summary


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="billnet", description="Trains BILLNETs with PyTorch and compiles them to exact binary programs.")
    parser.add_argument("--version", action="version", version=f"billnet {__version__}, PyTorch {torch.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a network in stages", formatter_class=argparse.RawDescriptionHelpFormatter, epilog="stages and their options:\n" + describe())
    train.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="trained network: .onnx or .billb")
    train.add_argument(
        "--data", default="gestures", metavar="SPEC", help="gestures (generated), jester:DIR, or a folder with a sub-folder a class; options in braces: gestures{classes=4}"
    )
    train.add_argument("--stages", default="float, all", metavar="STAGE,...", help="stages with options, as for billc train (default: float, all)")
    train.add_argument("--epochs", type=float, default=0, metavar="N", help="passes over the clips, for every stage that says neither steps nor epochs")
    train.add_argument(
        "--net",
        type=Path,
        metavar="FILE",
        help="network to begin with, .bill, .onnx or .pt (of a run's folder), in place of a new one; --frames, --height and --columns give it clips of another size",
    )
    train.add_argument("--teacher", type=Path, metavar="FILE", help="network to learn from, in place of the one after the float stage: .bill, .onnx or .pt")
    for f in fields(Config):
        if f.name == "causal":
            train.add_argument("--causal", dest="net_causal", action="store_true", default=None, help="convolutions and selects see no later frame")
        elif f.name != "classes":
            flag = {"stages": "net-stages"}.get(f.name, f.name.replace("_", "-"))
            train.add_argument(
                f"--{flag}",
                dest="net_" + f.name,
                type=type(f.default),
                metavar="N" if isinstance(f.default, int) else "WORD",
                help=f"of the network (default: {f.default or 'by causal'})",
            )
    train.add_argument("--batch", type=int, default=16, metavar="N", help="clips of a step, of all processes together (16)")
    train.add_argument("--seed", type=int, default=1, metavar="N", help="of weights and of the order of clips (1)")
    train.add_argument("--run-dir", type=Path, metavar="DIR", help="folder for checkpoint and log; by default the output's name with .run")
    train.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    train.add_argument("--every", type=int, default=200, metavar="N", help="steps between checkpoints (200)")
    train.add_argument("--eval-clips", type=int, default=1000, metavar="N", help="clips that measure a stage (1000)")
    train.add_argument("--amp", action="store_true", help="convolutions in bfloat16")
    train.add_argument("--device", help="such as cuda:0; by default a GPU where there is one")

    compiling = commands.add_parser("compile", help="compile a network to bytecode")
    compiling.add_argument("model", type=Path, help=".onnx or .bill")
    compiling.add_argument("-o", "--out", type=Path, metavar="FILE", help=".billb; by default the model's name with this ending")
    compiling.add_argument("--check", type=Path, metavar="CLIPS.npy", help="compare with the module on these clips, bit for bit; exit code 3 where they part")
    compiling.add_argument("--no-strict", action="store_true", help="let layers stay float")

    table = commands.add_parser("summary", help="show the layers of a network")
    table.add_argument("model", type=Path, help=".onnx of billnet or .bill")
    return parser


def _train(a: argparse.Namespace) -> int:
    if a.out.suffix not in (".onnx", ".billb"):
        raise ValueError(f"-o {a.out}: expected a name that ends in .onnx or .billb")
    stages = Stages.parse(a.stages, a.epochs)
    if stages[-1].soft:
        raise ValueError(f"after the last stage, {stages[-1].name}, {', '.join(stages[-1].soft)} are soft, and compiled they are hard: end with all or lstm")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available() and not a.device:
            a.device = f"cuda:{os.environ['LOCAL_RANK']}"
    first = int(os.environ.get("RANK", "0")) == 0
    torch.manual_seed(a.seed)
    given = {f.name: getattr(a, "net_" + f.name) for f in fields(Config) if f.name != "classes" and getattr(a, "net_" + f.name) is not None}
    if a.net:
        other = sorted(set(given) - {"frames", "height", "columns"})
        if other:
            raise ValueError(f"{', '.join(other)} of the network are those of {a.net}: leave the options out, or leave out --net for a new network")
        net = load(a.net, **given)
        c = net.config
        source = Source(a.data, c.frames, c.height, c.columns)
        if len(source.classes) != c.classes:
            raise ValueError(f"{a.net} has {c.classes} classes, the data {len(source.classes)} ({source.name})")
    else:
        size = {k: given.get(k, getattr(Config, k)) for k in ("frames", "height", "columns")}
        source = Source(a.data, **size)
        net = BILLNET(classes=len(source.classes), **given)
    net.labels = source.classes
    say: Callable[..., None] = print if first else (lambda *_, **__: None)
    trainer = Trainer(
        net, folder=a.run_dir or Path(f"{a.out}.run"), resume=a.resume, teacher=load(a.teacher) if a.teacher else None, batch=a.batch, seed=a.seed, every=a.every,
        eval_clips=a.eval_clips, amp=a.amp, device=a.device, note=lambda text: say(f"note: {text}"),
    )  # fmt: skip
    for stage in stages:
        r = trainer.fit(stage, source)
        say(f"{r.stage}: {r.steps} steps, loss {r.loss:.3f}" + (f", {100 * r.accuracy:.1f} % of {r.clips} validation clips" if r.accuracy is not None else ""), flush=True)
    if first:
        if a.out.suffix == ".onnx":
            export(net, a.out)
        else:
            from .program import compile

            compile(net, path=a.out)
        print(f"wrote {a.out}")
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def _compile(a: argparse.Namespace) -> int:
    out = a.out or a.model.with_suffix(".billb")
    program = compile_file(a.model, out, strict=not a.no_strict)
    print(f"wrote {out}: {out.stat().st_size} bytes")
    if a.check is None:
        return 0
    clips = as_bytes(np.load(a.check))
    found = verify(load(a.model), program, clips)
    print(f"{found.clips} clips: equal" if found else f"{found.clips} clips: {found.difference}")
    return 0 if found else 3


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code: 1 for a failure, 2 for bad usage, 3 where outputs differ."""
    a = _parser().parse_args(arguments)
    try:
        if a.command == "summary":
            print(summary(load(a.model)))
            return 0
        return _train(a) if a.command == "train" else _compile(a)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, FloatingPointError) as e:
        print(f"billnet: {e}", file=sys.stderr)
        return e.code if isinstance(e, tools.ToolError) and e.code in (2, 4) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
