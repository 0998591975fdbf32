"""Networks as files: those of PyTorch, and those that the Go programs wrote."""

from __future__ import annotations

import json
import os
import pickle
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from torch import nn

from . import tools
from .export import PathLike
from .nn import BILLNET, ROLES, Step

_CONST = re.compile(r"^  %\S+ = const (?:@(\d+)|splat (\S+)|\[(.*?)\]) : f32\[([\d,]*)\] loc\(\"((?:[^\"\\]|\\.)*)\"\)", re.M)
_CLIP = re.compile(r"func @\w+\(%\S+ \"[^\"]*\": \w+\[\d+,3,(\d+),(\d+),(\d+)\]")
_META = re.compile(r"^meta \"(\w+)\" (\"(?:[^\"\\]|\\.)*\")$", re.M)


def save(net: nn.Module, path: PathLike) -> None:
    """Writes a network of PyTorch, whatever a stage left soft in it, for :func:`load` to go on with."""
    slopes = {m.role: m.slope for m in net.modules() if isinstance(m, Step) and m.soft}
    config = asdict(net.config) if isinstance(net, BILLNET) else None
    state = {"kind": type(net).__name__, "config": config, "labels": list(getattr(net, "labels", [])), "soft": slopes, "net": net.state_dict()}
    replace(Path(path), lambda part: torch.save(state, part))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file whole or not at all: ``write`` writes it under another name."""
    part = path.with_suffix(".part")
    write(part)
    os.replace(part, path)


def restore(net: nn.Module, saved: dict[str, Any]) -> None:
    """Puts the contents of a file of :func:`save` into a network of the same form."""
    net.load_state_dict(saved["net"])
    for m in net.modules():
        if isinstance(m, Step):
            m.soft = m.role in saved["soft"]
            m.slope = saved["soft"].get(m.role, m.slope)


def load(path: PathLike, *, frames: int = 0, height: int = 0, columns: int = 0) -> BILLNET:
    """The BILLNET of a file of :func:`save` (.pt), of a text of ``billc train`` or ``billc new`` (.bill), or of an ONNX file of :func:`billnet.export`.

    Roles that the last stage left soft are soft. A file without an auxiliary head, as training leaves it,
    gives the module a new one. With ``frames``, ``height`` or ``columns`` the same weights are for clips
    of another size; then norms have yet to be trained or averaged on them.
    """
    path = Path(path)
    net = _of_torch(path) if path.suffix == ".pt" else _of_go(path)
    sizes = {k: v for k, v in {"frames": frames, "height": height, "columns": columns}.items() if v}
    if not sizes:
        return net.eval()
    steps = sizes.get("frames", net.config.frames) * net.config.steps // net.config.frames
    other = BILLNET(**{**asdict(net.config), "steps": steps, **sizes})
    restore(other, {"net": net.state_dict(), "soft": {m.role: m.slope for m in net.modules() if isinstance(m, Step) and m.soft}})
    other.labels = net.labels
    return other.eval()


def _of_torch(path: Path) -> BILLNET:
    try:
        saved = torch.load(path, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as e:
        raise ValueError(f"{path} is no file of billnet.save: {e}") from None
    if not isinstance(saved, dict) or not {"kind", "config", "soft", "net"} <= set(saved):
        raise ValueError(f"{path} is no file of billnet.save")
    if saved["config"] is None:
        raise ValueError(f"{path} holds the weights of a {saved['kind']}, which only its own class can make: make it, and call billnet.restore(net, torch.load(path))")
    net = BILLNET(**saved["config"])
    restore(net, saved)
    net.labels = saved["labels"]
    return net


def _of_go(path: Path) -> BILLNET:
    text, data = _flat(path)
    found = {name: value for name, value in _constants(text, data)}
    meta = {k: json.loads(v) for k, v in _META.findall(text)}
    clip = _CLIP.search(text)
    if clip is None:
        raise ValueError(f"{path} does not take clips [1, 3, T, H, W]: no BILLNET")
    if any(name.startswith("net.") or name.endswith("stem.weight") for name in found):
        state = {name.removeprefix("net."): v for name, v in found.items()}
    else:
        state = _from_go(found)
    if "stem.weight" not in state or "lstm.wi" not in state:
        raise ValueError(f"{path} is no BILLNET with latent weights: its layers are not named as billc new and billnet.export name them (there is no stem or lstm)")
    config = json.loads(meta["billnet"]) if "billnet" in meta else _config(text, state, [int(n) for n in clip.groups()])
    net = BILLNET(**config)
    own = net.state_dict()
    for name, value in state.items():
        if name in own:
            if own[name].numel() != value.numel():
                raise ValueError(f"{path}: {name} has {list(value.shape)} elements, expected {list(own[name].shape)}")
            own[name] = value.reshape(own[name].shape)
    missing = [k for k in own if k not in state and not k.startswith("aux.") and not k.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: what was folded when it was exported cannot be trained again; export it with billnet.export")
    net.load_state_dict(own)
    labels = re.search(r"^labels (.*)$", text, re.M)
    net.labels = json.loads("[" + labels.group(1) + "]") if labels else []
    soft = meta.get("soft", "").split(",")
    for m in net.modules():
        if isinstance(m, Step):
            m.soft = m.role in soft and m.role in ROLES
    return net


def _flat(path: Path) -> tuple[str, bytes]:
    """The text of a network without blocks, and the data beside it."""
    if path.suffix == ".bill":
        text = path.read_text("utf-8")
        if not re.search(r"^(let|block) ", text, re.M):
            return text, _data(text, path.parent)
    with tempfile.TemporaryDirectory() as folder:
        flat = Path(folder) / "flat.bill"
        tools.run("billc", "compile", path, "--emit=ir", "--stop-after=none", "--ledger=none", "-o", flat)
        text = flat.read_text("utf-8")
        return text, _data(text, flat.parent)


def _data(text: str, folder: Path) -> bytes:
    named = re.search(r"^data (\"(?:[^\"\\]|\\.)*\")", text, re.M)
    return (folder / json.loads(named.group(1))).read_bytes() if named else b""


def _constants(text: str, data: bytes) -> Any:
    """The float constants of a text with their names."""
    for offset, splat, numbers, shape, name in _CONST.findall(text):
        dims = [int(d) for d in shape.split(",") if d]
        count = int(np.prod(dims, dtype=np.int64))
        if offset:
            if int(offset) + 4 * count > len(data):
                raise ValueError(f"the data of constant {name} end before it: the data file does not belong to the text")
            value = np.frombuffer(data, "<f4", count, int(offset))
        elif splat:
            value = np.full(count, float(splat), np.float32)
        else:
            value = np.array([float(v) for v in numbers.split(",") if v.strip()], np.float32)
            if value.size != count:
                continue
        yield json.loads(f'"{name}"'), torch.from_numpy(value.reshape(dims).copy())


_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}


def _from_go(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Constants by the names that the module has for them."""
    state = {}
    parts = [found.get(f"lstm.bn.beta.{k}") for k in ("i", "f", "go")]
    if all(p is not None for p in parts):
        found = {**found, "lstm.bn.beta": torch.cat([p for p in parts if p is not None])}
    for name, value in found.items():
        key: Optional[str] = name
        key = re.sub(r"^block(\d+)\.", r"blocks.\1.", name)
        key = re.sub(r"^widen(\d+)\.", lambda m: f"widen.{int(m.group(1)) - 1}.", key)
        key = re.sub(r"^blocks\.(\d+)\.t$", r"blocks.\1.select.threshold", key)
        norm = re.fullmatch(r"(.*)\bbn\.(gamma|beta|mean|var)", key)
        if norm:
            owner = norm.group(1)
            inner = re.search(r"(^|\.)(stem|features|a|b)\.$", owner)
            key = (owner[:-1] + "_bn." if inner else owner + "bn.") + _NORM[norm.group(2)]
        elif key.endswith(".w"):
            key = key[:-1] + "weight"
        state[key] = value
    return state


def _config(text: str, state: dict[str, torch.Tensor], clip: list[int]) -> dict[str, Any]:
    """The numbers of a network that the Go programs wrote, by its shapes and names."""
    stages = 1 + max((int(m.group(1)) for k in state for m in [re.match(r"blocks\.(\d+)\.", k)] if m), default=0)
    halvings = len(re.findall(r"max_pool .*kernel=\[2,2,2\]", text))
    wiring = "or" if "blocks.0.select.threshold" not in state else "mux" if 'loc("block0.new")' in text else "mux-or"
    return {
        "classes": state["fc.weight"].shape[0], "width": state["stem.weight"].shape[0], "hidden": state["lstm.wh"].shape[1],
        "per_group": state["blocks.0.f.b.weight"].shape[1], "stages": stages, "frames": clip[0], "height": clip[1], "columns": clip[2], "steps": clip[0] >> halvings,
        "wiring": wiring, "mid": "bits" if "blocks.0.f.a_bn.weight" in state else "linear",
    }  # fmt: skip
