import io

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image

from colorkit.base.errors import KitError
from colorkit.base.reading import read_picture
from colorkit.sources import open_source


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


BESIDE = pytest.mark.skipif(not SHARED.exists(), reason="the shared paintings are elsewhere")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_none(kind):
    content = encoded(Image.new("RGB", (40, 20)), kind, exif=b"Exif\0\0no TIFF")
    assert read_picture(content).size == (40, 20)


def test_what_is_transparent_lies_on_white():
    picture = read_picture(encoded(Image.new("RGBA", (4, 4), (200, 100, 50, 0))))
    assert picture.getpixel((1, 1)) == (255, 255, 255)


def test_what_is_no_whole_picture_says_so(gallery):
    """Even if only the end is missing: given one, libjpeg fills lost rows with grey, unsaid."""
    whole = (gallery / "Ada_Blue" / "Ada_Blue_1.jpg").read_bytes()
    told = {b"": "an empty file", b"hello": "not a picture"}
    for end in (len(whole) // 2, -2):  # -2: all pixels are there
        told[whole[:end]] = "its end is missing"
    for content, says in told.items():
        with pytest.raises(KitError, match=says):
            read_picture(content)


def plainly(content: bytes) -> Image.Image:
    """Read an ordinary picture by nothing but Pillow, as every published result was."""
    return Image.open(io.BytesIO(content)).convert("RGB")


@pytest.mark.parametrize("data", ["sample", pytest.param(str(SHARED), marks=BESIDE)])
def test_ordinary_paintings_are_read_to_the_bit_as_pillow_does(data):
    source = open_source(data)
    for painting in source.paintings[::12]:
        content = (source.root / painting.path).read_bytes()
        assert np.array_equal(np.asarray(read_picture(content)), np.asarray(plainly(content)))
