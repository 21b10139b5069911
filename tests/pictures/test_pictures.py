from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import bomb
from PIL import Image, ImageCms, PngImagePlugin

from colorkit.base.errors import KitError
from colorkit.pictures.files import MAX_PIXELS, Picture, open_picture, save_picture

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
GREY = Image.fromarray(RAMP)
FINE = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)


def write(tmp_path, image: Image.Image, name: str, **options) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path / name


def save(picture: Picture, path: Path) -> Image.Image:
    """Write a picture as if it had been coloured, without losses, and open what was written."""
    save_picture(replace(picture, image=picture.image.convert("RGB")), path)
    return Image.open(path)


def test_a_transparent_colour_or_value(tmp_path):
    palette = Image.fromarray(RAMP // 128).convert("P")
    path = write(tmp_path, palette, "p.png", transparency=0)
    assert set(np.unique(np.asarray(open_picture(path).alpha))) == {0, 255}
    picture = open_picture(write(tmp_path, Image.fromarray(FINE), "16.png", transparency=257))
    assert np.array_equal(np.asarray(picture.image), FINE)
    assert np.array_equal(np.asarray(picture.alpha) == 0, FINE == 257)


def test_a_grey_picture_in_three_channels_is_grey(tmp_path):
    assert open_picture(write(tmp_path, GREY.convert("RGB"), "g.jpg")).grey
    faint = Image.new("RGB", (9, 9), (90, 91, 90))
    assert not open_picture(write(tmp_path, faint, "c.png")).grey


@pytest.mark.parametrize("xmp", [b"D\xfcrer", b"x" * 70_000])
def test_xmp_that_a_format_cannot_hold_costs_nothing_else(tmp_path, xmp):
    tags = {315: "Albrecht", 700: xmp}
    picture = open_picture(write(tmp_path, Image.new("RGB", (9, 9)), "a.tif", tiffinfo=tags))
    for suffix in ("jpg", "png"):
        saved = save(picture, tmp_path / f"out.{suffix}")
        assert saved.getexif()[315] == "Albrecht"


def test_damaged_metadata_do_not_cost_the_picture(tmp_path):
    picture = Picture(GREY, kept={"dpi": (300.0, 10.0**10), "exif": b"x" * 70_000})
    for suffix in ("jpg", "png"):
        path = tmp_path / f"out.{suffix}"
        assert save_picture(picture, path) == ("EXIF", "resolution")
        Image.open(path).load()


def test_a_profile_is_converted_to_srgb(tmp_path):
    """A profile whose red and green are swapped says that (120, 130, 110) is (130, 120, 110)."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    profiles = {"plain": None, "same": srgb, "damaged": b"no profile at all", "swapped": swapped}
    image = Image.new("RGB", (8, 8), (120, 130, 110))
    shown = {
        name: open_picture(write(tmp_path, image, f"{name}.png", icc_profile=profile)).image
        for name, profile in profiles.items()
    }
    colours = {name: image.getpixel((0, 0)) for name, image in shown.items()}
    assert colours.pop("swapped") == pytest.approx((130, 120, 110), abs=1)
    assert set(colours.values()) == {(120, 130, 110)}


def test_what_a_png_says_of_itself_is_kept(tmp_path):
    title = PngImagePlugin.PngInfo()
    title.add_text("Title", "The Night Watch")
    picture = open_picture(write(tmp_path, GREY, "a.png", pnginfo=title))
    assert save(picture, tmp_path / "out.png").text["Title"] == "The Night Watch"


def test_transparency_needs_a_format_that_has_it(tmp_path):
    seen = Image.merge("LA", (GREY, Image.fromarray(RAMP.T.copy())))
    picture = open_picture(write(tmp_path, seen, "a.png"))
    with pytest.raises(KitError, match=r"JPEG has no transparency, the picture has; name it .png"):
        save(picture, tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()
    for suffix in ("png", "webp", "tif"):
        assert save(picture, tmp_path / f"out.{suffix}").mode == "RGBA"


def test_a_side_too_long_for_a_format_is_said(tmp_path):
    picture = open_picture(write(tmp_path, Image.new("L", (20_000, 1)), "a.png"))
    with pytest.raises(KitError, match=r"out.webp: cannot be written as WEBP"):
        save(picture, tmp_path / "out.webp")


def test_a_bomb_is_refused_from_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(bomb(int(MAX_PIXELS**0.5) + 1))
    with pytest.raises(KitError, match="bomb.png: more than 178,956,970 pixels"):
        open_picture(tmp_path / "bomb.png")
