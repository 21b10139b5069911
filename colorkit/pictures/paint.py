"""Colour any picture: the model sees a small square, its colours go onto the full-size lightness.

Lightness is the picture's own, so a coloured picture is as sharp as the grey one; the eye hardly
sees that the colours are not (notebook 2, blurred ab).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ..base.errors import KitError, check_range
from ..base.icc import bands
from ..color import AB_SCALE, encode, grey_input, join, lab_to_paler_rgb
from .files import Picture, as_picture, open_picture
from .pretrained import DEFAULT, Colorizer, load_pretrained

PictureInput = str | Path | BinaryIO | Image.Image | np.ndarray
GREYISH = 2.0  # mean chroma C*: with less, nobody sees colours
ONE_TONE = 0.12  # share of the chroma that lightness may leave untold in a toned picture


def colorize(
    image: PictureInput | Sequence[PictureInput],
    model: Colorizer | str | Path = DEFAULT,
    strength: float = 1.0,
    size: int = 0,
) -> Image.Image | list[Image.Image]:
    """Colour a picture, or a list of them, at its own size.

    image: a path, an open file, a PIL image, an array (H, W) or (H, W, 3), uint8, uint16 or floats
    in [0, 1], or a batch of such, (N, H, W, 3); of a colour picture only the lightness is used.
    model: a Colorizer, "lively" or "cautious", a folder, or "owner/name" on the Hugging Face Hub.
    strength: factor on the colours, 0 to 2. size: the square the model sees; 0: its own.
    Returns sRGB pictures ("RGB", or "RGBA" if the input has transparency); warns if the model is
    untrained. Raises KitError for what is no picture or no model.
    """
    if not isinstance(model, Colorizer):
        model = load_pretrained(model)
    if not model.config.get("epochs"):
        warnings.warn(f"{model.name}: what it gives are no colours of anything", stacklevel=2)
    if isinstance(image, (list, tuple)) or (isinstance(image, np.ndarray) and image.ndim == 4):
        return [colorize(one, model, strength, size) for one in image]
    picture = _picture(image)
    coloured, _ = colorize_picture(picture, model, strength, size)
    if picture.alpha:
        coloured.putalpha(picture.alpha)
    return coloured


def colorize_picture(
    picture: Picture, model: Colorizer, strength: float = 1.0, size: int = 0
) -> tuple[Image.Image, float]:
    """Colour one picture; returns it ("RGB") and the share of pixels made paler to be in sRGB.

    The lightness is the input's everywhere, within the rounding to 8 bits: where sRGB lacks the
    predicted colour, chroma is lowered. Raises KitError for a size that the model cannot see.
    """
    check_range("strength", strength, 0, 2)
    return paint_ab(picture.image, strength * predict_ab(picture, model, size))


def grey_version(picture: Picture) -> Image.Image:
    """Return a picture with its lightness only, "RGB": what a model sees of it, at full size."""
    return paint_ab(picture.image, torch.zeros(2, 1, 1))[0]


def colours_of(picture: Picture) -> str:
    """Say what colours a picture has: "none", "toned" or "many".

    Grey, noise of a lossy file or not, is "none". "toned", such as a sepia photograph, is one
    colour for each lightness: a cubic of L tells nearly all of ab.
    """
    L, ab = encode(square(picture.image, 64))
    L, ab = L.flatten(), ab[0].flatten(1).T
    powers = torch.stack([L**power for power in range(4)], dim=1)
    tone = powers @ torch.linalg.lstsq(powers, ab, driver="gelsd").solution  # one L is enough
    chroma, untold = ab.norm(dim=1).mean(), (ab - tone).norm(dim=1).mean()
    if AB_SCALE * chroma < GREYISH:
        return "none"
    return "toned" if untold < ONE_TONE * chroma else "many"


def check_size(model: Colorizer, size: int) -> None:
    """Raise KitError unless a model can see squares of `size` px; 0 is its own."""
    size = size or model.size
    if size != model.size and not model.any_size:
        raise KitError(f"size {size}: this model sees squares of {model.size} px and no others")
    if size % 32 or not 32 <= size <= 1024:
        raise KitError(f"size {size}: must be a multiple of 32 from 32 to 1024")


def predict_ab(picture: Picture, model: Colorizer, size: int = 0) -> Tensor:
    """Show a model the picture as a square, as in training: ab (2, size, size), on the CPU."""
    check_size(model, size)
    size = size or model.size
    device = next(iter(model.state_dict().values())).device
    with torch.inference_mode():
        return model(grey_input(square(picture.image, size)).to(device))[0].float().cpu()


def measure(
    picture: Picture, model: Colorizer, strength: float = 1.0
) -> tuple[float, float, float]:
    """Compare a model's square with the picture's own: mse_ab, CIEDE2000, chroma ratio.

    picture: with its true colours. strength: 0 measures grey. The ratio is 0 if it has no colours.
    """
    from ..metrics import score  # slow to import, and colouring does not need it

    L, ab = encode(square(picture.image, model.size))
    with torch.inference_mode():
        (row,) = score(L, strength * model(L), ab)
    vivid = row["chroma"] / row["chroma_true"] if row["chroma_true"] else 0.0
    return row["mse_ab"], row["ciede2000"], vivid


def compare(measured: Mapping[str, tuple[float, float, float]]) -> dict[str, Any]:
    """Say which answers are liveliest and nearest, as far as the numbers that pages show tell.

    measured: what `measure` gives for "grey" and each model. Returns the sentence ("verdict"),
    whether no answer is both ("apart"), and whether no guess is nearer than grey ("grey").
    """
    errors = {name: round(error, 1) for name, (_, error, _) in measured.items()}
    chroma = {name: round(ratio, 2) for name, (_, _, ratio) in measured.items()}
    nearest = [name for name, error in errors.items() if error == min(errors.values())]
    liveliest = [name for name, ratio in chroma.items() if ratio == max(chroma.values())]
    apart = not {*nearest} & {*liveliest}
    told = "is not the nearest" if apart else "is the nearest, too"
    named = f"Nearest (CIEDE2000): {' and '.join(nearest)}; liveliest: {' and '.join(liveliest)}"
    verdict = f"{named}. Here the liveliest answer {told}."
    return {"verdict": verdict, "apart": apart, "grey": "grey" in nearest}


def square(image: Image.Image, size: int) -> Tensor:
    """Resize a picture to a square as in training: (1, 3, size, size), sRGB in [0, 1]."""
    fine = image.mode == "I;16"  # so, Pillow 11.3 (Colab has it) errs near black and near white
    resized = (image.convert("F") if fine else image).resize((size, size), Image.Resampling.BICUBIC)
    if fine:
        resized = Image.fromarray(np.asarray(resized).clip(0, 65535).astype(np.uint16))
    return _rgb(resized)[None]


_PAINTING = Lock()  # the number of threads is the whole process's


@contextmanager
def _one_thread() -> Iterator[None]:
    """Several threads would mostly wait for each other: bands are small."""
    with _PAINTING:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@_one_thread()
def paint_ab(image: Image.Image, ab: Tensor) -> tuple[Image.Image, float]:
    """Put the colours of a small square (2, S, S) onto a picture's lightness, band by band.

    image: of a `Picture`. Returns it, "RGB", and the share of pixels made paler to be in sRGB.
    """
    width, height = image.size
    rows, columns = _weights(height, len(ab[0])), _weights(width, len(ab[0]))
    coloured, paler = Image.new("RGB", (width, height)), 0
    for box in bands(image):
        _, top, _, bottom = box
        lab = join(_lightness(image.crop(box)), rows[top:bottom] @ ab @ columns.T)
        rgb, outside = lab_to_paler_rgb(lab)
        paler += int(outside.sum())
        band = (255 * rgb).round().byte().movedim(0, -1)
        coloured.paste(Image.fromarray(band.numpy()), (0, top))
    return coloured, paler / (width * height)


def _weights(length: int, size: int) -> Tensor:
    """Return the matrix (length, size) that resizes `size` values to `length`, bicubic.

    Resizing is linear, so a picture's rows can be made band by band: rows @ ab @ columns.T. Plain
    enlargement, because true colours shrunk to 256 px came back nearer than by a guided or a joint
    bilateral filter.
    """
    one_by_one = torch.eye(size)[None, None]
    resized = functional.interpolate(one_by_one, (length, size), mode="bicubic", antialias=True)
    return resized[0, 0]


def _lightness(image: Image.Image) -> Tensor:
    """Return L (1, H, W) in [-1, 1]; grey of 8 bits has 256 values, and each is converted once."""
    if image.mode != "L":
        return grey_input(_rgb(image))
    table = grey_input(_rgb(Image.fromarray(np.arange(256, dtype=np.uint8)[None])))[0, 0]
    return table[torch.from_numpy(np.asarray(image, dtype=np.int64))][None]


def _rgb(image: Image.Image) -> Tensor:
    """Return pixels as sRGB in [0, 1]: (3, H, W)."""
    values = np.asarray(image)
    scaled = torch.from_numpy(values / np.float32(65535 if values.dtype == np.uint16 else 255))
    return scaled.expand(3, -1, -1) if scaled.ndim == 2 else scaled.movedim(-1, 0)


def _picture(image: PictureInput) -> Picture:
    if isinstance(image, (str, Path)):
        path = Path(image).expanduser()
        if not path.is_file():
            raise KitError(f"{str(image)!r}: no such file; give a path, a PIL image or an array")
        return open_picture(path)
    if hasattr(image, "read"):
        return open_picture(image)
    if isinstance(image, np.ndarray):
        return as_picture(Image.fromarray(_checked_values(image)))
    if not isinstance(image, Image.Image):
        kind = type(image).__name__
        raise KitError(f"{kind}: must be a path, an open file, a PIL image or an array")
    try:
        return as_picture(image)
    except KitError:
        raise
    except (OSError, ValueError) as error:  # such as a picture cut off, which Pillow reads late
        raise KitError(f"the picture cannot be read: {error}") from error


def _checked_values(array: np.ndarray) -> np.ndarray:
    values = array.astype(np.float32) if array.dtype == np.float16 else array  # 65535 is too much
    if not values.size or values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,)):
        raise KitError(f"array of shape {values.shape}: must be (H, W) or (H, W, 3), not empty")
    if np.issubdtype(values.dtype, np.floating) and 0 <= values.min() <= values.max() <= 1:
        values = (values * 65535).round().astype(np.uint16)
    if values.dtype not in (np.uint8, np.uint16):
        raise KitError(f"array of {values.dtype}: must be uint8, uint16, or floats in [0, 1]")
    if values.ndim == 3 and values.dtype == np.uint16:  # Pillow has no 16-bit colour
        values = (values / 257).round().astype(np.uint8)
    return values
