"""The tutorial, the example and the package's document run as they stand."""

from __future__ import annotations

import json
import os
import re
import runpy
from pathlib import Path

import pytest

from billnet import tools

PYTHON = Path(__file__).parents[1]


def test_tutorial():
    scope: dict = {}
    for cell in json.loads((PYTHON / "examples" / "tutorial.ipynb").read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "tutorial.ipynb", "exec"), scope)


def test_folder(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    tools.run("billc", "clips", "-o", "set", "--data=gestures{classes=2}", "--frames=8", "--height=24", "--columns=32", "--clips=4")
    runpy.run_path(str(PYTHON / "examples" / "folder.py"))["main"](os.fspath(tmp_path / "set"), 2)
    assert (tmp_path / "folder.billb").exists()


def test_readme():
    blocks = re.findall(r"```python\n(.*?)```", (PYTHON / "README.md").read_text("utf-8"), re.S)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(re.sub(r"steps=\d\d+", "steps=1", block), "README.md", "exec"), {})
