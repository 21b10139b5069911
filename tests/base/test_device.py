import copy

import pytest
import torch
from torch import nn

from colorkit.base import device
from colorkit.base.errors import KitError
from colorkit.models import unet_resnet18

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"), ((6, 1), "fp32")],
)
def test_precision_follows_the_gpu(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert device.best_precision(CUDA) == precision
    assert device.best_precision(CPU) == "fp32"


@pytest.mark.parametrize(("precision", "band"), [("bf16", 0.05), ("fp16", 0.01)])
def test_the_real_unet_in_16_bits_takes_and_gives_32(precision, band):
    unet = unet_resnet18(32, "random").eval()
    plain, x = copy.deepcopy(unet), torch.rand(1, 1, 32, 32)
    device.compute_in(precision, unet, CPU)
    with torch.no_grad():
        out, wanted = unet(x), plain(x)
    assert out.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in unet.parameters())
    assert 0 < (out - wanted).abs().max() < band * wanted.abs().max()


def test_32_bits_change_nothing():
    network = nn.Conv2d(1, 2, 3)
    before = network(torch.ones(1, 1, 4, 4))
    device.compute_in("fp32", network, CPU)
    assert torch.equal(network(torch.ones(1, 1, 4, 4)), before)


def test_determinism_is_asked_for_and_taken_back():
    device.prepare(0, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert device.os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    device.prepare(0, deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("name", ["tpu", "cuda"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(KitError, match=f"device '{name}'"):
        device.choose_device(name)
    assert device.choose_device("") == CPU


def test_memory_is_in_bytes():
    assert 0 < device.free_memory(CPU) <= device.total_memory(CPU)
    assert device.total_memory(CPU) > 500e6
