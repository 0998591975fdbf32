"""Networks as ONNX files."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional, Union

import torch
from torch import Tensor, nn

from .exact import require_hard
from .nn.network import BILLNET

PathLike = Union[str, "os.PathLike[str]"]

#: Modules without parameters, and float ones, that a network may hold beside those of billnet.nn.
_PLAIN = (
    nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.ReLU, nn.Softmax,
)  # fmt: skip


def check(net: nn.Module) -> None:
    """Raises TypeError with the path of the first module that no binary network can hold."""
    for path, module in net.named_modules():
        if type(module).__module__.split(".")[0] != "torch" or isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
            continue
        if not isinstance(module, _PLAIN):
            instead = {"Conv3d": "BinaryConv3d", "LSTM": "BinaryLSTM"}.get(type(module).__name__)
            raise TypeError(
                f"{path or 'the network'} is a {type(module).__name__}, which is not supported inside a binary network: "
                + (f"use billnet.nn.{instead}" if instead else "use the layers of billnet.nn, pooling and a last Linear")
                + ", or pass strict=False, and it stays float"
            )


class _Clips(nn.Module):
    """What is exported: the network, and its auxiliary head beside it."""

    def __init__(self, net: nn.Module, auxiliary: bool) -> None:
        super().__init__()
        self.net, self.auxiliary = net, auxiliary

    def forward(self, clip: Tensor) -> Any:
        if not self.auxiliary:
            return self.net(clip)
        assert isinstance(self.net, BILLNET)
        x = self.net.features(clip)
        return self.net.fc(self.net.lstm(x)), self.net.aux(x.mean(1))


def example_of(net: nn.Module, example: Optional[object]) -> Tensor:
    """One clip, of the shape given or that of a BILLNET."""
    if example is not None:
        t = torch.as_tensor(example)
        return t[:1].detach().cpu() if t.dim() == 5 else t.detach().cpu().unsqueeze(0)
    if isinstance(net, BILLNET):
        return torch.zeros((1, *net.config.clip), dtype=torch.uint8)
    raise ValueError(f"a {type(net).__name__} does not say the shape of its clips: give an example clip [3, T, H, W]")


def export(
    net: nn.Module, path: PathLike, example: Optional[object] = None, *, exporter: str = "auto", auxiliary: bool = False, strict: bool = True, opset: Optional[int] = None
) -> Path:
    """Writes a network as one ONNX file of plain operators, and returns its path.

    ``exporter`` is ``trace``, ``dynamo`` or ``auto``: trace, which is faster, where this PyTorch has it.
    Latent weights and norms stay as they are, so that ``billc train`` can go on with the file;
    ``auxiliary`` keeps a BILLNET's auxiliary head for that. ``strict`` refuses modules that stay float.
    """
    require_hard(net)
    if strict:
        check(net)
    if exporter not in ("auto", "trace", "dynamo"):
        raise ValueError(f"exporter is {exporter!r}, expected auto, trace or dynamo")
    takes = inspect.signature(torch.onnx.export).parameters
    if exporter == "auto":
        exporter = "trace" if hasattr(torch.onnx, "TrainingMode") else "dynamo"
    if exporter == "dynamo" and not has_dynamo():
        raise RuntimeError(f"PyTorch {torch.__version__} has no dynamo exporter, or onnxscript is not installed: use exporter='trace', or PyTorch 2.6 or later with onnxscript")
    clip = example_of(net, example)
    wrapped = _Clips(net, auxiliary)
    options: dict[str, Any] = {"input_names": ["clip"], "output_names": ["logits", "aux"] if auxiliary else ["logits"]}
    if opset:
        options["opset_version"] = opset
    if exporter == "dynamo":
        options |= {"dynamo": True, "custom_translation_table": _translations()}
        options |= {k: v for k, v in {"optimize": False, "external_data": False, "verbose": False}.items() if k in takes}
    else:
        options |= {"do_constant_folding": False, "training": torch.onnx.TrainingMode.EVAL, "opset_version": opset or 13}
        options |= {"dynamo": False} if "dynamo" in takes else {}
    training, device = net.training, next(net.parameters(), clip).device
    wrapped.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(wrapped, (clip.to(device),), os.fspath(path), **options)
    finally:
        net.train(training)
    _describe(Path(path), net)
    return Path(path)


def _translations() -> dict[Any, Any]:
    """conv3d without a bias as Conv without one: the exporter's own gives it a bias of a wrong shape, until it optimizes."""
    from onnxscript import opset18 as op

    def conv3d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
        three = lambda v: [v] * 3 if isinstance(v, int) else list(v) * (3 // len(v))  # noqa: E731
        operands = [x, weight] if bias is None else [x, weight, bias]
        return op.Conv(*operands, strides=three(stride), pads=three(padding) * 2, dilations=three(dilation), group=groups)

    return {torch.ops.aten.conv3d.default: conv3d}


def has_dynamo() -> bool:
    """Whether this PyTorch has the exporter and the packages that it needs."""
    return "custom_translation_table" in inspect.signature(torch.onnx.export).parameters and importlib.util.find_spec("onnxscript") is not None


def _describe(path: Path, net: nn.Module) -> None:
    """Adds metadata: a protobuf message may go on with further fields, here metadata_props (14)."""
    meta = {}
    if isinstance(net, BILLNET):
        meta["billnet"] = json.dumps(asdict(net.config))
    if getattr(net, "labels", None):
        meta["labels"] = ",".join(net.labels)  # type: ignore[arg-type]
    with open(path, "ab") as f:
        for key, value in meta.items():
            f.write(_field(14, _field(1, key.encode()) + _field(2, value.encode())))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(v: int) -> bytes:
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])
