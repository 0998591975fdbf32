"""Training in stages."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .data import Batch, Source
from .load import replace, restore, save
from .nn import MOR, BinaryConv3d, BinaryLSTM, Norm, Step
from .stages import ANNEALED, Stage

Data = Union[Source, Iterable[Batch]]

# Shares of ones in the maps of a residual gate that are healthy.
_FEWEST, _MOST = 0.02, 0.5
_ROW_STEPS, _GATE_CLIPS = 20, 2
# Within a stage, accuracy is measured about so often, on so many clips.
_VALIDATIONS, _VALIDATION_CLIPS = 12, 100


@dataclass
class Report:
    """What a stage came to."""

    stage: str
    steps: int
    loss: float  # mean over the last tenth of the steps
    accuracy: Optional[float]  # on the validation clips, or None without any
    clips: int
    gates: dict[str, list[float]] = field(default_factory=dict)  # shares of ones: block, beside, select, out


def set_stage(net: nn.Module, stage: Stage, slope: Optional[float] = None) -> None:
    """Makes the binary operations of a network hard and soft as a stage says; slope is that of soft gates and cells."""
    for m in net.modules():
        if isinstance(m, Step):
            m.soft = m.role not in stage.hard
            if m.role in ANNEALED:
                m.slope = stage.slope if slope is None else slope


def harden(net: nn.Module) -> nn.Module:
    """Makes every binary operation of a network hard, as it is when compiled."""
    for m in net.modules():
        if isinstance(m, Step):
            m.soft = False
    return net


def latents(net: nn.Module) -> list[tuple[nn.Parameter, str]]:
    """The latent weights of a network with their roles."""
    found: list[tuple[nn.Parameter, str]] = []
    for m in net.modules():
        if isinstance(m, BinaryConv3d):
            found.append((m.weight, "weight"))
        elif isinstance(m, BinaryLSTM):
            found += [(m.wi, "cell-weight"), (m.wh, "cell-weight")]
    return found


def loss_of(heads: list[Tensor], labels: Tensor, teacher: Optional[Tensor], stage: Stage) -> Tensor:
    """``(1-d) CE + d T^2 KL(teacher || head at T)``, summed over the heads; auxiliary ones count ``aux`` times."""
    share, t, total = stage.distill if teacher is not None else 0.0, stage.temperature, heads[0].new_zeros(())
    for k, head in enumerate(heads):
        value = (1 - share) * F.cross_entropy(head, labels)
        if teacher is not None and share > 0:
            value = value + share * t * t * F.kl_div(F.log_softmax(head / t, 1), F.log_softmax(teacher / t, 1), reduction="batchmean", log_target=True)
        total = total + (stage.aux if k else 1.0) * value
    return total


class Trainer:
    """Trains a network stage by stage.

    ``folder`` keeps what ``billc train`` keeps in the folder of a run: a checkpoint every ``every`` steps,
    ``log.csv`` (means over 20 steps, and accuracy on validation clips about 12 times a stage),
    ``stages.json``, and the network after every stage (``1-float.pt``, for :func:`billnet.load`). With
    ``resume`` an interrupted run goes on from there, and :meth:`fit` returns at once for stages that are
    done. ``teacher`` is the network to learn from, in place of the one after the last float stage.
    ``eval_clips`` measure a stage. ``note`` is called with remarks for people. Under ``torchrun`` every
    process has a part of each batch of ``batch`` clips. ``amp`` computes convolutions in bfloat16.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        folder: Union[str, "os.PathLike[str]", None] = None,
        resume: bool = False,
        teacher: Optional[nn.Module] = None,
        batch: int = 16,
        seed: int = 1,
        every: int = 200,
        eval_clips: int = 1000,
        amp: bool = False,
        device: Union[str, torch.device, None] = None,
        note: Callable[[str], None] = print,
    ) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net, self.given, self.amp, self.batch, self.seed = net.to(self.device), teacher, amp, batch, seed
        self.folder, self.every, self.eval_clips, self.note = Path(folder) if folder else None, max(every, 1), eval_clips, note
        self.rank, self.world = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self.rank, self.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        if batch % self.world:
            raise ValueError(f"{self.world} processes do not divide a batch of {batch} clips")
        self.teacher = self._frozen(teacher) if teacher is not None else None
        self.index, self.step = 0, 0  # of stages, and of the steps of the stage at hand
        self.done: list[str] = []  # texts of the stages
        self.reports: list[Report] = []
        self.log: list[dict[str, Any]] = []
        self.before: Optional[Stage] = None
        self.optimizer: Optional[torch.optim.Optimizer] = None
        self._saved: Optional[dict[str, Any]] = None
        self._taught_by = ""  # the file of the teacher that came from a float stage
        self._asked = 0  # stages that fit was called for
        if resume:
            self._restore()

    def __deepcopy__(self, memo: object) -> None:
        """A copy of a network begins anew."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    # What a run keeps.

    def _restore(self) -> None:
        if self.folder is None or not (self.folder / "checkpoint.pt").is_file():
            raise FileNotFoundError(f"{self.folder}: there is no checkpoint to go on from; leave resume out")
        saved = _load(self.folder / "checkpoint.pt", self.device)
        settings = self._settings()
        if saved["settings"] != settings:
            changed = [f"{k} (then {saved['settings'].get(k)}, now {v})" for k, v in settings.items() if saved["settings"].get(k) != v]
            raise ValueError(f"{self.folder}/checkpoint.pt belongs to a run with other settings: {', '.join(changed)}; give the same ones, or choose another folder")
        self.net.load_state_dict(saved["net"])
        self.index, self.step, self.done, self.log = saved["index"], saved["step"], saved["done"], saved["log"]
        self.reports, self._taught_by = [Report(**r) for r in saved["reports"]], saved["teacher"]
        self._saved = saved
        if saved["teacher"] and self.given is None:
            self.teacher = self._frozen(self.net)
            restore(self.teacher, _load(self.folder / saved["teacher"], self.device))

    def _settings(self) -> dict[str, Any]:
        shapes = {k: list(v.shape) for k, v in self.net.state_dict().items()}
        return {"network": json.dumps(shapes), "batch": self.batch, "seed": self.seed, "amp": self.amp}

    def _checkpoint(self) -> None:
        if self.folder is None or self.rank:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "settings": self._settings(), "net": self.net.state_dict(), "index": self.index, "step": self.step, "done": self.done, "log": self.log,
            "reports": [asdict(r) for r in self.reports], "stage": str(self.stage) if self.step else "",
            "optimizer": self.optimizer.state_dict() if self.optimizer is not None and self.step else None,
            "teacher": self._taught_by,
        }  # fmt: skip
        replace(self.folder / "checkpoint.pt", lambda part: torch.save(state, part))
        replace(self.folder / "log.csv", lambda part: part.write_text(self._csv(), "utf-8"))
        replace(self.folder / "stages.json", lambda part: part.write_text(json.dumps([asdict(r) for r in self.reports], indent=2) + "\n", "utf-8"))

    def _csv(self) -> str:
        """The log with the columns of ``billc train``."""
        lines = ["stage,step,rate,loss,accuracy,gradient_norm,validation"]
        for r in self.log:
            validation = "" if r["validation"] is None else f"{r['validation']:g}"
            lines.append(f"{r['stage']},{r['step']},{r['rate']:g},{r['loss']:g},{r['accuracy']:g},{r['norm']:g},{validation}")
        return "\n".join(lines) + "\n"

    # A stage.

    def fit(self, stage: Stage, train: Data, val: Optional[Data] = None) -> Report:
        """Does one stage, or what is left of it, and returns its report."""
        number = self._asked
        self._asked += 1
        if not isinstance(train, Source) and stage.epochs and not hasattr(train, "__len__"):
            raise ValueError(f"stage {stage.name}: epochs={stage.epochs:g}, and the loader does not say its length: give steps")
        clips = train.length("train") if isinstance(train, Source) else len(train) * self.batch if stage.epochs else None  # type: ignore[arg-type]
        stage = stage.with_length(clips, self.batch)
        if number < self.index:
            if self.done[number] != str(stage):
                raise ValueError(f"stage {number + 1} of the checkpoint is {self.done[number]}, not {stage}: give the same stages, or choose another folder")
            self.before = stage
            set_stage(self.net, stage)
            return self.reports[number]
        if stage.distill > 0 and self.teacher is None:
            raise ValueError(
                f"stage {stage.name} learns from a teacher (distill={stage.distill:g}), and there is none: put a float stage before it, give a teacher, or say distill=0"
            )
        self.stage = stage
        if val is None and isinstance(train, Source):
            val = train
        self._enter(train)
        self._steps(train, val)
        return self._leave(train, val)

    def _slope(self) -> float:
        start = self.before.slope if self.before else 1.0
        return start + (self.stage.slope - start) * self.step / max(self.stage.steps, 1)

    def _enter(self, train: Data) -> None:
        """Prepares parameters for what becomes hard; a stage that was interrupted goes on instead."""
        stage, saved = self.stage, self._saved
        self._saved = None
        if saved is None or not saved["step"]:
            self._checkpoint()  # of the time before
        set_stage(self.net, stage, self._slope())
        self.optimizer = self._optimizer()
        if saved is not None and saved["step"]:
            if saved["stage"] != str(stage):
                raise ValueError(f"the checkpoint is in stage {saved['stage']}, not {stage}: give the same stages, or choose another folder")
            self.optimizer.load_state_dict(saved["optimizer"])
            return
        if self.before is None:  # what was never trained has no scale to mend
            return
        becomes = set(stage.hard) - set(self.before.hard)
        with torch.no_grad():
            self.net.eval()
            self.net(self._first(train))  # norms see what they are applied to
            if "activation" in becomes:
                for m in self.net.modules():
                    if isinstance(m, Norm) and m.rank == 5:
                        m.bias.sub_(stage.shift * m.weight.abs())
            for w, role in latents(self.net):
                if stage.rescale > 0 and role in becomes:
                    size = w.abs().flatten(1).mean(1).reshape(-1, *[1] * (w.dim() - 1))
                    w.copy_(torch.where(size > 0, (w * (stage.rescale / size.clamp(min=1e-38))).clamp(-1, 1), w))
        self._recalibrate(train, 1)

    def _optimizer(self) -> torch.optim.Optimizer:
        weights = {id(w) for w, _ in latents(self.net)} | {id(m.weight) for m in self.net.modules() if isinstance(m, nn.Linear)}
        groups = [
            {"params": [p for p in self.net.parameters() if id(p) in weights], "weight_decay": self.stage.decay},
            {"params": [p for p in self.net.parameters() if id(p) not in weights], "weight_decay": 0.0},
        ]
        if self.stage.optimizer == "sgd":
            return torch.optim.SGD(groups, lr=self.stage.rate, momentum=self.stage.momentum)
        return torch.optim.Adam(groups, lr=self.stage.rate, betas=(0.9, 0.99))

    def _steps(self, train: Data, val: Optional[Data]) -> None:
        stage, batches = self.stage, self._batches(train, 0, self.step)
        model: nn.Module = self.net
        if self.world > 1:
            model = nn.parallel.DistributedDataParallel(self.net, broadcast_buffers=False)
        optimizer = self.optimizer
        assert optimizer is not None
        while self.step < stage.steps:
            clips, labels = self._here(next(batches))
            set_stage(self.net, stage, self._slope())
            for group in optimizer.param_groups:
                group["lr"] = stage.rate_at(self.step)
            teacher = self._taught(clips) if stage.distill > 0 else None
            self.net.train()
            with self._autocast():
                heads = model(clips)
            heads = [h.float() for h in (heads if isinstance(heads, (tuple, list)) else (heads,))]
            loss = loss_of(heads, labels, teacher, stage)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.sqrt(sum((p.grad.double().square().sum() for p in self.net.parameters() if p.grad is not None), torch.zeros((), dtype=torch.float64, device=self.device)))
            numbers = torch.stack([loss.detach().double(), (heads[0].argmax(1) == labels).double().mean()])
            if self.world > 1:
                torch.distributed.all_reduce(numbers)
                numbers /= self.world
            value, accuracy = numbers.tolist()
            if not torch.isfinite(norm) or value != value or abs(value) == float("inf"):
                raise FloatingPointError(
                    f"stage {stage.name}, step {self.step}: the loss is {value} and the gradient's norm {float(norm)}: lower the learning rate or limit the norm"
                )
            if 0 < stage.norm < float(norm):
                for p in self.net.parameters():
                    if p.grad is not None:
                        p.grad.mul_(stage.norm / float(norm))
            optimizer.step()
            with torch.no_grad():
                for w, role in latents(self.net):
                    if role in stage.hard:
                        w.clamp_(-1, 1)
            self.step += 1
            self._row(stage.rate_at(self.step - 1), value, accuracy, float(norm))
            self._validate(val)
            if self.step % self.every == 0 or self.step == stage.steps:
                self._checkpoint()
        close = getattr(batches, "close", None)
        if close is not None:
            close()

    def _leave(self, train: Data, val: Optional[Data]) -> Report:
        stage = self.stage
        set_stage(self.net, stage)
        self._recalibrate(train, 2)
        rows = [r for r in self.log if r["index"] == self.index and r["step"] > stage.steps - max(1, stage.steps // 10)]
        loss = sum(r["loss"] * r["n"] for r in rows) / max(sum(r["n"] for r in rows), 1)
        report = Report(stage.name, stage.steps, loss, None, 0)
        if val is not None:
            report.accuracy, report.clips = accuracy(self.net, self._held_out(val, self.eval_clips), self.eval_clips, self.device)
            if stage.bits:
                report.gates = densities(self.net, next(iter(self._held_out(val, _GATE_CLIPS)))[0][:_GATE_CLIPS].to(self.device))
        self._notes(report)
        file = f"{self.index + 1}-{stage.name}.pt"
        if self.folder is not None and not self.rank:
            self.folder.mkdir(parents=True, exist_ok=True)
            save(self.net, self.folder / file)
        if not stage.hard and self.given is None:
            self.teacher, self._taught_by = self._frozen(self.net), file
        self.reports.append(report)
        self.done.append(str(stage))
        self.index, self.step, self.before = self.index + 1, 0, stage
        self._checkpoint()
        return report

    def _notes(self, report: Report) -> None:
        if self.rank:
            return
        then = self.reports[-1].accuracy if self.reports else None
        if then is not None and report.accuracy is not None and then - report.accuracy > self.stage.margin:
            lost = 100 * (then - report.accuracy)
            self.note(f"stage {report.stage} lost {lost:.1f} points of accuracy against stage {self.reports[-1].stage}: train it longer, or insert a stage between the two")
        for name, (block, beside, _, out) in report.gates.items():
            if not all(_FEWEST <= share <= _MOST for share in (block, beside, out)):
                self.note(
                    f"stage {report.stage}: gate {name} has {100 * block:.1f} % ones from its block, {100 * beside:.1f} % from beside it and {100 * out:.1f} % in its result; "
                    f"from {100 * _FEWEST:g} to {100 * _MOST:g} % is healthy: a greater shift makes fewer ones, a smaller one more"
                )

    # Its parts.

    def _batches(self, data: Data, stream: int, start: int) -> Iterator[Batch]:
        """Batches without end: those of billc train for a source, else the loader again and again."""
        if isinstance(data, Source):
            yield from data.batches("train", self.batch // self.world, self.seed + 1000 * self.index + stream, start, self.rank, self.world)
        skipped = 0
        while True:
            empty = True
            for clips, labels in data:  # type: ignore[union-attr]
                empty = False
                if skipped < start:
                    skipped += 1
                    continue
                yield clips, labels
            if empty:
                raise ValueError("the training loader gives no batches")

    def _here(self, batch: Batch) -> Batch:
        """A batch on the device; on a CPU with channels last, as its convolutions are faster then."""
        clips, labels = (t.to(self.device) for t in batch)
        if self.device.type == "cpu" and clips.dim() == 5:
            clips = clips.contiguous(memory_format=torch.channels_last_3d)
        return clips, labels

    def _first(self, train: Data) -> Tensor:
        batches = self._batches(train, 1, 0)
        clips, _ = self._here(next(batches))
        batches.close()  # type: ignore[attr-defined]
        return clips

    def _validate(self, val: Optional[Data]) -> None:
        """Measures the network as it is, when it is time to, for the curves."""
        every = -(-max(self.stage.steps // _VALIDATIONS, 1) // _ROW_STEPS) * _ROW_STEPS
        if val is None or self.rank or self.step % every and self.step != self.stage.steps:
            return
        with torch.random.fork_rng(devices=[]):  # a loader that shuffles leaves the training as it is
            limit = min(_VALIDATION_CLIPS, self.eval_clips or _VALIDATION_CLIPS)
            self.log[-1]["validation"], _ = accuracy(self.net, self._held_out(val, limit), limit, self.device)

    def _held_out(self, data: Data, limit: int) -> Iterable[Batch]:
        if isinstance(data, Source):
            return data.once(data.validation, self.batch, limit)
        return data

    def _taught(self, clips: Tensor) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad(), self._autocast():
            logits: Tensor = self.teacher(clips)
        return logits.float()

    def _recalibrate(self, train: Data, stream: int) -> None:
        """Averages the norms over batches of a stream of their own."""
        if not self.stage.averaged:
            return
        norms = [m for m in self.net.modules() if isinstance(m, Norm)]
        for m in norms:
            m.collect = []
        self.net.train()
        batches = self._batches(train, stream, 0)
        with torch.no_grad(), self._autocast():
            for _ in range(self.stage.averaged):
                self.net(self._here(next(batches))[0])
        batches.close()  # type: ignore[attr-defined]
        for m in norms:
            m.collected()

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.amp)

    def _frozen(self, net: nn.Module) -> nn.Module:
        return copy.deepcopy(net).to(self.device).eval().requires_grad_(False)

    def _row(self, rate: float, loss: float, accuracy: float, norm: float) -> None:
        if not self.log or self.log[-1]["n"] == _ROW_STEPS or self.log[-1]["index"] != self.index:
            self.log.append({"index": self.index, "stage": self.stage.name, "step": 0, "rate": 0.0, "loss": 0.0, "accuracy": 0.0, "norm": 0.0, "n": 0, "validation": None})
        row = self.log[-1]
        row["n"] += 1
        for key, value in (("loss", loss), ("accuracy", accuracy), ("norm", norm)):
            row[key] += (value - row[key]) / row["n"]
        row["step"], row["rate"] = self.step, rate


def fit(net: nn.Module, stage: Stage, train: Data, val: Optional[Data] = None, **options: Any) -> Report:
    """Trains a network for one stage; stages of one network go on from each other, with the float one as the teacher.

    ``train`` and ``val`` are a :class:`billnet.data.Source`, or loaders of (clips u8 [N, 3, T, H, W], labels).
    ``options`` of the first call are those of :class:`Trainer`.
    """
    trainer = net.__dict__.get("_trainer")
    if trainer is None or options:
        trainer = Trainer(net, **options)
        net.__dict__["_trainer"] = trainer
    return trainer.fit(stage, train, val)


@torch.no_grad()
def accuracy(net: nn.Module, data: Iterable[Batch], limit: int = 0, device: Union[str, torch.device] = "cpu") -> tuple[float, int]:
    """The share of right labels on the first clips, and how many these were."""
    net.eval()
    right = clips = 0
    for x, y in data:
        n = min(len(y), limit - clips) if limit else len(y)
        right += int((net(x[:n].to(device)).argmax(1).cpu() == y[:n].cpu()).sum())
        clips += n
        if limit and clips >= limit:
            break
    if not clips:
        raise ValueError("there are no clips to measure accuracy on")
    return right / clips, clips


@torch.no_grad()
def densities(net: nn.Module, clips: Tensor) -> dict[str, list[float]]:
    """For every residual gate the shares of ones: from its block, beside it, of its selects, and in its result."""
    gates = {name: m for name, m in net.named_modules() if isinstance(m, MOR)}
    net.eval()
    for m in gates.values():
        m.measure = True
    net(clips)
    found = {}
    for name, m in gates.items():
        m.measure = False
        found[name] = m.density or []
    return found


def _load(path: Path, device: torch.device) -> Any:
    return torch.load(path, map_location=device)
