"""How layers compute: as usual, for an exporter, or exactly as compiled programs do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_state = threading.local()


def is_exact() -> bool:
    """Whether layers compute what the compiled program computes: see :func:`exact`."""
    return getattr(_state, "exact", False)


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Within this context, and without gradients, layers compute as compiled programs do.

    Maps of type float32 follow the order of operations of the program, one rounding each; maps of
    type float64 stand for real numbers, which programs decide on exactly: the sums over pixels.
    """
    before = is_exact()
    _state.exact = True
    try:
        with torch.no_grad():
            yield
    finally:
        _state.exact = before


def is_exporting() -> bool:
    """Whether one of PyTorch's exporters is at work, so that only plain operators may appear."""
    if torch.onnx.is_in_onnx_export() or torch.jit.is_tracing():  # type: ignore
        return True
    return bool(getattr(getattr(torch, "compiler", None), "is_exporting", lambda: False)())
