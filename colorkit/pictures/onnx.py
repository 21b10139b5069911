"""A model for programs without PyTorch: ONNX, checked against PyTorch before it is kept."""

import copy
import io
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from ..base.errors import KitError, need
from ..base.files import user_path, write_atomic
from .pretrained import Colorizer

OPSET = 18
TOLERANCE = 1e-4  # of ab/110: a hundredth of a Lab unit


class PlainUnet(nn.Module):
    """The network of `unet_resnet18` with its skip connections written out; it shares its layers.

    fastai takes them by hooks, which no exporter follows. Maps L (N, 1, H, W) to ab
    (N, 2, H, W) with the same numbers, H and W multiples of 32.
    """

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.encoder, norm, relu, middle, *blocks, enlarge, _, _, residual, last = unet.layers
        self.bottom, self.blocks = nn.Sequential(norm, relu, middle), nn.ModuleList(blocks)
        self.enlarge, self.head = enlarge, nn.Sequential(residual, last)

    def forward(self, L: Tensor) -> Tensor:
        skips, x = [], L
        for index, layer in enumerate(self.encoder):
            x = layer(x)
            if index in (2, 4, 5, 6):  # the last at each resolution but the lowest
                skips.append(x)
        x = self.bottom(x)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            joined = torch.cat((block.shuf(x), block.bn(skip)), dim=1)
            x = block.conv2(block.conv1(block.relu(joined)))
        return self.head(torch.cat((self.enlarge(x), L), dim=1))


def export_onnx(model: Colorizer, path: str | Path) -> float:
    """Write a model as ONNX: "L" (batch, 1, S, S) -> "ab" (batch, 2, S, S), batch free.

    The scaling of L and ab is color.py's, and stands in the file's metadata with the model's
    config. Returns the largest difference to PyTorch on the CPU. Raises KitError, and writes
    nothing, if it is above 1e-4, or if the extra "onnx" is not installed.
    """
    onnxruntime = need("onnx", "onnxruntime", "onnxscript")  # PyTorch's exporter is built on it
    model = copy.deepcopy(model).cpu().eval()  # the caller's stays on its device
    generator = model.generator
    if model.config["architecture"] == "unet_resnet18":
        generator = PlainUnet(generator).eval()
    some = torch.rand(3, 1, model.size, model.size) * 2 - 1
    program = torch.onnx.export(
        generator,
        (some,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["L"],
        output_names=["ab"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    program.model.metadata_props["colorkit"] = json.dumps(model.config)
    content = io.BytesIO()
    program.save(content)
    session = onnxruntime.InferenceSession(content.getvalue(), providers=["CPUExecutionProvider"])
    differences = []
    for L in (some, some[:1]):
        with torch.inference_mode():
            wanted = model(L)
        (ab,) = session.run(["ab"], {"L": L.numpy()})
        differences.append((torch.from_numpy(ab) - wanted).abs().max())
    difference = float(torch.stack(differences).max())  # which is NaN if one is
    if not difference <= TOLERANCE:
        raise KitError(f"{path}: would differ from the model by {difference:.2g}; not written")
    write_atomic(user_path(str(path)), content.getvalue())
    return difference
