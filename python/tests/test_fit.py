"""Stages, training, resuming, several processes, and the same curves as the Go trainer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import SMALL, clips_of, trained

import billnet
from billnet import Stages, tools
from billnet.stages import describe

SIZE = dict(frames=4, height=8, columns=10)
GESTURES = "gestures{classes=3,val=12,test=12}"


@pytest.fixture(scope="module")
def source(programs):
    return billnet.data.Source(GESTURES, **SIZE)


def test_stages_are_those_of_go(tmp_path):
    net = tmp_path / "net.bill"
    tools.run("billc", "new", "--width=8", "--stages=1", "--frames=4", "--steps=4", "--height=8", "--columns=8", "--hidden=4", "-o", net)
    assert describe() in tools.run("billc", "train", net, "--describe").decode()


def test_stages_text():
    s = Stages.parse("float{steps=10, slope=3}, all{rate=0.5,margin=5%,schedule=step,optimizer=sgd}")
    assert [x.name for x in s] == ["float", "all"] and s[1].slope == 3 and s[1].margin == 0.05
    assert str(Stages.parse(str(s))) == str(s)
    assert Stages.parse("float, all{steps=3}", epochs=2)[0].epochs == 2 and Stages.parse("all{steps=3}", epochs=2)[0].epochs == 0
    assert Stages.parse("float{epochs=2}")[0].with_length(33, 16).steps == 5
    assert [round(Stages.parse("float{steps=4,warmup=2,rate=1}")[0].rate_at(i), 3) for i in range(4)] == [0.5, 1, 1, 0.5]


@pytest.mark.parametrize(
    "text, error",
    [
        ("", r"1:1: found the end of the text"), ("foo", r"1:1: unknown stage 'foo', expected float"), ("all{x=1}", r"1:5: stage all has no option 'x', it has steps"),
        ("all{rate=11}", r"1:10: rate=11, expected a number from 0 to 10"), ("all{steps=1.5}", "expected a whole number"), ("all{steps=1,epochs=1}", "give one of them"),
        ("all{steps=1,steps=2}", "given twice"), ("all{schedule=up}", "unknown schedule 'up'"), ("float all", "found 'all'"), ("all{rate=nan}", "expected a number"),
    ],
)  # fmt: skip
def test_stages_errors(text, error):
    with pytest.raises(ValueError, match=error):
        Stages.parse(text)


def rows(path):
    with open(path) as f:
        return list(csv.DictReader(f))


def test_the_curves_of_go(tmp_path, source):
    """From the same first weights on the same clips, loss and accuracy are those of billc train."""
    stages = "float{steps=40,aux=0,slope=2}, activations{steps=20,aux=0,rate=0.002}, all{steps=20,aux=0,rate=0.002}"
    sizes = [f"--{k}={v}" for k, v in {"width": 4, "per-group": 2, "hidden": 5, "stages": 2, "steps": 2, "classes": 3, **SIZE}.items()]
    tools.run("billc", "new", *sizes, "-o", tmp_path / "net.bill")
    tools.run("billc", "train", tmp_path / "net.bill", "-o", tmp_path / "go.bill", "--data", GESTURES, "--stages", stages, "--batch=6", "--threads=1")
    net = billnet.load(tmp_path / "net.bill")
    trainer = billnet.Trainer(net, folder=tmp_path / "run", batch=6)
    for stage in Stages.parse(stages):
        trainer.fit(stage, source)
    ours, theirs = rows(tmp_path / "run" / "log.csv"), rows(tmp_path / "go.bill.run" / "log.csv")
    assert ours[0].keys() == theirs[0].keys()
    assert [r["step"] for r in ours] == [r["step"] for r in theirs]
    # Within a stage, too, accuracy is measured on validation clips at the same steps.
    assert [bool(r["validation"]) for r in ours] == [bool(r["validation"]) for r in theirs] == [True] * len(ours)
    assert ours[0]["validation"] == theirs[0]["validation"]
    # Soft, the two agree to rounding; one bit that flips near a threshold makes ways part later on.
    for a, b in zip(ours[:2], theirs[:2]):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-3)
    for a, b in zip(ours[2:], theirs[2:]):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=0.1)


def small(seed=1):
    torch.manual_seed(seed)
    return billnet.BILLNET(**SMALL)


STAGES = "float{steps=9,recalibrate=2}, activations{steps=3,recalibrate=2,warmup=2}, all{steps=7,recalibrate=2,rate=0.002}"


def run(folder, source, net=None, **options):
    net = net or small()
    trainer = billnet.Trainer(net, folder=folder, batch=6, note=lambda _: None, **options)
    return net, [trainer.fit(s, source) for s in Stages.parse(STAGES)]


class Killed(Exception):
    pass


def test_a_killed_run_resumes(tmp_path, source):
    """Killed anywhere, it goes on to the same bits."""
    whole, reports = run(tmp_path / "whole", source)
    assert reports[2].gates and reports[0].accuracy is not None
    for at in (0, 4, 9, 11, 17):
        folder, steps = tmp_path / str(at), 0

        def die(*_):
            nonlocal steps
            steps += 1
            if steps > at:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(billnet.fit.__globals__["Trainer"], "_row", lambda self, *a, row=billnet.Trainer._row: (die(), row(self, *a)))
            with pytest.raises(Killed):
                run(folder, source, every=3)
        again, _ = run(folder, source, net=small(seed=99), every=3, resume=True)
        assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values())), at
    # The folder has the network after every stage.
    after = billnet.load(tmp_path / "whole" / "2-activations.pt")
    assert not after.act.soft and after.stem.sign.soft and after.lstm.gate.soft
    last = billnet.load(tmp_path / "whole" / "3-all.pt")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), last.state_dict().values()))
    found = json.loads((tmp_path / "whole" / "stages.json").read_text())
    assert [r["stage"] for r in found] == ["float", "activations", "all"] and found[2]["gates"]
    with pytest.raises(ValueError, match="other settings: seed .then 1, now 2"):
        billnet.Trainer(small(), folder=tmp_path / "whole", batch=6, seed=2, resume=True)
    with pytest.raises(ValueError, match="stage 1 of the checkpoint is float"):
        billnet.Trainer(small(), folder=tmp_path / "whole", batch=6, resume=True).fit(Stages.parse("all")[0], source)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        billnet.Trainer(small(), folder=tmp_path / "none", resume=True)


@pytest.mark.skipif(torch.__version__ < "2" and sys.version_info >= (3, 11), reason="torchrun of PyTorch 1 does not start on this Python")
def test_two_processes_equal_one(tmp_path):
    """torchrun with two processes and gloo: the same global batch, the same curve within float error."""
    command = [
        "billnet",
        "train",
        "--data",
        GESTURES,
        "--batch=6",
        "--eval-clips=6",
        "--device=cpu",
        "--width=4",
        "--hidden=5",
        "--per-group=2",
        "--net-stages=2",
        "--steps=2",
        "--stages",
        STAGES,
    ]
    command += [f"--{k}={v}" for k, v in SIZE.items()]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in [str(Path(billnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")] if p)}
    for name, start in {"one": ["-m"], "two": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]}.items():
        subprocess.run([sys.executable, *start, *command, "-o", str(tmp_path / f"{name}.onnx")], check=True, env=env, capture_output=True, timeout=300)
    one, two = rows(tmp_path / "one.onnx.run" / "log.csv"), rows(tmp_path / "two.onnx.run" / "log.csv")
    assert len(one) == 3
    for a, b in zip(one, two):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-3) and a["step"] == b["step"]


def test_plain_loaders_teachers_and_amp(tmp_path):
    """Loaders of PyTorch; a network of one's own with one result; a teacher that is given."""
    clips, labels = clips_of((3, 4, 8, 10), 8), torch.arange(8) % 3
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(clips, labels), batch_size=4)
    net = small()
    with pytest.raises(ValueError, match="learns from a teacher"):
        billnet.fit(small(), Stages.parse("all{steps=1}")[0], loader)
    for stage in Stages.parse("float{epochs=2,recalibrate=1}, all{steps=2,recalibrate=1,optimizer=sgd,rate=0.01}"):
        report = billnet.fit(net, stage, loader, loader)
    assert report.stage == "all" and report.clips == 8
    assert billnet.verify(net, billnet.compile(net), clips)
    other = small(2)
    trainer = billnet.Trainer(other, teacher=net, amp=True, batch=4)
    assert trainer.fit(Stages.parse("all{steps=2,recalibrate=1}")[0], loader).loss > 0


def test_soft_networks_travel(tmp_path):
    """What a stage of billc train left soft is soft, with the logits of the training engine."""
    tools.run(
        "billc", "new", "--width=4", "--per-group=2", "--hidden=5", "--stages=2", "--steps=2", "--frames=4", "--height=8", "--columns=10", "--classes=3", "-o", tmp_path / "n.bill"
    )
    tools.run("billc", "train", tmp_path / "n.bill", "-o", tmp_path / "t.bill", "--data", GESTURES, "--stages=float{steps=2}, all{steps=2}", "--eval-clips=6", "--batch=4")
    soft = billnet.load(tmp_path / "t.bill.run" / "1-float.bill")
    assert soft.act.soft and soft.lstm.sign.soft
    with pytest.raises(ValueError, match="are soft"):
        billnet.compile(soft)
    hard = billnet.load(tmp_path / "t.bill")
    assert hard.labels == ["Swiping Left", "Swiping Right", "Swiping Up"]
    program = billnet.compile_file(tmp_path / "t.bill", tmp_path / "t.billb")
    clips = clips_of(hard.config.clip)
    assert billnet.verify(hard, program, clips)


@pytest.mark.parametrize("exporter", ["trace"])
def test_go_trains_on(small, tmp_path, exporter):
    """An export goes on in Go, with its auxiliary head, and comes back."""
    path = billnet.export(small, tmp_path / "x.onnx", auxiliary=True, exporter=exporter)
    before = billnet.load(path)
    assert before.config == small.config
    own = small.state_dict()
    assert all(torch.equal(v, own[k]) for k, v in before.state_dict().items() if not k.startswith("aux.") and "num_batches" not in k)
    tools.run("billc", "train", path, "-o", tmp_path / "y.bill", "--data", GESTURES, "--stages=all{steps=2,distill=0}", "--eval-clips=6", "--batch=4")
    after = billnet.load(tmp_path / "y.bill")
    assert not torch.equal(after.stem.weight, small.stem.weight)
    program = billnet.compile_file(tmp_path / "y.bill", tmp_path / "y.billb")
    assert billnet.verify(after, program, clips_of(small.config.clip))


def test_weights_for_clips_of_another_size(tmp_path):
    """Nothing in a BILLNET depends on the size of clips but the pooling of time."""
    net = trained(small(), clips_of((3, 4, 8, 10)))
    net.labels = ["a", "b", "c"]
    billnet.export(net, tmp_path / "n.onnx")
    billnet.save(billnet.set_stage(net, Stages.parse("float{slope=3}")[0]) or net, tmp_path / "n.pt")
    for name, soft in [("n.onnx", False), ("n.pt", True)]:
        other = billnet.load(tmp_path / name, height=16, columns=12, frames=8)
        assert other.config.clip == (3, 8, 16, 12) and other.config.steps == 4 and other.labels == net.labels
        assert other.act.soft == other.lstm.gate.soft == soft and other.lstm.gate.slope == (3 if soft else 1)
        assert all(torch.equal(v, net.state_dict()[k]) for k, v in other.state_dict().items() if k[:3] != "aux" and "num_" not in k)
        assert other(clips_of((3, 8, 16, 12))).shape == (3, 3)
    with pytest.raises(ValueError, match="too few"):
        billnet.load(tmp_path / "n.pt", height=4)
    billnet.save(torch.nn.Linear(1, 1), tmp_path / "l.pt")
    with pytest.raises(ValueError, match="weights of a Linear"):
        billnet.load(tmp_path / "l.pt")
    for junk in (b"", b"no", (tmp_path / "n.pt").read_bytes()[:99]):
        (tmp_path / "x.pt").write_bytes(junk)
        with pytest.raises(ValueError, match="x.pt is no file of billnet.save"):
            billnet.load(tmp_path / "x.pt")


def test_other_files_are_no_billnets(tmp_path):
    with pytest.raises(tools.ToolError):
        (tmp_path / "x.onnx").write_bytes(b"no")
        billnet.load(tmp_path / "x.onnx")
    net = torch.nn.Sequential(billnet.nn.Pixels(), billnet.nn.BinaryConv3d(3, 2), billnet.nn.FrameMean(), torch.nn.Flatten(), billnet.nn.Scores(8, 2)).eval()
    billnet.export(net, tmp_path / "y.onnx", clips_of((3, 4, 5, 5)))
    with pytest.raises(ValueError, match="no BILLNET"):
        billnet.load(tmp_path / "y.onnx")
