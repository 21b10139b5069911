"""A model for programs without PyTorch: ONNX, checked against PyTorch before it is kept."""

import copy
import io
import json
from pathlib import Path

import torch

from ..base.errors import KitError, need
from ..base.files import user_path, write_atomic
from .pretrained import Colorizer

OPSET = 18
TOLERANCE = 1e-4  # of ab/110: a hundredth of a Lab unit


def export_onnx(model: Colorizer, path: str | Path) -> float:
    """Write a model as ONNX: "L" (batch, 1, S, S) -> "ab" (batch, 2, S, S), batch free.

    The scaling of L and ab is color.py's, and stands in the file's metadata with the model's
    config. Returns the largest difference to PyTorch on the CPU. Raises KitError, and writes
    nothing, if it is above 1e-4, or if the extra "onnx" is not installed.
    """
    onnxruntime = need("onnx", "onnxruntime", "onnxscript")  # PyTorch's exporter is built on it
    model = copy.deepcopy(model).cpu().eval()  # the caller's stays on its device
    some = torch.rand(3, 1, model.size, model.size) * 2 - 1
    program = torch.onnx.export(
        model.generator,
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
