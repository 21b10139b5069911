import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from colorkit import models
from colorkit.base.errors import KitError


@pytest.mark.parametrize("size", [64, 128])
def test_unet_resnet18_has_the_papers_parameters_and_keeps_the_size(size):
    unet = models.unet_resnet18(size, "random").eval()
    assert models.count_parameters(unet) == 31_099_672
    with torch.no_grad():
        out = unet(torch.zeros(2, 1, size, size))
    assert out.shape == (2, 2, size, size)
    assert type(out) is torch.Tensor


def test_scratch_unet_has_pix2pixs_parameters_at_256():
    assert models.count_parameters(models.ScratchUnet(256)) == 54_409_858


@pytest.mark.parametrize("size", [32, 64, 256])
def test_scratch_unet_halves_to_one_pixel_and_stays_within_tanh(size):
    unet = models.init_normal(models.ScratchUnet(size, filters=4))
    sizes = []
    for step in unet.down:
        step.register_forward_hook(lambda m, i, out: sizes.append(out.shape[-1]))
    out = unet(torch.randn(2, 1, size, size))
    assert out.shape == (2, 2, size, size)
    assert out.abs().max() < 1
    assert sizes == [size >> n for n in range(1, size.bit_length())]


@pytest.mark.parametrize("size", [16, 48, 100])
def test_scratch_unet_refuses_other_sizes(size):
    with pytest.raises(ValueError, match="power of two"):
        models.ScratchUnet(size)


def test_only_the_scratch_unet_has_noise():
    kinds = [type(m) for m in models.ScratchUnet(256).modules()]
    assert kinds.count(torch.nn.Dropout) == 3
    unet = models.unet_resnet18(64, "random")
    assert not any(isinstance(m, torch.nn.Dropout) for m in unet.modules())


def test_critic_is_the_70_pixel_patchgan():
    critic = models.PatchCritic()
    assert models.count_parameters(critic) == 2_765_633
    assert models.receptive_field(critic) == 70
    logits = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert logits.shape == (1, 1, 30, 30)


def test_initial_weights_are_pix2pixs():
    torch.manual_seed(0)
    network = models.init_normal(models.ScratchUnet(64))
    convolutions = torch.cat(
        [m.weight.flatten() for m in network.modules() if hasattr(m, "stride")]
    )
    assert abs(convolutions.mean()) < 1e-4
    assert abs(convolutions.std() - 0.02) < 1e-4
    norms = torch.cat(
        [m.weight.flatten() for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    )
    assert abs(norms.mean() - 1) < 0.002


@pytest.fixture
def weights_file(tmp_path, monkeypatch) -> Path:
    """A file in the layout of torchvision's, made here, and its checksum as the expected one."""
    torch.manual_seed(1)
    path = tmp_path / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(models, "RESNET18_SHA256", digest[:8])
    monkeypatch.setenv("COLORKIT_RESNET18", str(path))
    return path


def test_imagenet_weights_are_loaded_and_the_stem_sums_rgb(weights_file):
    state = torch.load(weights_file, weights_only=True)
    body = models.unet_resnet18(64, "imagenet").layers[0]
    assert torch.allclose(body[0].weight, state["conv1.weight"].sum(1, keepdim=True))
    assert torch.equal(body[7][1].conv2.weight, state["layer4.1.conv2.weight"])


def test_a_wrong_weights_file_is_refused(weights_file):
    weights_file.write_bytes(weights_file.read_bytes()[:-1] + b"x")
    with pytest.raises(KitError, match="sha256 begins with"):
        models.imagenet_weights()
    weights_file.unlink()
    with pytest.raises(KitError, match="COLORKIT_RESNET18=.*No such file"):
        models.imagenet_weights()


def test_no_imagenet_weights_is_one_clear_error(monkeypatch):
    from torchvision.models import ResNet18_Weights

    def unreachable(self, **options):
        raise OSError("no network")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", unreachable)
    with pytest.raises(KitError, match=r"no network.*COLORKIT_RESNET18.*COLORKIT_WEIGHTS=random"):
        models.unet_resnet18(64, "imagenet")
