"""From a manifest to batches: pictures resized once, then everything as tensors on the device.

Paper: section 3.1 (256 x 256, bicubic; horizontal flips for training).
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from .color import encode
from .errors import KitError
from .experiment import BATCH_SIZE, FLIP_PROBABILITY
from .sources import read_picture


def load_pixels(root: Path, manifest: pd.DataFrame, size: int) -> Tensor:
    """Read and resize the paintings of a manifest: (N, 3, size, size), uint8 sRGB, on the CPU.

    Square, bicubic with antialias, aspect ignored as in the paper.
    Raises KitError if a file is missing or is not the one the manifest was made from.
    """

    def load(path: str, sha256: str) -> np.ndarray:
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
        return np.asarray(square)

    with ThreadPoolExecutor() as pool:
        squares = list(pool.map(load, manifest["path"], manifest["sha256"]))
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


def split_pixels(pixels: Tensor, manifest: pd.DataFrame, device: torch.device) -> dict[str, Tensor]:
    """Move each split to the device whole: {"train": (n, 3, S, S) uint8, "test": …, "valid": …}."""
    return {
        name: pixels[torch.tensor((manifest["split"] == name).tolist())].to(device)
        for name in ("train", "test", "valid")
    }


def examples(
    splits: dict[str, Tensor], manifest: pd.DataFrame, count: int = 5
) -> tuple[Tensor, list[str]]:
    """Pick test paintings to look at, spread evenly over the painters.

    Returns (count, 3, S, S) uint8 on the CPU, or fewer if there are fewer, and their titles.
    """
    titles = manifest.loc[manifest["split"] == "test", "title"].tolist()
    chosen = np.linspace(0, len(titles) - 1, min(count, len(titles))).astype(int).tolist()
    return splits["test"][chosen].cpu(), [titles[index] for index in chosen]


class Batches:
    """Batches (L, ab) of one split, made on its device; what fastai's Learner iterates over.

    pixels: (N, 3, S, S) uint8. Yields L (n, 1, S, S) and ab (n, 2, S, S), scaled as in color.py;
    the last batch may be smaller. With `seed`, the order is shuffled and half of the pictures
    are flipped left to right, anew in every epoch, both from a generator of the seed's own.
    """

    n_inp = 1  # fastai: how many of the batch's tensors the model sees

    def __init__(self, pixels: Tensor, seed: int | None = None):
        self.pixels, self.device = pixels, pixels.device
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.pixels) // BATCH_SIZE)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order, flip = (
            torch.arange(len(self.pixels)),
            torch.zeros(len(self.pixels), dtype=torch.bool),
        )
        if self.generator:
            order = torch.randperm(len(order), generator=self.generator)
            flip = torch.rand(len(order), generator=self.generator) < FLIP_PROBABILITY
        order, flip = order.to(self.device), flip.to(self.device)
        for index, flipped in zip(order.split(BATCH_SIZE), flip.split(BATCH_SIZE), strict=True):
            rgb = self.pixels[index].float() / 255
            yield encode(torch.where(flipped[:, None, None, None], rgb.flip(-1), rgb))
