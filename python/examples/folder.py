"""Trains a network on a folder of clips in plain PyTorch and compiles it.

    python folder.py CLIPS          # CLIPS/CLASS/clip.gif, or folders of pictures, .npy files, videos

The loop below is all there is; billnet.fit does the same with stages, norms, distillation and checkpoints.
"""

from __future__ import annotations

import sys

import torch

import billnet
from billnet.data import Clips
from billnet.stages import Stages


def main(folder: str, steps: int = 200) -> None:
    torch.manual_seed(1)
    net = billnet.BILLNET(classes=len(Clips.folder(folder).classes), width=8, hidden=16, stages=2, frames=8, steps=8, height=24, columns=32)
    clips = Clips.folder(folder, *net.config.clip[1:])
    net.labels = clips.classes
    loader = torch.utils.data.DataLoader(clips, batch_size=8, shuffle=True)

    # By hand: the float network first, with every binary operation soft.
    billnet.set_stage(net, Stages.parse("float")[0])
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    net.train()
    for _, (x, y) in zip(range(steps), (batch for _ in range(steps) for batch in loader)):
        logits, aux = net(x)
        loss = torch.nn.functional.cross_entropy(logits, y) + torch.nn.functional.cross_entropy(aux, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"float: loss {loss.item():.3f}")

    # With the package: everything hard, the float network as the teacher.
    trainer = billnet.Trainer(net, batch=8)
    for stage in Stages.parse(f"float{{steps=0}}, all{{steps={steps}}}"):
        print(trainer.fit(stage, loader, loader))

    program = billnet.compile(net, path="folder.billb")
    x = torch.stack([clips[i][0] for i in range(min(4, len(clips)))])
    assert billnet.verify(net, program, x)
    print(f"wrote {program.path}: {program.path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
