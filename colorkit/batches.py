"""From a manifest to batches: pictures decoded and resized once, then tensors on the device.

Paper: section 3.1 (256 x 256, bicubic; horizontal flips for training).
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

from .base.device import RESIDENT_SHARE, total_memory
from .base.errors import KitError
from .base.files import is_whole, write_checked
from .color import encode
from .curation import manifest_hash
from .experiment import BATCH_SIZE, FLIP_PROBABILITY
from .sources import read_picture
from .splits import SPLITS

CPU = torch.device("cpu")
AHEAD = 64  # paintings decoded or converted at a time, which bounds the memory it takes


def load_pixels(root: Path, manifest: pd.DataFrame, size: int) -> Tensor:
    """Read and resize the paintings of a manifest: (N, 3, size, size), uint8 sRGB, in memory.

    Square, bicubic with antialias, aspect ignored as in the paper.
    Raises KitError if a file is missing or is not the one the manifest was made from.
    """
    return torch.from_numpy(np.stack(list(_decode(root, manifest, size))))


def split_pixels(out: Path, root: Path, manifest: pd.DataFrame, size: int) -> dict[str, Tensor]:
    """Read the paintings split by split, decoding them only once in the life of a results folder.

    Returns {"train": (n, 3, size, size) uint8, "test": …, "valid": …} in the manifest's order,
    memory-mapped from <out>/pixels, so they need not fit in memory. A damaged file is made
    again. Raises KitError as `load_pixels` does.
    """
    parts = {name: manifest[manifest["split"] == name] for name in SPLITS}
    ordered = pd.concat(parts.values())
    folder, stem = out / "pixels", f"{manifest_hash(manifest)[:16]}-{size}px"
    for path in folder.glob(f"{stem}-*.npy"):
        if is_whole(path):
            break
        print(f"{path}: damaged, made again")
        path.unlink()
    else:
        path = write_checked(folder, stem, ".npy", _npy(root, ordered, size))
    pixels = torch.from_numpy(np.load(path, mmap_mode="c"))
    return dict(zip(parts, pixels.split([len(part) for part in parts.values()]), strict=True))


def examples(
    splits: dict[str, Tensor], manifest: pd.DataFrame, count: int = 5
) -> tuple[Tensor, list[str]]:
    """Pick test paintings to look at, spread evenly over the painters.

    Returns (count, 3, S, S) uint8, or fewer if there are fewer, and their titles.
    """
    titles = manifest.loc[manifest["split"] == "test", "title"].tolist()
    chosen = np.linspace(0, len(titles) - 1, min(count, len(titles))).astype(int).tolist()
    return splits["test"][chosen], [titles[index] for index in chosen]


class Batches:
    """Batches (L, ab) of one split on a device; what fastai's Learner iterates over.

    pixels: (N, 3, S, S) uint8, in memory or memory-mapped. If they fit, they are moved to the
    device whole and converted there once; if not, batch by batch: the same numbers in less
    memory. Yields L (n, 1, S, S) and ab (n, 2, S, S), scaled as in color.py; the last batch may
    be smaller. With `seed`, the order is shuffled (unless `shuffle` is off) and half of the
    pictures are mirrored, anew in every epoch, both from a generator of the seed's own.
    """

    n_inp = 1  # fastai: how many of the batch's tensors the model sees

    def __init__(
        self,
        pixels: Tensor,
        seed: int | None = None,
        device: torch.device = CPU,
        batch_size: int = BATCH_SIZE,
        shuffle: bool = True,
    ):
        self.pixels, self.device, self.batch_size = pixels, device, batch_size
        self.shuffle = shuffle
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.order_sha256 = ""  # of the last epoch's order and mirrorings
        self.converted = _convert(pixels, device) if fits(pixels, device) else None

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
        if not self.generator:
            sizes = torch.arange(len(self.pixels)).split(self.batch_size)
            return torch.arange(len(self.pixels)), [len(part) for part in sizes]
        order = torch.randperm(len(self.pixels), generator=self.generator)
        if not self.shuffle:
            order = torch.arange(len(self.pixels))
        mirrored = torch.rand(len(order), generator=self.generator) < FLIP_PROBABILITY
        batches = order.split(self.batch_size), mirrored.split(self.batch_size)
        halves = [(i[~m], i[m]) for i, m in zip(*batches, strict=True)]
        return torch.cat([torch.cat(pair) for pair in halves]), [len(plain) for plain, _ in halves]

    def _pictures(self, index: Tensor) -> tuple[Tensor, Tensor]:
        if self.converted:
            L, ab = self.converted
            return L.index_select(0, index), ab.index_select(0, index)
        return encode(self.pixels[index].to(self.device).float() / 255)


def fits(pixels: Tensor, device: torch.device) -> bool:
    """Tell whether converted pictures (12 bytes a pixel) leave a device room for training."""
    return 4 * pixels.numel() <= RESIDENT_SHARE * total_memory(device)


def _convert(pixels: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    n, _, height, width = pixels.shape
    L = torch.empty(n, 1, height, width, device=device)
    ab = torch.empty(n, 2, height, width, device=device)
    for start in range(0, n, AHEAD):
        part = slice(start, start + AHEAD)
        L[part], ab[part] = encode(pixels[part].to(device).float() / 255)
    return L, ab


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
        for start in range(0, len(manifest), AHEAD):
            rows = manifest.iloc[start : start + AHEAD]
            yield from pool.map(load, rows["path"], rows["sha256"], rows["mirrored"])
