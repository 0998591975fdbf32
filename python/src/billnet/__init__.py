"""Train BILLNETs in PyTorch and compile them to exact binary programs."""

from . import nn
from .exact import logits
from .export import check, export
from .nn import BILLNET
from .program import Program, Verification, compile, compile_file, verify
from .summary import Row, Summary, summary
from .tools import ToolError

__all__ = ["BILLNET", "Program", "Row", "Summary", "ToolError", "Verification", "check", "compile", "compile_file", "export", "logits", "nn", "summary", "verify"]
__version__ = "0.1.0"
