"""Stages of training: names, settings and text are those of ``billc train``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Optional

from .nn.step import ROLES

#: Cells of the LSTM are annealed by the slope of a stage.
ANNEALED = ("gate", "candidate", "cell")


@dataclass(frozen=True)
class Stage:
    """A part of training: what is hard in it, how long it is and how it learns. ``docs/training.md`` explains the options."""

    name: str
    hard: tuple[str, ...] = ()
    steps: int = 0
    epochs: float = 0
    rate: float = 0
    warmup: int = 50
    every: int = 0
    factor: float = 0.1
    momentum: float = 0.9
    decay: float = 0
    norm: float = 5
    distill: float = 0
    temperature: float = 2
    aux: float = 1
    slope: float = 1
    rescale: float = 0
    shift: float = 0
    recalibrate: int = -1
    margin: float = 0.03
    schedule: str = "cosine"
    optimizer: str = "adam"
    steps_given: bool = False

    @property
    def soft(self) -> tuple[str, ...]:
        """The roles that are soft."""
        return tuple(r for r in ROLES if r not in self.hard)

    @property
    def bits(self) -> bool:
        """Whether the maps are the bits of the compiled network."""
        return {"activation", "select", "weight"} <= set(self.hard)

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        step -= self.warmup
        total = self.steps - self.warmup
        left = 1 - min(1, step / total) if total > 0 else 1.0
        if self.schedule == "linear":
            return self.rate * left
        if self.schedule == "cosine":
            return self.rate * (1 - math.cos(math.pi * left)) / 2
        if self.schedule == "step":
            every = self.every or max(1, (self.steps - self.warmup + 2) // 3)
            return self.rate * self.factor ** (step // every)
        return self.rate

    @property
    def averaged(self) -> int:
        """The number of batches over which the norms are averaged."""
        return self.recalibrate if self.recalibrate >= 0 else max(10, self.steps // 30)

    def with_length(self, clips: Optional[int], batch: int) -> "Stage":
        """The stage with its steps, made of epochs over so many training clips where it has those; None: without end."""
        if not self.epochs:
            return self
        if clips is None:
            raise ValueError(f"stage {self.name}: epochs={self.epochs:g}, and the training clips never end: give steps, or bound the clips (gestures{{train=20000}})")
        return replace(self, steps=math.ceil(self.epochs * clips / batch), epochs=0)

    def __str__(self) -> str:
        usual = _STAGES[self.name]
        changed = [f"{o}={getattr(self, o):g}" for o, *_ in _OPTIONS if getattr(self, o) != getattr(usual, o)]
        changed += [f"{c}={getattr(self, c)}" for c, *_ in _CHOICES if getattr(self, c) != getattr(usual, c)]
        return self.name + ("{" + ",".join(changed) + "}" if changed else "")


_ACTIVATIONS = ("activation", "select")
_LATER = {"distill": 0.7, "shift": 1.0}
_STAGES = {
    s.name: s
    for s in (
        Stage("float", steps=2400, rate=3e-3),
        Stage("activations", _ACTIVATIONS, 2000, rate=5e-3, decay=1e-5, **_LATER),  # type: ignore[arg-type]
        Stage("weights", (*_ACTIVATIONS, "weight"), 4000, rate=1e-2, rescale=0.4, **_LATER),  # type: ignore[arg-type]
        Stage("lstm-weights", (*_ACTIVATIONS, "weight", "cell-weight"), 1000, rate=5e-3, rescale=0.4, **_LATER),  # type: ignore[arg-type]
        Stage("lstm", ("activation", "weight", "cell-weight", "select", "gate", "candidate", "cell"), 2000, rate=5e-3, rescale=0.4, **_LATER),  # type: ignore[arg-type]
        Stage("all", ("activation", "weight", "cell-weight", "select", "gate", "candidate", "cell"), 7300, rate=1e-2, rescale=0.4, **_LATER),  # type: ignore[arg-type]
    )
}

# Name, what it is, smallest and greatest value, whole numbers only.
_OPTIONS: tuple[tuple[str, str, float, float, bool], ...] = (
    ("steps", "batches to learn from", 0, 1 << 30, True),
    ("epochs", "passes over the training clips, in place of steps; 0: steps count", 0, 1 << 20, False),
    ("rate", "learning rate at its highest", 0, 10, False),
    ("warmup", "steps in which the rate rises", 0, 1 << 30, True),
    ("every", "schedule step: steps after which the rate falls; 0: a third of the steps", 0, 1 << 30, True),
    ("factor", "schedule step: what the rate falls by", 0, 1, False),
    ("momentum", "of optimizer sgd", 0, 1, False),
    ("decay", "weight decay", 0, 1, False),
    ("norm", "greatest norm of the gradient; 0: any", 0, 3.4028234663852886e38, False),
    ("distill", "share of the teacher in the loss", 0, 1, False),
    ("temperature", "of the teacher's softmax", 0.01, 100, False),
    ("aux", "weight of auxiliary heads", 0, 100, False),
    ("slope", "of soft gates and cells at the end; it goes there from that of the stage before, 1 at first", 0.01, 1000, False),
    ("rescale", "mean |w| of latent weights that become signs; 0: as they are", 0, 1, False),
    ("shift", "beta falls by this times |gamma| where activations become steps", 0, 10, False),
    ("recalibrate", "batches over which norms are averaged, before and after; -1: a thirtieth of the steps, at least 10", -1, 10000, True),
    ("margin", "loss of accuracy that is reported", 0, 1, False),
)
_CHOICES = (
    ("schedule", "how the rate falls: constant, linear, cosine (the default) or step", ("constant", "linear", "cosine", "step")),
    ("optimizer", "adam (the default) or sgd", ("adam", "sgd")),
)


class Stages(list[Stage]):
    """A recipe: stages one after the other. Its text serves ``billc train --stages`` too."""

    @classmethod
    def default(cls) -> "Stages":
        """``float, all``: the float network, then everything at once with it as the teacher."""
        return cls.parse("float, all")

    @classmethod
    def parse(cls, text: str, epochs: float = 0) -> "Stages":
        """Reads stages with options, such as ``float{steps=100}, all{rate=0.01}``; epochs for every stage that says neither these nor steps."""
        found = cls()
        for name, options, at in _items(text):
            if name not in _STAGES:
                raise ValueError(f"stages:1:{at}: unknown stage {name!r}, expected {', '.join(_STAGES)}")
            stage = _STAGES[name]
            if found:
                stage = replace(stage, slope=found[-1].slope)
            for key, value, where, place in options:
                stage = _set(stage, key, value, where, place)
            if stage.steps_given and stage.epochs:
                raise ValueError(f"stages:1:{at}: stage {name} has steps and epochs: give one of them")
            if epochs and not stage.steps_given and not stage.epochs:
                stage = replace(stage, epochs=epochs)
            found.append(stage)
        return found

    def __str__(self) -> str:
        return ", ".join(map(str, self))


def _set(stage: Stage, key: str, value: str, key_at: int, at: int) -> Stage:
    for name, _, words in _CHOICES:
        if key == name:
            if value not in words:
                raise ValueError(f"stages:1:{at}: unknown {key} {value!r}, expected {', '.join(words)}")
            return replace(stage, **{key: value})  # type: ignore[arg-type]
    for name, _, low, high, whole in _OPTIONS:
        if key != name:
            continue
        try:
            v = float(value[:-1]) / 100 if value.endswith("%") else float(value)
        except ValueError:
            v = math.nan
        if not low <= v <= high or whole and v != int(v):
            raise ValueError(f"stages:1:{at}: {key}={value}, expected {'a whole number' if whole else 'a number'} from {low:g} to {high:g}")
        stage = replace(stage, **{key: int(v) if whole else v})  # type: ignore[arg-type]
        return replace(stage, steps_given=True) if key == "steps" else stage
    names = [o[0] for o in _OPTIONS] + [c[0] for c in _CHOICES]
    raise ValueError(f"stages:1:{key_at}: stage {stage.name} has no option {key!r}, it has {', '.join(names)}")


def _items(text: str) -> Iterable[tuple[str, list[tuple[str, str, int, int]], int]]:
    """The items of a list name{option=value, ...}, name, ... with the columns of names and values."""
    word = r"[\w./:*%+-]+"
    tokens = [(m.group(), m.start() + 1) for m in re.finditer(rf"{word}|[{{}}=,]|\S", text)]
    tokens.append(("", len(text) + 1))
    at = 0

    def take(expected: str) -> tuple[str, int]:
        nonlocal at
        token, column = tokens[at]
        if not (re.fullmatch(word, token) if expected == "word" else token == expected):
            found = repr(token) if token else "the end of the text"
            raise ValueError(f"stages:1:{column}: found {found}; expected stage{{option=value, ...}}, stage, ...")
        at += 1
        return token, column

    while True:
        name, column = take("word")
        options: list[tuple[str, str, int, int]] = []
        if tokens[at][0] == "{":
            take("{")
            while tokens[at][0] != "}":
                if options:
                    take(",")
                key, where = take("word")
                take("=")
                value, place = take("word")
                if key in [k for k, *_ in options]:
                    raise ValueError(f"stages:1:{where}: option {key} of {name} is given twice")
                options.append((key, value, where, place))
            take("}")
        yield name, options, column
        if not tokens[at][0]:
            return
        take(",")


def describe() -> str:
    """Lists the stages and their options, as ``billc train --describe`` does."""
    usual, lines = Stage(""), []
    for s in _STAGES.values():
        what = "hard: " + ", ".join(s.hard) if s.hard else "nothing is hard: the float network"
        settings = ", ".join(f"{o}={getattr(s, o):g}" for o, *_ in _OPTIONS if getattr(s, o) != getattr(usual, o))
        lines += [f"{s.name:<13} {what}", f"{'':<13} {settings}"]
    for name, doc, *_ in _OPTIONS:
        value = getattr(usual, name)
        lines.append(f"  {name:<11} {doc}" + (f" ({value:g})" if value else ""))
    lines += [f"  {name:<11} {doc}" for name, doc, _ in _CHOICES]
    return "\n".join(lines) + "\n"
