"""The command."""

from __future__ import annotations

import numpy as np
from conftest import clips_of

import billnet
from billnet.__main__ import main


def test_compile_and_check(small, tmp_path, capsys):
    billnet.export(small, tmp_path / "n.onnx")
    np.save(tmp_path / "c.npy", clips_of(small.config.clip).numpy())
    assert main(["compile", str(tmp_path / "n.onnx"), "--check", str(tmp_path / "c.npy")]) == 0
    assert "3 clips: equal" in capsys.readouterr().out
    assert (tmp_path / "n.billb").exists()
    assert main(["summary", str(tmp_path / "n.onnx")]) == 0
    assert "BinaryLSTM" in capsys.readouterr().out
    assert main(["compile", str(tmp_path / "none.onnx")]) == 1
    assert "none.onnx" in capsys.readouterr().err


def test_train(tmp_path, capsys):
    common = [
        "train",
        "-o",
        str(tmp_path / "n.billb"),
        "--data",
        "gestures{classes=2,val=4,test=4}",
        "--frames=4",
        "--steps=2",
        "--net-stages=2",
        "--height=8",
        "--columns=8",
        "--width=4",
    ]
    common += ["--per-group=2", "--hidden=4", "--batch=2", "--eval-clips=4"]
    stages = "float{steps=2,recalibrate=1}, all{steps=2,recalibrate=1}"
    assert main([*common, "--stages", stages]) == 0
    assert "% of 4 validation clips" in capsys.readouterr().out
    assert billnet.Program(tmp_path / "n.billb").labels == ["Swiping Left", "Swiping Right"]
    assert main([*common, "--stages", stages, "--resume"]) == 0
    again = [*common[:-6], "--stages", "all{steps=2,recalibrate=1}", "--net", str(tmp_path / "n.billb.run" / "2-all.pt"), "--teacher", str(tmp_path / "n.billb.run" / "1-float.pt")]
    again = [w for w in again if w.split("=")[0] not in ("--width", "--steps", "--net-stages")] + ["--batch=2", "--eval-clips=4"]
    assert main([*again, "--run-dir", str(tmp_path / "again")]) == 0
    assert main([*again, "--width=8"]) == 1
    assert "width of the network are those of" in capsys.readouterr().err
    for wrong, text in [(["--stages", "float"], "are soft"), (["--stages", "foo"], "unknown stage"), (["--data", "nowhere"], "nowhere"), (["--width", "5"], "does not divide")]:
        assert main([*common, *wrong]) == 1
        assert text in capsys.readouterr().err
