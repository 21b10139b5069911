"""Paintings decoded and resized once: (N, 3, S, S) uint8, in memory or memory-mapped.

Paper: section 3.1 (256 x 256, bicubic).
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .base.errors import KitError
from .base.files import is_whole, write_checked
from .base.reading import read_picture
from .curation import manifest_text
from .splits import PARTS

DECODED_AT_ONCE = 64  # paintings decoded at a time, which bounds the memory it takes


def load_pixels(root: Path, manifest: pd.DataFrame, size: int) -> Tensor:
    """Read and resize the paintings of a manifest: (N, 3, size, size), uint8 sRGB, in memory.

    Square, bicubic with antialias, aspect ignored as in the paper.
    Raises KitError if a file is missing or is not the one the manifest was made from.
    """
    return torch.from_numpy(np.stack(list(_decode(root, manifest, size))))


def part_pixels(out: Path, root: Path, manifest: pd.DataFrame, size: int) -> dict[str, Tensor]:
    """Read the paintings part by part, decoding them only once in the life of a results folder.

    Returns {"train": (n, 3, size, size) uint8, "test": …, "valid": …} in the manifest's order,
    memory-mapped from <out>/pixels, so they need not fit in memory. A damaged file is made
    again. Raises KitError as `load_pixels` does.
    """
    parts = {name: manifest[manifest["part"] == name] for name in PARTS}
    ordered = pd.concat(parts.values())
    digest = hashlib.sha256(manifest_text(manifest).encode()).hexdigest()
    folder, stem = out / "pixels", f"{digest[:16]}-{size}px"
    for path in folder.glob(f"{stem}-*.npy"):
        if is_whole(path):
            break
        print(f"{path}: damaged, made again")
        path.unlink()
    else:
        path = write_checked(folder, stem, ".npy", _npy(root, ordered, size))
    pixels = torch.from_numpy(np.load(path, mmap_mode="c"))
    return dict(zip(parts, pixels.split([len(part) for part in parts.values()]), strict=True))


def evenly(count: int, paintings: int) -> list[int]:
    """Pick `count` of so many paintings, or all if they are fewer, spread evenly over them."""
    return np.linspace(0, paintings - 1, min(count, paintings)).astype(int).tolist()


def _npy(root: Path, manifest: pd.DataFrame, size: int) -> Iterable[bytes]:
    """Write what `_decode` gives in NumPy's file format, without holding it all."""
    header = io.BytesIO()
    shape = (len(manifest), 3, size, size)
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    yield header.getvalue()
    for square in _decode(root, manifest, size):
        yield square.tobytes()


def _decode(root: Path, manifest: pd.DataFrame, size: int) -> Iterator[np.ndarray]:
    """Give the paintings one by one, (3, size, size), decoded a few ahead on all cores."""

    def load(path: str, sha256: str, mirrored: int) -> np.ndarray:
        try:
            content = (root / path).read_bytes()
        except OSError as error:
            raise KitError(
                f"{root / path}: {error.strerror}; restore it and start again"
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise KitError(
                f"{root / path}: has changed since manifest.csv was made; restore the file, "
                "or choose another --out"
            )
        square = read_picture(content).resize((size, size), Image.Resampling.BICUBIC)
        if mirrored:
            square = ImageOps.mirror(square)
        return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding Python's lock
        for start in range(0, len(manifest), DECODED_AT_ONCE):
            rows = manifest.iloc[start : start + DECODED_AT_ONCE]
            yield from pool.map(load, rows["path"], rows["sha256"], rows["mirrored"])
