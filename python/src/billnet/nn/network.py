"""The network that ``billc new`` writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Union

from torch import Tensor, nn

from .conv import CF, BinaryConv3d, Pixels
from .gates import MOR, FrameMean
from .lstm import BinaryLSTM, Scores
from .norm import Norm
from .step import Heaviside


@dataclass(frozen=True)
class Config:
    """The numbers of a BILLNET, with the names and defaults of ``billc new``."""

    classes: int = 12
    width: int = 16
    hidden: int = 48
    per_group: int = 8
    stages: int = 3
    frames: int = 16
    height: int = 48
    columns: int = 64
    steps: int = 8
    wiring: str = "mux-or"
    mid: str = "linear"
    causal: bool = False
    tgap: str = ""  # clip, or running for a causal network
    sign0: int = 1

    def check(self) -> None:
        """Raises ValueError where the numbers do not fit together."""
        for name in ("classes", "width", "hidden", "per_group", "stages", "frames", "height", "columns", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.width % self.per_group:
            raise ValueError(f"per_group={self.per_group} does not divide width={self.width}")
        if min(self.height, self.columns) >> (self.stages + 1) == 0:
            raise ValueError(f"{self.stages} stages halve a frame {self.stages + 1} times: {self.columns}x{self.height} pixels are too few")
        self.pools()

    def pools(self) -> list[int]:
        """By what the pooling behind every stage but the last divides time: the last ones that can do it."""
        possible, t = [self.frames], self.frames
        while len(possible) < self.stages and t % 2 == 0:
            t //= 2
            possible.append(t)
        if self.steps not in possible:
            raise ValueError(f"steps is {self.steps}: {self.stages} stages can make {self.frames} frames into {' or '.join(map(str, possible))}")
        halvings = possible.index(self.steps)
        return [2 if i >= self.stages - halvings else 1 for i in range(1, self.stages)]

    @property
    def clip(self) -> tuple[int, int, int, int]:
        """The shape of a clip."""
        return (3, self.frames, self.height, self.columns)


class BILLNET(nn.Module):
    """A binary Conv3D-LSTM network: clips [N, 3, T, H, W] of bytes -> logits [N, classes].

    Stem, ``stages`` of MOR blocks with pooling and a CF block that widens between them, one vector of
    bits a frame, a binary LSTM, and a float last layer. In training it returns the logits of an
    auxiliary head on the mean over time beside its own: (logits, aux).
    Source: Nguyen, Guicquero, Sicard, "BILLNET", SiPS 2022; widths and wiring are this project's.
    """

    def __init__(self, classes: int = 12, width: int = 16, hidden: int = 48, causal: bool = False, **more: Union[int, str]) -> None:
        super().__init__()
        unknown = set(more) - set(Config.__dataclass_fields__)
        if unknown:
            raise TypeError(f"BILLNET has no option {', '.join(sorted(unknown))}, it has {', '.join(Config.__dataclass_fields__)}")
        self.config = c = Config(classes=classes, width=width, hidden=hidden, causal=causal, **more)  # type: ignore[arg-type]
        c.check()
        #: Names of the classes, or none.
        self.labels: list[str] = []
        tgap = c.tgap or ("running" if causal else "clip")

        def block(channels: int) -> MOR:
            return MOR(channels, c.per_group, c.wiring, c.mid, causal, tgap)

        self.pixels = Pixels()
        self.stem = BinaryConv3d(3, width, 3, stride=(1, 2, 2), causal=causal)
        self.stem_bn = Norm(width)
        self.act = Heaviside()
        self.blocks = nn.ModuleList([block(width << i) for i in range(c.stages)])
        self.widen = nn.ModuleList([CF(width << i, width << i + 1, c.per_group, c.mid, causal) for i in range(c.stages - 1)])
        self.pools = nn.ModuleList([nn.MaxPool3d((p, 2, 2), (p, 2, 2)) for p in [*c.pools(), 1]])
        features = width << c.stages - 1
        self.mean = FrameMean()
        self.features_bn = Norm(features)
        self.lstm = BinaryLSTM(features, hidden, c.sign0)
        self.fc = Scores(hidden, classes)
        self.aux = Scores(features, classes)

    def features(self, clip: Tensor) -> Tensor:
        """One vector of bits a frame: [N, steps, features]."""
        x = self.act(self.stem_bn(self.stem(self.pixels(clip))))
        x = self.blocks[0](x)
        for pool, widen, block in zip(self.pools, self.widen, self.blocks[1:]):  # type: ignore[arg-type]
            x = block(widen(pool(x)))
        x = self.mean(self.pools[-1](x))
        return self.act(self.features_bn(x)).transpose(1, 2)

    def forward(self, clip: Tensor) -> Union[Tensor, tuple[Tensor, Tensor]]:
        if tuple(clip.shape[1:]) != self.config.clip:
            raise ValueError(f"clips have shape {list(clip.shape)}, expected [N, {', '.join(map(str, self.config.clip))}]")
        x = self.features(clip)
        logits = self.fc(self.lstm(x))
        if self.training:
            return logits, self.aux(x.mean(1))
        return logits

    def logits(self, clips: object) -> Tensor:
        """The logits of clips, bit for bit those of the compiled program: see :func:`billnet.logits`."""
        from ..exact import logits

        return logits(self, clips)

    def extra_repr(self) -> str:
        usual = asdict(Config())
        return ", ".join(f"{k}={v}" for k, v in asdict(self.config).items() if v != usual[k])
