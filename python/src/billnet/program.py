"""Compiled programs, called from Python."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor, nn

from . import tools
from .exact import as_bytes, logits
from .export import PathLike, export

#: Element types of ports; numbers lie in pipes with the lowest byte first.
_TYPES = {"u8": "u1", "i8": "i1", "i16": "<i2", "i32": "<i4", "i64": "<i8", "f32": "<f4", "f64": "<f8"}
# A pipe holds at least so many bytes of results before its writer waits.
_PIPE = 4096


class Program:
    """A compiled network, ``FILE.billb``: clips [N, 3, T, H, W] of bytes -> logits [N, classes].

    The first call starts ``billrun FILE --pipe``, which then waits for the next one; :meth:`close`, the end
    of a ``with`` block, or the end of the object stops it. ``threads`` share the work on one clip.
    Programs may be called from several threads, and are copied, pickled and forked without their process.
    """

    def __init__(self, path: PathLike, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        self.info: dict[str, Any] = json.loads(tools.run("billrun", "info", self.path, "--json"))
        #: What every layer became, for a program that was just compiled.
        self.ledger: dict[str, Any] = {}
        #: The ONNX file that it was made from, if any.
        self.source: Optional[Path] = None
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        self._pipe: Optional[_Pipe] = None
        self._lock = threading.Lock()

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
        array = np.ascontiguousarray(data.numpy(), _TYPES[self.info["inputs"][0]["elem"]])
        with self._lock:
            if self._pipe is None or self._pipe.owner != os.getpid():
                self._pipe = _Pipe(self.path, self.threads, self.info)
            try:
                return torch.from_numpy(self._pipe.run(array))
            except BaseException:  # what it has read and written is not known any more
                self._stop()
                raise

    def close(self) -> None:
        """Stops the process; the next call starts another one."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self._pipe = None

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pipe": None, "_lock": None, "_folder": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Program({str(self.path)!r}, clip={list(self.shape)})"


class _Pipe:
    """A running ``billrun --pipe``: the bytes of an input in, those of all outputs out."""

    def __init__(self, path: Path, threads: int, info: dict[str, Any]) -> None:
        self.owner = os.getpid()
        self.command = [tools.find("billrun"), os.fspath(path), "--pipe", f"--threads={threads}"]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self._end = weakref.finalize(self, _end, self.process, self.errors, self.owner)
        sizes = [np.dtype(_TYPES[o["elem"]]).itemsize * int(np.prod(o["shape"])) for o in info["outputs"]]
        self.bytes, self.first = sum(sizes), sizes[0]
        self.shape, self.type = info["outputs"][0]["shape"][1:], _TYPES[info["outputs"][0]["elem"]]

    def run(self, clips: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The first output for every clip, as floats."""
        assert self.process.stdin is not None and self.process.stdout is not None
        found = np.empty((len(clips), *self.shape), np.float32)
        at_once = max(1, _PIPE // max(self.bytes, 1))
        for first in range(0, len(clips), at_once):
            some = clips[first : first + at_once]
            try:
                self.process.stdin.write(some.data)
                self.process.stdin.flush()
            except BrokenPipeError:
                self._fail()
            data = self.process.stdout.read(len(some) * self.bytes)
            if len(data) < len(some) * self.bytes:
                self._fail()
            for k in range(len(some)):
                found[first + k] = np.frombuffer(data[k * self.bytes :][: self.first], self.type).reshape(self.shape)
        return found

    def _fail(self) -> None:
        code = self.process.wait()
        self.errors.seek(0)
        raise tools.ToolError(self.command, code, self.errors.read().decode(errors="replace"))

    def close(self) -> None:
        """Stops the process."""
        self._end()


def _end(process: subprocess.Popen[bytes], errors: Any, owner: int) -> None:
    for pipe in (process.stdin, process.stdout, errors):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:  # what was left to write has no reader
            pass
    if owner == os.getpid():
        process.kill()
        process.wait()


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
