"""Layers of binary video networks: ordinary modules, soft or hard, that export to plain ONNX operators."""

from .conv import CF, BinaryConv3d, Pixels
from .gates import MOR, TGAP, FrameMean
from .lstm import BinaryLSTM, Scores
from .modes import exact, is_exact, is_exporting
from .network import BILLNET, Config
from .norm import Norm, StepNorm
from .step import ROLES, SURROGATES, Heaviside, Sign, Step, Surrogate

__all__ = [
    "BILLNET",
    "BinaryConv3d",
    "BinaryLSTM",
    "CF",
    "Config",
    "FrameMean",
    "Heaviside",
    "MOR",
    "Norm",
    "Pixels",
    "ROLES",
    "SURROGATES",
    "Scores",
    "Sign",
    "Step",
    "StepNorm",
    "Surrogate",
    "TGAP",
    "exact",
    "is_exact",
    "is_exporting",
]
