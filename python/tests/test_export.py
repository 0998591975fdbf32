"""Whatever is exported compiles to the same bits."""

from __future__ import annotations

import gc
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from conftest import SMALL, clips_of, trained

import billnet
from billnet import nn
from billnet.export import has_dynamo

EXPORTERS = ["trace"] + ["dynamo"] * has_dynamo()


class Own(torch.nn.Module):
    """A random network made of the layers, as a user writes one."""

    def __init__(self, r: random.Random) -> None:
        super().__init__()
        causal = r.random() < 0.3
        width = r.choice([3, 4, 6, 8])
        self.clip = (3, r.choice([1, 3, 4]), r.choice([5, 8, 9]), r.choice([6, 8, 11]))
        self.front = torch.nn.Sequential(
            nn.Pixels(), nn.BinaryConv3d(3, width, r.choice([1, 3, (1, 3, 3)]), stride=(1, r.choice([1, 2]), r.choice([1, 2])), causal=causal), nn.Norm(width), nn.Heaviside()
        )
        layers = []
        for _ in range(r.choice([1, 2])):
            groups = r.choice([g for g in (1, 2, 3, 4) if width % g == 0])
            kind = r.choice(["conv", "cf", "mor", "mor", "pool"])
            if kind == "conv":
                layers += [nn.BinaryConv3d(width, width, r.choice([1, 3]), stride=(1, 1, r.choice([1, 2])), groups=groups, causal=causal), nn.Norm(width), nn.Heaviside()]
            elif kind == "cf":
                layers.append(nn.CF(width, 2 * width, width // groups, r.choice(["linear", "bits"]), causal))
                width *= 2
            elif kind == "mor":
                layers.append(nn.MOR(width, width // groups, r.choice(["mux-or", "or", "mux"]), r.choice(["linear", "bits"]), causal, r.choice(["clip", "frame", "running"])))
            else:
                layers.append(torch.nn.MaxPool3d((1, 2, 2), ceil_mode=bool(layers)))  # of as little as one pixel
        self.body = torch.nn.Sequential(*layers, nn.FrameMean(), nn.Norm(width), nn.Heaviside())
        hidden = r.choice([1, 3, 8])
        self.lstm = nn.BinaryLSTM(width, hidden, sign0=r.choice([1, 1, 0, -1]))
        self.last = nn.Scores(hidden, r.choice([2, 5]))

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(self.body(self.front(clip)).transpose(1, 2)))


def network(i: int) -> torch.nn.Module:
    """The i-th random network: every other one is a BILLNET."""
    r = random.Random(i)
    torch.manual_seed(i)
    if i % 2:
        net: torch.nn.Module = Own(r)
        clip = net.clip
    else:
        per = r.choice([1, 2, 3])
        net = billnet.BILLNET(
            classes=r.choice([2, 3, 7]), width=per * r.choice([1, 2, 4]), hidden=r.choice([1, 4, 9]), per_group=per, stages=r.choice([1, 2]), frames=4, steps=4,
            height=r.choice([8, 9, 11]), columns=r.choice([8, 13]), wiring=r.choice(["mux-or", "or", "mux"]), mid=r.choice(["linear", "bits"]), causal=r.random() < 0.4, sign0=r.choice([1, 0, -1]),
        )  # fmt: skip
        clip = net.config.clip
    net.clips = clips_of(clip, 4, seed=i)
    return trained(net, net.clips, seed=i)


def pytest_generate_tests(metafunc):
    if "config" in metafunc.fixturenames:
        metafunc.parametrize("config", range(metafunc.config.getoption("configs")))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_random_networks(config, exporter):
    net = network(config)
    program = billnet.compile(net, net.clips[0], exporter=exporter)  # strict-binary
    found = billnet.verify(net, program, net.clips)
    assert found, found.difference
    # The module's own float arithmetic agrees, but where a norm rounds across its threshold.
    assert torch.allclose(net(net.clips), program(net.clips), atol=1e-5)


@pytest.mark.skipif(not has_dynamo(), reason="this PyTorch has no dynamo exporter, or onnxscript is missing")
def test_plain_export_with_folded_norms(small, tmp_path):
    """PyTorch's own call folds norms into weights; that is strict-binary too."""
    path, clips = tmp_path / "plain.onnx", clips_of(small.config.clip)
    torch.onnx.export(small, (clips[:1],), str(path), dynamo=True, external_data=False, verbose=False)
    program = billnet.compile_file(path, tmp_path / "plain.billb")
    assert torch.allclose(program(clips), small.logits(clips), atol=1e-5)


def test_one_clip_numpy_and_float(small):
    program, clips = billnet.compile(small), clips_of(small.config.clip)
    want = small.logits(clips)
    assert torch.equal(program(clips.numpy()), want)
    assert torch.equal(program(clips.float()), want)
    assert torch.equal(program(clips[1]), want[1:2])
    assert program(clips[:0]).shape == (0, 3)


def test_programs_wait_for_the_next_call(small):
    """One process serves all calls, is not shared with copies, and comes back when it was stopped or killed."""
    clips = clips_of(small.config.clip, 200)
    with billnet.compile(small) as program:
        want = small.logits(clips)
        assert torch.equal(program(clips), want)
        process = program._pipe.process
        assert torch.equal(program(clips[:3]), want[:3]) and program._pipe.process is process
        with ThreadPoolExecutor(4) as pool:
            assert all(torch.equal(a, want[i : i + 9]) for i, a in zip(range(0, 90, 9), pool.map(lambda i: program(clips[i : i + 9]), range(0, 90, 9))))
        again = pickle.loads(pickle.dumps(program))
        assert torch.equal(again(clips), want) and again._pipe.process is not process
        process.kill()
        process.wait()
        with pytest.raises(billnet.ToolError, match="billrun"):
            program(clips)
        assert torch.equal(program(clips), want)
        process = program._pipe.process
    assert process.poll() is not None
    process = again._pipe.process
    del again
    gc.collect()
    assert process.poll() is not None


def test_images_and_sound(tmp_path):
    """An image is a clip of one frame, sound one of single pixels."""
    image = torch.nn.Sequential(
        nn.Pixels(), nn.BinaryConv3d(1, 8, (1, 3, 3), stride=(1, 2, 2)), nn.Norm(8), nn.Heaviside(), torch.nn.MaxPool3d((1, 2, 2)), nn.CF(8, 16, 4), nn.MOR(16, 4),
        nn.FrameMean(), nn.Norm(16), nn.Heaviside(), torch.nn.Flatten(), nn.Scores(16, 10),
    )  # fmt: skip
    sound = torch.nn.Sequential(
        nn.Pixels(), nn.BinaryConv3d(2, 8, (5, 1, 1), stride=(2, 1, 1), causal=True), nn.Norm(8), nn.Heaviside(), torch.nn.MaxPool3d((2, 1, 1)),
        nn.BinaryConv3d(8, 8, (3, 1, 1), groups=4, causal=True), nn.Norm(8), nn.Heaviside(), nn.FrameMean(), Transpose(), nn.BinaryLSTM(8, 6), nn.Scores(6, 3),
    )  # fmt: skip
    for net, shape in ((image, (1, 1, 20, 20)), (sound, (2, 16, 1, 1))):
        clips = clips_of(shape, 6)
        trained(net, clips)
        for exporter in EXPORTERS:
            found = billnet.verify(net, billnet.compile(net, clips[0], exporter=exporter), clips)
            assert found, found.difference
        assert billnet.summary(net, clips[0]).total("binary_macs") > 0


class Transpose(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


def test_labels_and_numbers_travel(small, tmp_path):
    small.labels = ["left", "right", "none"]
    program = billnet.compile(small, path=tmp_path / "small.billb")
    assert program.labels == small.labels and program.shape == small.config.clip
    assert (tmp_path / "small.billb").exists()


def test_soft_networks_are_not_compiled(small):
    small.act.soft = True
    with pytest.raises(ValueError, match="activation of the network are soft"):
        billnet.compile(small)
    with pytest.raises(ValueError, match="activation"):
        small.logits(clips_of(small.config.clip))


def test_unsupported_modules_are_named(small, tmp_path):
    small.blocks[1].f.c = torch.nn.Conv3d(8, 8, 1)
    with pytest.raises(TypeError, match=r"blocks\.1\.f\.c is a Conv3d.*BinaryConv3d"):
        billnet.compile(small)
    program = billnet.compile(small, strict=False)
    clips = clips_of(small.config.clip)
    assert torch.allclose(program(clips), small(clips), atol=1e-4)


def test_float_layers_are_refused(small):
    """A float layer of a supported kind is found by the compiler."""
    net = torch.nn.Sequential(small.pixels, small.stem, torch.nn.ReLU(), small.blocks[0], nn.FrameMean(), torch.nn.Flatten(), nn.Scores(16, 2)).eval()
    with pytest.raises(billnet.ToolError, match="(?s)float"):
        billnet.compile(net, clips_of(small.config.clip))


def test_wrong_clips_are_refused(small):
    program, clips = billnet.compile(small), clips_of(small.config.clip)
    with pytest.raises(ValueError, match=r"clips have shape \[3, 3, 4, 8, 9\], expected \[N, 3, 4, 8, 10\]"):
        small(clips[..., 1:])
    with pytest.raises(ValueError, match=r"clips have shape \[3, 3, 4, 8, 9\], network.billb takes \[N, 3, 4, 8, 10\]"):
        program(clips[..., 1:])
    with pytest.raises(ValueError, match="expected the bytes 0 to 255"):
        program(clips / 255)


def test_verify_says_where_they_part(small):
    program, clips = billnet.compile(small), clips_of(small.config.clip)
    with torch.no_grad():
        small.fc.bias[1] += 1
    found = billnet.verify(small, program, clips)
    assert not found and "clip 0, class 1" in found.difference and "the export and the network differ" in found.difference


def test_without_programs(monkeypatch, small, tmp_path):
    monkeypatch.setenv("BILLNET_BIN", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="BILLNET_BIN"):
        billnet.compile(small)
    monkeypatch.delenv("BILLNET_BIN")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(billnet.tools, "__file__", str(tmp_path / "tools.py"))
    with pytest.raises(FileNotFoundError, match="installed from source without Go"):
        billnet.compile(small)


def test_numbers_that_do_not_fit():
    for change, text in [
        ({"width": 5}, "per_group=2 does not divide width=5"), ({"steps": 3}, "2 stages can make 4 frames into 4 or 2"), ({"height": 6}, "too few"), ({"classes": 0}, "classes is 0"),
        ({"wiring": "and"}, "expected mux-or, or, mux"), ({"mid": "float"}, "expected linear or bits"), ({"sign0": 2}, "sign of 0"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            billnet.BILLNET(**{**SMALL, **change})
    with pytest.raises(TypeError, match="no option depth"):
        billnet.BILLNET(depth=3)
