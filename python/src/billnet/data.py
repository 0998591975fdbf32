"""Clips to train on: what ``billc clips`` streams, and data sets for PyTorch's own loaders."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import tools

Batch = tuple[Tensor, Tensor]


class Source:
    """A data set as ``billc train --data`` names it, streamed from ``billc clips``: the same bytes in the same order.

    ``gestures{classes=4}`` are generated and endless, ``jester:DIR`` is the Jester data set, ``DIR`` a
    folder with a sub-folder a class.
    """

    def __init__(self, spec: str = "gestures", frames: int = 16, height: int = 48, columns: int = 64) -> None:
        self.spec, self.size = spec, (frames, height, columns)
        head = self._head("train")
        self.name: str = head["data"]
        self.classes: list[str] = head["classes"]
        self.shape: tuple[int, ...] = tuple(head["shape"])

    def length(self, split: str = "train") -> Optional[int]:
        """How many clips a split has; None: without end."""
        n: int = self._head(split)["clips"]
        return None if n < 0 else n

    @property
    def validation(self) -> str:
        """The split that measures training: val, or test where it is empty."""
        return "val" if self._has("val") else "test"

    def batches(self, split: str, batch: int, seed: int, start: int = 0, part: int = 0, parts: int = 1) -> Iterator[Batch]:
        """Batches without end, from number ``start`` on, as training with this seed sees them; of every clip in turn a part."""
        return self._read(split, batch, "--order", str(seed), "--part", f"{part}/{parts}", "--skip", str(start * batch))

    def once(self, split: str, batch: int, limit: int = 0) -> Iterator[Batch]:
        """Every clip of a split once, as it is, or the first ``limit``."""
        return self._read(split, batch, *(["--clips", str(limit)] if limit else []))

    def _command(self, split: str, *more: str) -> list[str]:
        frames, height, columns = map(str, self.size)
        return [tools.find("billc"), "clips", "-o", "-", "--data", self.spec, "--split", split, "--frames", frames, "--height", height, "--columns", columns, *more]

    def _has(self, split: str) -> bool:
        try:
            return self.length(split) != 0
        except tools.ToolError:
            return False

    def _head(self, split: str) -> dict[str, Any]:
        with _Stream(self._command(split, "--order", "0", "--clips", "1")) as s:
            return s.head

    def _read(self, split: str, batch: int, *more: str) -> Iterator[Batch]:
        with _Stream(self._command(split, *more)) as s:
            while True:
                records = s.records(batch)
                if not records:
                    return
                labels = np.array([r[0] for r in records], dtype=np.int64)
                yield torch.from_numpy(np.stack([r[1] for r in records])), torch.from_numpy(labels)
                if len(records) < batch:
                    return


class _Stream:
    """A running ``billc clips -o -``: a line of JSON, then label and bytes of every clip."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout is not None
        self.pipe = self.process.stdout
        line = self.pipe.readline()
        if not line:
            self._fail()
        self.head: dict[str, Any] = json.loads(line)
        self.shape = tuple(self.head["shape"])
        self.bytes = 8 + int(np.prod(self.shape))

    def records(self, n: int) -> list[tuple[int, np.ndarray[Any, Any]]]:
        """The next n clips with their labels, fewer at the end."""
        data = self.pipe.read(n * self.bytes)
        if len(data) < n * self.bytes and self.process.wait():
            self._fail()
        found = []
        for at in range(0, len(data) - self.bytes + 1, self.bytes):
            clip = np.frombuffer(data, np.uint8, self.bytes - 8, at + 8).reshape(self.shape)
            found.append((int.from_bytes(data[at : at + 8], "little"), clip))
        return found

    def _fail(self) -> None:
        assert self.process.stderr is not None
        raise tools.ToolError(self.command, self.process.wait(), self.process.stderr.read().decode(errors="replace"))

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def frames_taken(n: int, wanted: int) -> list[int]:
    """Which of n frames are shown at the centres of equal parts of a clip: ``floor((2i+1) n / 2T)``."""
    return [(2 * i + 1) * n // (2 * wanted) for i in range(wanted)]


class Clips(Dataset[tuple[Tensor, int]]):
    """Clips of files with labels, for a PyTorch DataLoader: u8 [3, T, H, W], stretched to one size.

    A clip is a folder of pictures, a GIF (both need Pillow), an .npy file [3, T, H, W], or a video (needs PyAV).
    """

    def __init__(self, files: list[tuple[Path, int]], classes: list[str], frames: int = 16, height: int = 48, columns: int = 64) -> None:
        self.files, self.classes, self.size = files, classes, (frames, height, columns)

    @classmethod
    def folder(cls, root: Union[str, "os.PathLike[str]"], frames: int = 16, height: int = 48, columns: int = 64) -> "Clips":
        """A folder with a sub-folder of clips a class."""
        classes = sorted(d.name for d in Path(root).iterdir() if d.is_dir())
        if not classes:
            raise ValueError(f"{root} has no folders, expected one of clips for every class")
        files = [(clip, k) for k, name in enumerate(classes) for clip in sorted((Path(root) / name).iterdir())]
        return cls(files, classes, frames, height, columns)

    @classmethod
    def jester(cls, root: Union[str, "os.PathLike[str]"], split: str = "train", frames: int = 16, height: int = 48, columns: int = 64) -> "Clips":
        """The Jester data set in its own layout: ``jester-v1-labels.csv``, ``-train.csv``, ``-validation.csv`` and ``20bn-jester-v1/ID/00001.jpg``."""
        root = Path(root)
        classes = (root / "jester-v1-labels.csv").read_text("utf-8").split("\n")
        classes = [c.strip() for c in classes if c.strip()]
        names = {"train": "train", "val": "validation"}
        if split not in names:
            raise ValueError(f"split {split!r} of Jester has no labels, expected train or val")
        files = []
        for number, line in enumerate((root / f"jester-v1-{names[split]}.csv").read_text("utf-8").splitlines(), 1):
            name, _, label = line.strip().partition(";")
            if name and label not in classes:
                raise ValueError(f"{root}/jester-v1-{names[split]}.csv:{number}: unknown label {label!r}, expected one of jester-v1-labels.csv")
            if name:
                files.append((root / "20bn-jester-v1" / name, classes.index(label)))
        return cls(files, classes, frames, height, columns)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        path, label = self.files[i]
        return torch.from_numpy(read_clip(path, *self.size)), label


def read_clip(path: Union[str, "os.PathLike[str]"], frames: int, height: int, columns: int) -> np.ndarray[Any, Any]:
    """Reads a clip as u8 [3, T, H, W]."""
    path = Path(path)
    if path.suffix == ".npy":
        clip = np.load(path)
        if clip.dtype != np.uint8 or clip.shape != (3, frames, height, columns):
            raise ValueError(f"{path} holds {clip.dtype}{list(clip.shape)}, expected uint8[3, {frames}, {height}, {columns}]")
        return clip
    if path.is_dir():
        pictures = [p for p in path.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
        pictures.sort(key=lambda p: (len(p.stem), p.stem))
        if not pictures:
            raise ValueError(f"{path} holds no pictures, expected .jpg or .png frames")
        shown = [_picture(pictures[k], height, columns) for k in frames_taken(len(pictures), frames)]
    elif path.suffix.lower() == ".gif":
        from PIL import Image

        with Image.open(path) as gif:
            count = getattr(gif, "n_frames", 1)
            shown = []
            for k in frames_taken(count, frames):
                gif.seek(k)
                shown.append(_stretched(gif, height, columns))
    else:
        shown = _video(path, frames, height, columns)
    return np.ascontiguousarray(np.stack(shown).transpose(3, 0, 1, 2))


def _picture(path: Path, height: int, columns: int) -> np.ndarray[Any, Any]:
    from PIL import Image

    with Image.open(path) as picture:
        return _stretched(picture, height, columns)


def _stretched(picture: Any, height: int, columns: int) -> np.ndarray[Any, Any]:
    from PIL import Image

    picture = picture.convert("RGB")
    small = picture.width >= columns and picture.height >= height
    return np.asarray(picture.resize((columns, height), Image.Resampling.BOX if small else Image.Resampling.BILINEAR))


def _video(path: Path, frames: int, height: int, columns: int) -> list[np.ndarray[Any, Any]]:
    try:
        import av
    except ImportError:
        raise ImportError(f"{path} is a video, which needs PyAV: pip install billnet[video], or make folders of pictures of it") from None
    with av.open(str(path)) as video:
        all_frames = [_stretched(f.to_image(), height, columns) for f in video.decode(video=0)]
    if not all_frames:
        raise ValueError(f"{path} has no frames")
    return [all_frames[k] for k in frames_taken(len(all_frames), frames)]
