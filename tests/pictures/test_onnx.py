import json
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from colorizers import untrained
from torch import nn

from colorkit.base.errors import KitError
from colorkit.pictures import onnx as export


@pytest.mark.parametrize("architecture", ["unet_resnet18", "pix2pix_scratch", "lite_unet"])
def test_onnx_gives_the_same_for_any_batch(tmp_path, architecture):
    model = untrained(architecture)
    assert export.export_onnx(model, tmp_path / "model.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["colorkit"]) == model.config
    for count in (1, 5):
        L = torch.rand(count, 1, 32, 32) * 2 - 1
        (ab,) = session.run(["ab"], {"L": L.numpy()})
        with torch.inference_mode():
            assert np.abs(ab - model(L).numpy()).max() <= 1e-4


@pytest.mark.parametrize(
    ("tolerance", "bias", "says"),
    [(-1.0, 0.0, "would differ from the model by .*; not written"), (1e-4, np.nan, "not written")],
)
def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch, tolerance, bias, says):
    model = untrained()
    model.generator = nn.Conv2d(1, 2, 1)  # a small one; which does not matter
    model.generator.bias.data[0] = bias
    monkeypatch.setattr(export, "TOLERANCE", tolerance)
    with pytest.raises(KitError, match=says):
        export.export_onnx(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        KitError, match=r"onnxruntime is not installed; .*colorkit-paintings\[onnx\]"
    ):
        export.export_onnx(untrained(), tmp_path / "model.onnx")
