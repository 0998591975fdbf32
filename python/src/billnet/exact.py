"""What a module's compiled program computes, computed by the module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .nn.modes import exact
from .nn.step import Step


def soft_roles(net: nn.Module) -> list[str]:
    """The roles of a network that are soft, in the order of :data:`billnet.nn.ROLES`."""
    from .nn.step import ROLES

    found = {m.role for m in net.modules() if isinstance(m, Step) and m.soft}
    return [r for r in ROLES if r in found]


def require_hard(net: nn.Module) -> None:
    """Raises ValueError where something is soft: compiling would change what is computed."""
    soft = soft_roles(net)
    if soft:
        raise ValueError(f"{', '.join(soft)} of the network are soft, as a stage left them; compiled they are hard: train a last stage in which all is hard (all)")


def as_bytes(clips: object) -> Tensor:
    """Clips [N, 3, T, H, W], or one [3, T, H, W], of whole numbers 0..255 as a tensor of bytes."""
    t = torch.as_tensor(np.asarray(clips)) if not isinstance(clips, Tensor) else clips.detach().cpu()
    if t.dtype != torch.uint8:
        b = t.to(torch.uint8)
        if not torch.equal(b.to(t.dtype), t):
            raise ValueError(f"clips are {t.dtype} from {float(t.min()):g} to {float(t.max()):g}, expected the bytes 0 to 255 of their pixels")
        t = b
    return t.unsqueeze(0) if t.dim() == 4 else t


def logits(net: nn.Module, clips: object, batch: int = 16) -> Tensor:
    """The logits of clips [N, 3, T, H, W] of bytes, as the compiled program computes them: [N, classes].

    Sums are exact, norms follow the program's order of operations. The result lies on the CPU.
    """
    require_hard(net)
    data = as_bytes(clips)
    where = {p.device for p in net.parameters()} or {torch.device("cpu")}
    if where != {torch.device("cpu")}:
        import copy

        net = copy.deepcopy(net).cpu()
    training = net.training
    net.eval()
    try:
        with exact():
            return torch.cat([net(data[i : i + batch]).float() for i in range(0, len(data), batch)])
    finally:
        net.train(training)
