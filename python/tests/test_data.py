"""Clips: the generator's bytes, folders, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import billnet
from billnet import tools
from billnet.data import Clips, Source, frames_taken

SIZE = dict(frames=4, height=8, columns=10)


def test_gestures_are_those_of_go(tmp_path):
    source = Source("gestures{classes=5,seed=3}", **SIZE)
    flags = ["--data", source.spec, "--frames=4", "--height=8", "--columns=10"]
    tools.run("billc", "clips", "-o", tmp_path / "c.npy", *flags, "--clips=7", "--split=val")
    clips, labels = next(source.once("val", 7, 7))
    assert np.array_equal(np.load(tmp_path / "c.npy"), clips.numpy())
    assert np.array_equal(np.load(tmp_path / "c.labels.npy"), labels.numpy())
    assert len(source.classes) == 5 and source.length("train") is None and source.length("val") == 1000


def test_processes_share_a_stream():
    source = Source("gestures{classes=5}", **SIZE)
    whole = torch.cat([c for c, _ in itertools.islice(source.batches("train", 6, seed=4, start=1), 2)])
    parts = [torch.cat([c for c, _ in itertools.islice(source.batches("train", 2, 4, 1, k, 3), 2)]) for k in range(3)]
    assert torch.equal(whole, torch.stack(parts, 1).flatten(0, 1))


def test_data_that_are_not_there():
    with pytest.raises(billnet.ToolError, match="nowhere"):
        Source("nowhere", **SIZE)


def jpegs(folder, n):
    image = pytest.importorskip("PIL.Image")
    folder.mkdir(parents=True)
    for k in range(n):
        image.fromarray(np.full((20, 30, 3), 20 * k, np.uint8)).save(folder / f"{k + 1:05}.jpg")


def test_jester(tmp_path):
    (tmp_path / "jester-v1-labels.csv").write_text("Swiping Left\nNo gesture\n")
    (tmp_path / "jester-v1-train.csv").write_text("7;No gesture\n8;Swiping Left\n")
    (tmp_path / "jester-v1-validation.csv").write_text("9;Swiping Left\n")
    for name in ("7", "8", "9"):
        jpegs(tmp_path / "20bn-jester-v1" / name, 8)
    clips = Clips.jester(tmp_path, **SIZE)
    clip, label = clips[0]
    assert len(clips) == 2 and label == 1 and clip.shape == (3, 4, 8, 10) and clip.dtype == torch.uint8
    # Both readers take the same frames.
    assert [int(v) // 20 for v in clip[0, :, 4, 5].int() + 3] == frames_taken(8, 4) == [1, 3, 5, 7]
    source = Source(f"jester:{tmp_path}{{augment=false}}", **SIZE)
    streamed, labels = next(source.once(source.validation, 1))
    assert labels.tolist() == [0] and torch.allclose(streamed[0].float(), clips[1][0].float(), atol=2)
    (tmp_path / "jester-v1-train.csv").write_text("7;Waving\n")
    with pytest.raises(ValueError, match=r"jester-v1-train.csv:1: unknown label 'Waving'"):
        Clips.jester(tmp_path)


def test_folders(tmp_path):
    tools.run("billc", "clips", "-o", tmp_path / "set", "--data=gestures{classes=2}", "--frames=4", "--height=8", "--columns=10", "--clips=4")
    pytest.importorskip("PIL")
    clips = Clips.folder(tmp_path / "set", **SIZE)
    assert clips.classes == ["Swiping Left", "Swiping Right"] and len(clips) == 4
    x, y = next(iter(torch.utils.data.DataLoader(clips, batch_size=4)))
    assert x.shape == (4, 3, 4, 8, 10) and y.tolist() == [0, 0, 1, 1]
    np.save(tmp_path / "set" / "Swiping Left" / "a.npy", np.zeros((3, 4, 8, 9), np.uint8))
    with pytest.raises(ValueError, match=r"a.npy holds uint8\[3, 4, 8, 9\], expected uint8\[3, 4, 8, 10\]"):
        [clips[i] for clips in [Clips.folder(tmp_path / "set", **SIZE)] for i in range(len(clips))]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no folders"):
        Clips.folder(tmp_path / "empty")


def test_videos(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for k in range(8):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 30 * k, np.uint8), format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    clip = billnet.data.read_clip(tmp_path / "v.mp4", **SIZE)
    assert clip.shape == (3, 4, 8, 10) and abs(int(clip[0, 1, 4, 5]) - 90) < 12
