"""Batches of random crops, so that a network never sees quite the same painting twice."""

import hashlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..batches import CPU
from ..color import Encoder, encode

SMALLEST = 0.6  # of a painting's width and of its height


class Crops:
    """Batches (L, ab) of random crops, half of them mirrored; what fastai's Learner iterates over.

    pixels: (N, 3, P, P) uint8. Yields L (n, 1, size, size) and ab (n, 2, size, size), scaled as
    in color.py, or as `encode` makes them. Width and height of a crop are drawn apart, so shapes
    are stretched a little.
    """

    n_inp = 1  # fastai: how many of the batch's tensors the model sees

    def __init__(
        self, pixels: Tensor, size: int, seed: int, batch_size: int, encode: Encoder = encode
    ):
        self.pixels, self.size, self.batch_size, self.encode = pixels, size, batch_size, encode
        self.device, self.generator = CPU, torch.Generator().manual_seed(seed)
        self.order_sha256 = ""

    def __len__(self) -> int:
        return len(self.pixels) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.pixels), generator=self.generator)
        self.order_sha256 = hashlib.sha256(str(order.tolist()).encode()).hexdigest()
        for index in order.split(self.batch_size)[: len(self)]:
            yield self.encode(self._cropped(self.pixels[index].float() / 255))

    def _cropped(self, rgb: Tensor) -> Tensor:
        scale, place, mirror = torch.rand(3, len(rgb), 2, generator=self.generator)
        scale = SMALLEST + (1 - SMALLEST) * scale
        affine = torch.diag_embed(scale)
        affine[:, 0] *= torch.where(mirror[:, :1] < 0.5, -1, 1)
        moved = ((1 - scale) * (2 * place - 1))[..., None]  # the grid's corners are at -1 and 1
        grid = F.affine_grid(
            torch.cat((affine, moved), 2), [len(rgb), 3, self.size, self.size], align_corners=False
        )
        return F.grid_sample(rgb, grid, padding_mode="reflection", align_corners=False).clamp(0, 1)
