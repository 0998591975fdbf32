"""What all tests share: the Go programs, and small networks with statistics as after training."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import billnet
from billnet.nn import TGAP, Norm

ROOT = Path(__file__).parents[2]


def pytest_addoption(parser):
    parser.addoption("--configs", type=int, default=12, help="random networks that are compiled, with every exporter there is")


@pytest.fixture(scope="session", autouse=True)
def programs(tmp_path_factory):
    """Builds billc and billrun where BILLNET_BIN does not name them and the package has none."""
    torch.set_num_threads(1)
    packaged = Path(billnet.__file__).parent / "bin"  # of a wheel
    if os.environ.get("BILLNET_BIN") or packaged.is_dir():
        return
    if shutil.which("go") is None:
        pytest.skip("neither BILLNET_BIN nor Go is here")
    folder = tmp_path_factory.mktemp("bin")
    subprocess.run(["go", "build", "-o", f"{folder}/", "./cmd/billc", "./cmd/billrun"], cwd=ROOT, check=True)
    os.environ["BILLNET_BIN"] = str(folder)


SMALL = dict(classes=3, width=4, hidden=5, per_group=2, stages=2, frames=4, steps=2, height=8, columns=10)


def clips_of(shape, n=3, seed=0):
    """Clips of bytes; later ones are darker."""
    g = torch.Generator().manual_seed(seed)
    clips = torch.randint(0, 256, (n, *shape), generator=g)
    return torch.div(clips, torch.arange(1, n + 1).reshape(-1, 1, 1, 1, 1), rounding_mode="floor").to(torch.uint8)


def trained(net, clips, seed=0):
    """Gives norms the statistics of clips and gammas of any sign, some of them 0."""
    g = torch.Generator().manual_seed(seed)
    norms = [m for m in net.modules() if isinstance(m, Norm)]
    for m in norms:
        m.momentum = None
    net.train()
    with torch.no_grad():
        net(clips)
        for m in norms:
            m.weight.copy_(torch.rand(m.weight.shape, generator=g) * 3 - 1.5)
            m.weight[torch.rand(m.weight.shape, generator=g) < 0.1] = 0
            m.bias.copy_(torch.rand(m.bias.shape, generator=g) * 1.6 - 0.8)
            m.momentum = 0.1
        for m in net.modules():
            if isinstance(m, TGAP):
                m.threshold.copy_(torch.rand(m.threshold.shape, generator=g) * 0.7)
    return net.eval()


@pytest.fixture
def small():
    torch.manual_seed(1)
    net = billnet.BILLNET(**SMALL)
    return trained(net, clips_of(net.config.clip))
