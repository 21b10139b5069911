"""Batches of L and ab on the device, in an order and with mirrorings of the seed's own.

Paper: section 3.1 (horizontal flips for training).
"""

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from .base.device import RESIDENT_SHARE, total_memory
from .color import Encoder, encode
from .experiment import BATCH_SIZE, FLIP_PROBABILITY

CPU = torch.device("cpu")
AHEAD = 64  # paintings converted at a time, which bounds the memory it takes


class Batches:
    """Batches (L, ab) of one part on a device; what fastai's Learner iterates over.

    pixels: (N, 3, S, S) uint8, in memory or memory-mapped. If they fit, they are moved to the
    device whole and converted there once; if not, batch by batch: the same numbers in less
    memory. Yields L (n, 1, S, S) and ab (n, 2, S, S), scaled as in color.py; the last batch may
    be smaller. With `seed`, the order is shuffled (unless `shuffle` is off) and half of the
    pictures are mirrored, anew in every epoch, both from a generator of the seed's own. `encode`
    makes another grey of them (`film.grey_encoder`); one that draws draws once a picture if they
    fit, and once an epoch if not.
    """

    n_inp = 1  # fastai: how many of the batch's tensors the model sees

    def __init__(
        self,
        pixels: Tensor,
        seed: int | None = None,
        device: torch.device = CPU,
        batch_size: int = BATCH_SIZE,
        shuffle: bool = True,
        encode: Encoder = encode,
    ):
        self.pixels, self.device, self.batch_size = pixels, device, batch_size
        self.shuffle, self.encode = shuffle, encode
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.order_sha256 = ""  # of the last epoch's order and mirrorings
        self.converted = _convert(pixels, device, encode) if fits(pixels, device) else None

    def __len__(self) -> int:
        return -(-len(self.pixels) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order, unmirrored = self._draw()
        self.order_sha256 = hashlib.sha256(f"{order.tolist()} {unmirrored}".encode()).hexdigest()
        order = order.to(self.device if self.converted else CPU)
        for index, plain in zip(order.split(self.batch_size), unmirrored, strict=True):
            batch = self._pictures(index)
            for part in batch:
                part[plain:] = part[plain:].flip(-1)  # Lab looks at one pixel at a time
            yield batch

    def _draw(self) -> tuple[Tensor, list[int]]:
        """Draw an epoch: the order, and how many of each batch come before the mirrored ones."""
        count = len(self.pixels)
        order, mirrored = torch.arange(count), torch.zeros(count, dtype=torch.bool)
        if self.generator:
            shuffled = torch.randperm(count, generator=self.generator)
            order = shuffled if self.shuffle else order
            mirrored = torch.rand(count, generator=self.generator) < FLIP_PROBABILITY
        batches = order.split(self.batch_size), mirrored.split(self.batch_size)
        halves = [(i[~m], i[m]) for i, m in zip(*batches, strict=True)]
        return torch.cat([torch.cat(pair) for pair in halves]), [len(plain) for plain, _ in halves]

    def _pictures(self, index: Tensor) -> tuple[Tensor, Tensor]:
        if self.converted:
            L, ab = self.converted
            return L.index_select(0, index), ab.index_select(0, index)
        return self.encode(self.pixels[index].to(self.device).float() / 255)


def fits(pixels: Tensor, device: torch.device) -> bool:
    """Tell whether converted pictures (12 bytes a pixel) leave a device room for training."""
    return 4 * pixels.numel() <= RESIDENT_SHARE * total_memory(device)


def _convert(pixels: Tensor, device: torch.device, encode: Encoder) -> tuple[Tensor, Tensor]:
    shapes = [part.shape[1:] for part in encode(pixels[:0].to(device).float())]
    L, ab = (torch.empty(len(pixels), *shape, device=device) for shape in shapes)
    for start in range(0, len(pixels), AHEAD):
        part = slice(start, start + AHEAD)
        L[part], ab[part] = encode(pixels[part].to(device).float() / 255)
    return L, ab
