import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.color import lab2rgb, rgb2lab

from colorkit import color


@pytest.fixture(scope="module")
def cube() -> torch.Tensor:
    """Every sixth step of the sRGB cube, its corners included: (3, 52, 2704)."""
    axis = torch.arange(0, 256, 5) / 255
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, 52, -1)


def skimage_lab(rgb: torch.Tensor) -> np.ndarray:
    return rgb2lab(rgb.movedim(0, -1).double().numpy())


def test_agrees_with_skimage_over_the_whole_cube(cube):
    ours = color.rgb_to_lab(cube).movedim(0, -1).numpy()
    assert np.abs(ours - skimage_lab(cube)).max() < 1e-3


def test_agrees_with_skimage_on_the_way_back_and_clips_as_it_does(cube):
    outside = np.array([[[50.0, 100.0, 0.0], [20.0, -80.0, 80.0], [90.0, 20.0, -90.0]]])
    for lab in (skimage_lab(cube), outside):
        ours = color.lab_to_rgb(torch.from_numpy(lab).float().movedim(-1, 0)).movedim(0, -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # skimage warns of each colour it clips
            assert np.abs(ours.numpy() - lab2rgb(lab)).max() < 1e-4


@given(hnp.arrays(np.float32, (2, 3, 4, 5), elements=st.floats(0, 1, width=32)))
def test_round_trip(rgb):
    L, ab = color.encode(torch.from_numpy(rgb))
    assert torch.allclose(color.decode(L, ab), torch.from_numpy(rgb), atol=1e-4)


@given(st.tuples(*[st.floats(0, 1, width=32)] * 3))
def test_any_colour_keeps_within_the_documented_ranges(pixel):
    L, ab = color.encode(torch.tensor(pixel)[:, None, None])
    assert -1.0001 <= L <= 1.0001
    a, b = ab.flatten().tolist()
    assert -0.79 <= a <= 0.90
    assert -0.99 <= b <= 0.87


@given(st.floats(0, 1, width=32))
def test_a_grey_pixel_has_no_ab(value):
    assert color.encode(torch.full((3, 1, 1), value))[1].abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(3, 8, 6), (2, 3, 8, 6), (2, 2, 3, 8, 6)])
def test_batched_equals_one_by_one(shape):
    rgb = torch.rand(shape, dtype=torch.float64)  # in 32 bits rounding alone is up to 3e-5
    flat = rgb.reshape(-1, 3, 8, 6)
    alone = torch.stack([color.rgb_to_lab(picture) for picture in flat]).reshape(shape)
    assert torch.allclose(color.rgb_to_lab(rgb), alone, atol=1e-5)


def test_grey_input_is_the_training_input():
    rgb = torch.rand(2, 3, 8, 8)
    assert torch.equal(color.grey_input(rgb), color.encode(rgb)[0])
    grey_file = color.decode(color.grey_input(rgb), torch.zeros(2, 2, 8, 8))
    assert torch.allclose(color.grey_input(grey_file), color.grey_input(rgb), atol=1e-4)


@pytest.mark.parametrize("lightness", [25, 50, 75])
def test_gamut_share_agrees_with_a_round_trip_through_skimage(lightness):
    mask = color.gamut_slice(lightness)[1].numpy()
    axis = np.linspace(-110, 110, 221)
    b, a = np.meshgrid(axis[::-1], axis, indexing="ij")
    lab = np.stack((np.full_like(a, lightness), a, b), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inside = np.abs(rgb2lab(lab2rgb(lab)) - lab).max(-1) < 0.1
    assert abs(mask.mean() - inside.mean()) < 0.003


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(torch.zeros(3, 4, 4, dtype=torch.uint8), "must be float"), (torch.zeros(4, 4, 4), "3, H, W")],
)
def test_refuses_integers_and_wrong_shapes(wrong, says):
    with pytest.raises(ValueError, match=says):
        color.rgb_to_lab(wrong)


@given(hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-1, 1, width=32)))
def test_a_colour_outside_srgb_is_made_paler_and_no_lighter(shares):
    lab = torch.from_numpy(shares) * torch.tensor([50.0, 110, 110])[:, None, None]
    lab[0] += 50
    rgb, outside = color.lab_to_paler_rgb(lab)
    assert torch.equal(outside, ~color.in_gamut(lab, tolerance=1e-5))
    assert torch.equal(rgb[:, ~outside], color.lab_to_rgb(lab)[:, ~outside])
    back = color.rgb_to_lab(rgb)
    assert (back[0] - lab[0]).abs().max() < 0.15  # of L*, in single precision
    cross = back[1] * lab[2] - back[2] * lab[1]
    assert (cross / lab[1:].norm(dim=0).clamp_min(1)).abs().max() < 0.5  # the hue is the same
    assert (back[1:].norm(dim=0) <= lab[1:].norm(dim=0) + 0.5).all()


def test_greys_are_the_same_under_d50_and_blue_is_lighter_under_d65():
    """ICC.1's sRGB blue is (29.57, 68.30, -112.03) under D50 and (32.30, 79.19, -107.86) here."""
    lab = torch.tensor([[29.57, 68.30, -112.03], [50.0, 0.0, 0.0]]).T[..., None]
    wanted = torch.tensor([[32.30, 79.19, -107.86], [50.0, 0.0, 0.0]]).T[..., None]
    assert torch.allclose(color.lab_from_d50(lab), wanted, atol=0.1)
