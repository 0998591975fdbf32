"""Compiled programs, called from Python."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor, nn

from . import tools
from .exact import as_bytes, logits
from .export import PathLike, export


class Program:
    """A compiled network, ``FILE.billb``: clips [N, 3, T, H, W] of bytes -> logits [N, classes]."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self.info: dict[str, Any] = json.loads(tools.run("billrun", "info", self.path, "--json"))
        #: What every layer became, for a program that was just compiled.
        self.ledger: dict[str, Any] = {}
        #: The ONNX file that it was made from, if any.
        self.source: Optional[Path] = None
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a clip."""
        return tuple(self.info["inputs"][0]["shape"][1:])

    @property
    def labels(self) -> list[str]:
        """The classes' names, or none."""
        return list(self.info["labels"])

    def __call__(self, clips: object) -> Tensor:
        """The logits of clips, with the bits that the program computes."""
        data = as_bytes(clips)
        if tuple(data.shape[1:]) != self.shape:
            raise ValueError(f"clips have shape {list(data.shape)}, {self.path.name} takes [N, {', '.join(map(str, self.shape))}]")
        if not len(data):
            return torch.zeros((0, self.info["outputs"][0]["shape"][-1]))
        array = data.numpy().astype({"u8": np.uint8, "f32": np.float32}[self.info["inputs"][0]["elem"]])
        npy = io.BytesIO()
        np.save(npy, np.ascontiguousarray(array))
        text = tools.run("billrun", self.path, "-", "--logits", stdin=npy.getvalue())
        return torch.from_numpy(np.array([line.split() for line in text.decode().splitlines()], dtype=np.float32))

    def __repr__(self) -> str:
        return f"Program({str(self.path)!r}, clip={list(self.shape)})"


def compile(net: nn.Module, example: Optional[object] = None, path: Optional[PathLike] = None, *, exporter: str = "auto", strict: bool = True) -> Program:
    """Compiles a network to bytecode, at ``path`` or in a temporary folder.

    ``strict`` demands that every layer but the last is bits and integers, and raises an error that
    names those that are not.
    """
    folder = tempfile.TemporaryDirectory(prefix="billnet-")
    source = export(net, Path(folder.name) / "network.onnx", example, exporter=exporter, strict=strict)
    out = Path(path) if path is not None else Path(folder.name) / "network.billb"
    program = compile_file(source, out, strict=strict)
    program._folder = folder  # it lives as long as the program
    return program


def compile_file(source: PathLike, out: PathLike, *, strict: bool = True) -> Program:
    """Compiles an .onnx or .bill file to bytecode."""
    ledger = tools.run("billc", "compile", source, "-o", out, "--ledger=json", *(["--strict-binary"] if strict else []))
    program = Program(out)
    program.ledger, program.source = json.loads(ledger[ledger.index(b"{") :]), Path(source)
    return program


@dataclass
class Verification:
    """What :func:`verify` found."""

    clips: int
    equal: bool
    #: Where they part first: the clip, the class, both logits; the empty text when they are equal.
    difference: str = ""

    def __bool__(self) -> bool:
        return self.equal


def verify(net: nn.Module, program: Program, clips: object) -> Verification:
    """Compares the logits of a network and of a program on clips, bit for bit, and says where they part."""
    a, b = logits(net, clips), program(clips)
    if a.shape != b.shape:
        return Verification(len(a), False, f"the network gives logits {list(a.shape)}, the program {list(b.shape)}")
    same = (a == b) | (a.isnan() & b.isnan())
    if bool(same.all()):
        return Verification(len(a), True)
    clip, k = (~same).nonzero()[0].tolist()
    text = f"clip {clip}, class {k}: the network gives {float(a[clip, k])!r}, the program {float(b[clip, k])!r}; {int((~same).any(1).sum())} of {len(a)} clips differ"
    if program.source is not None and program.source.exists():
        text += "\n" + _layers(program, clips)
    return Verification(len(a), False, text)


def _layers(program: Program, clips: object) -> str:
    """What billc says about the program and the file that it was made from."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.npy"
        np.save(path, as_bytes(clips).numpy())
        try:
            tools.run("billc", "verify", str(program.source), program.path, "--clips", path)
        except tools.ToolError as e:
            return f"{program.source} and {program.path} differ too:\n{e.text}"
    return f"{program.source} and {program.path} are equal: the export and the network differ"
