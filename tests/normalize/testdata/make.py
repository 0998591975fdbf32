"""Makes networks that take normalized floats, bytes of clips, and what PyTorch gives for the clips normalized as
torchvision does: (x/255 - mean)/std. Needs torch and numpy:

    python make.py
"""
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Net(nn.Module):
    """A stem of 3x3x3 weights, binary or float, batch norm, sign, the mean over the map and a linear layer."""

    def __init__(self, binary, order):
        super().__init__()
        self.binary, self.order = binary, order
        self.conv, self.bn, self.fc = nn.Conv3d(3, 8, 3, padding=1, bias=False), nn.BatchNorm3d(8), nn.Linear(8, 4)
        self.bn.running_mean.normal_(0, 3)
        self.bn.running_var.uniform_(1, 9)
        self.bn.weight.data.normal_()
        self.bn.bias.data.normal_()

    def forward(self, x):
        x = x.permute(0, *(1 + self.order.index(a) for a in "CTHW"))
        w = torch.where(self.conv.weight >= 0, 1.0, -1.0) if self.binary else self.conv.weight
        x = self.bn(nn.functional.conv3d(x, w, padding=1))
        return self.fc(torch.where(x >= 0, 1.0, -1.0).mean((2, 3, 4)))


rng = np.random.default_rng(1)
for name, binary, order in (("binary_cthw", True, "CTHW"), ("binary_tchw", True, "TCHW"), ("float_thwc", False, "THWC")):
    net = Net(binary, order).eval()
    shape = [{"C": 3, "T": 3, "H": 6, "W": 7}[a] for a in order]
    torch.onnx.export(net, torch.zeros(1, *shape), f"{name}.onnx", input_names=["clip"], output_names=["logits"], dynamo=False, opset_version=13)
    clips = rng.integers(0, 256, (5, *shape)).astype(np.uint8)
    clips[0], clips[1] = 0, 255
    np.save(f"{name}.clips.npy", clips)
    along = [-1 if a == "C" else 1 for a in order]
    for kind, mean, std in (("channels", MEAN, STD), ("one", (0.45,), (0.225,))):
        x = (clips.astype(np.float32) / np.float32(255) - np.array(mean, np.float32).reshape(along if len(mean) == 3 else 1)) / np.array(std, np.float32).reshape(along if len(std) == 3 else 1)
        np.save(f"{name}.{kind}.npy", net(torch.from_numpy(x)).detach().numpy())
