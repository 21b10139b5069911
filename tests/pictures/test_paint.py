import io
import itertools

import numpy as np
import pytest
import torch
from colorizers import model_of
from PIL import Image
from profiles import lightness
from skimage import data
from torch.nn import functional

from colorkit import colorize
from colorkit.base.errors import KitError
from colorkit.base.icc import BAND
from colorkit.color import encode, join, lab_to_paler_rgb
from colorkit.pictures.files import Picture, open_picture
from colorkit.pictures.paint import colorize_picture, colours_of, compare
from colorkit.pictures.pretrained import BOX, Colorizer
from colorkit.sources import open_source


@pytest.fixture
def model() -> Colorizer:
    """Moderate colours, so that most of them are in sRGB at every lightness."""
    torch.manual_seed(0)
    return model_of(0.15 * functional.interpolate(torch.randn(1, 2, 4, 4), (32, 32))[0])


@pytest.fixture
def grey() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (70, 50), dtype=np.uint8)
    return Image.fromarray(values)


def test_a_grey_pictures_lightness_is_kept_but_for_rounding(grey, model):
    coloured, paler = colorize_picture(Picture(grey), model)
    assert coloured.size == grey.size
    seen, given = (lightness(np.asarray(image) / 255) for image in (coloured, grey))
    difference = np.abs(seen - given)
    assert difference.max() < 0.5  # half a step of 8 bits in R, G and B is at most that in L*
    assert 0 < paler < 0.5
    assert np.asarray(coloured).std(axis=-1).mean() > 5  # it has colours


@pytest.mark.parametrize("strength", [1, 2])
def test_white_stays_white_and_black_black(strength):
    for value, model in itertools.product((0, 255), BOX):
        coloured = colorize(np.full((40, 40), value, np.uint8), model, strength)
        assert set(np.unique(coloured)) == {value}


@pytest.mark.parametrize(("width", "height"), [(700, 2 * BAND // 700 + 13), (20, 1), (2, 333)])
def test_all_of_the_picture_is_coloured_as_if_at_once(model, width, height):
    """Band by band, for a picture of several bands, equals resizing the colours as a whole."""
    values = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    coloured, _ = colorize_picture(Picture(Image.fromarray(values)), model)
    L, _ = encode(torch.from_numpy(values / np.float32(255)).expand(3, -1, -1))
    options = {"mode": "bicubic", "antialias": True}
    ab = functional.interpolate(model.generator.ab[None], (height, width), **options)[0]
    wanted = (255 * lab_to_paler_rgb(join(L, ab.detach()))[0]).round().byte().movedim(0, -1).numpy()
    assert np.abs(np.asarray(coloured).astype(int) - wanted).max() <= 1


def test_no_strength_is_grey_and_twice_is_more(grey, model):
    off, plain, twice = (colorize(grey, model, strength) for strength in (0, 1, 2))
    assert np.asarray(off).std(axis=-1).max() <= 1
    vivid = [np.asarray(image).std(axis=-1).mean() for image in (off, plain, twice)]
    assert vivid[0] < vivid[1] < vivid[2]


def test_paths_pictures_arrays_and_lists_give_the_same(grey, model, tmp_path):
    grey.save(tmp_path / "grey.png")
    array = np.asarray(grey)
    colour = np.stack([array, array, array], axis=-1)
    wanted = np.asarray(colorize(grey, model))
    path, fine = tmp_path / "grey.png", array.astype(np.uint16) * 257
    for source in (str(path), path, array, array / 255.0, fine):
        assert np.abs(np.asarray(colorize(source, model)).astype(int) - wanted).max() <= 1
    several = [*colorize([grey, array], model), *colorize(np.stack([colour, colour]), model)]
    assert all(np.array_equal(np.asarray(one), wanted) for one in several)
    assert np.array_equal(np.asarray(colorize(colour, model)), wanted)


def test_transparency_is_kept(grey, model):
    alpha = Image.fromarray(np.tile(np.arange(50, dtype=np.uint8), (70, 1)))
    picture = Image.merge("LA", (grey, alpha))
    coloured = colorize(picture, model)
    assert coloured.mode == "RGBA"
    assert np.array_equal(np.asarray(coloured.getchannel("A")), np.asarray(alpha))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.full((4, 4), 2.0),
        np.full((4, 4), np.nan),
        np.zeros((4, 4), np.int64),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array, model):
    with pytest.raises(KitError, match="must be"):
        colorize(array, model)


def test_strength_and_size_are_checked(grey, model):
    for strength in (-1, 2.1, float("nan")):
        with pytest.raises(KitError, match="strength"):
            colorize(grey, model, strength)
    for size in (33, 4096, -32):
        with pytest.raises(KitError, match=f"size {size}: must be a multiple of 32"):
            colorize(grey, model, size=size)
    model.config["architecture"] = "pix2pix_scratch"
    with pytest.raises(KitError, match="this model sees squares of 32 px and no others"):
        colorize(grey, model, size=64)


def test_an_untrained_model_is_said_to_be_one(grey, model):
    model.config["epochs"] = 0
    with pytest.warns(UserWarning, match="UNTRAINED") as told:
        assert colorize(grey, model).size == grey.size
    assert len(told) == 1


def test_a_picture_cut_off_is_one_error(grey, model, tmp_path):
    grey.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    with pytest.raises(KitError, match="the picture cannot be read"):
        colorize(Image.open(io.BytesIO(content[: len(content) // 2])), model)


RAMP = np.tile(np.arange(256, dtype=np.uint8), (64, 1))


def sepia(grey: np.ndarray, quality: int) -> Image.Image:
    """Print a grey picture in brown ink on cream paper, as a JPEG."""
    ink, paper = np.array([40, 26, 18]), np.array([245, 228, 196])
    content = io.BytesIO()
    toned = ink + (paper - ink) * (grey[..., None] / 255)
    Image.fromarray(toned.astype(np.uint8)).save(content, "JPEG", quality=quality)
    return Image.open(content)


@pytest.mark.parametrize(
    ("image", "colours"),
    [
        (Image.fromarray(RAMP), "none"),
        (Image.fromarray(RAMP.astype(np.uint16) * 257), "none"),
        (Image.new("RGB", (50, 70), "white"), "none"),
        (Image.fromarray(RAMP[..., None] // 2 + np.uint8([1, 0, 2])), "none"),
        (sepia(data.camera(), quality=90), "toned"),
        (sepia(data.camera(), quality=50), "toned"),
        (Image.new("RGB", (50, 70), "navajowhite"), "toned"),
        (Image.fromarray(data.astronaut()), "many"),
    ],
    ids=["grey", "16 bits", "blank", "off by 2", "sepia", "blocky", "old paper", "photograph"],
)
def test_grey_toned_and_coloured_pictures_are_told_apart(image, colours):
    assert colours_of(Picture(image)) == colours


@pytest.mark.parametrize(
    ("title", "colours"),
    [
        ("Boating", "many"),
        ("Self-Portrait", "many"),  # Rembrandt's, all brown
        ("Old Trees, Level Distance", "toned"),  # ink on silk
    ],
)
def test_paintings_have_colours_and_ink_has_a_tone(title, colours):
    source = open_source("sample")
    painting = next(p for p in source.paintings if p.title == title)
    assert colours_of(open_picture(source.root / painting.path)) == colours


def test_the_nearest_is_what_the_eye_finds_nearest():
    measured = {"grey": (0.03, 9.0, 0.0), "lively": (0.01, 9.5, 1.4), "cautious": (0.02, 7.0, 0.6)}
    said = compare(measured)
    assert said["verdict"] == (
        "Nearest (CIEDE2000): cautious; liveliest: lively. "
        "Here the liveliest answer is not the nearest."
    )
    assert said["apart"]
    assert not said["grey"]
    assert not compare(measured | {"lively": (0.01, 7.04, 1.4)})["apart"]  # shown as near
    assert compare(measured | {"cautious": (0.02, 9.2, 0.6)})["grey"]
