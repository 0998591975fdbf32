"""Train BILLNETs in PyTorch and compile them to exact binary programs."""

from . import data, nn
from .exact import logits
from .export import check, export
from .fit import Report, Trainer, accuracy, densities, fit, harden, set_stage
from .load import load, restore, save
from .nn import BILLNET
from .program import Program, Verification, compile, compile_file, verify
from .stages import Stage, Stages
from .summary import Row, Summary, summary
from .tools import ToolError

__all__ = [
    "BILLNET", "Program", "Report", "Row", "Stage", "Stages", "Summary", "ToolError", "Trainer", "Verification", "accuracy", "check", "compile", "compile_file",
    "data", "densities", "export", "fit", "harden", "load", "logits", "nn", "restore", "save", "set_stage", "summary", "verify",
]  # fmt: skip
__version__ = "0.1.0"
