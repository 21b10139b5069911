"""From files to a manifest: what each file is, what is done with it, and which split it is in.

Paper: section 3.1 (519 paintings of four painters, 70:10:20 for training, testing, validation).
"""

import hashlib
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.sparse.csgraph import connected_components

from .base.reading import read_picture
from .color import rgb_to_lab
from .manifest import AUDITED, LEFT_OUT
from .sources import Painting, Source, check_enough, choose_paintings
from .splits import deal

PAPER_TOTAL = 519
MIN_SIDE = 64  # px; below it a 256 px square would be mostly invented
GREY_CHROMA, NEAR_GREY_CHROMA = 1.0, 5.0  # mean C*; a print on cream paper reads about 5
# Two photographs, or versions, of one composition: at most 16 of 64 bits differ (about 32 between
# other paintings) and their grey thumbnails correlate; by bits alone dark portraits are alike.
# Set by eye on 523 paintings: all seven pairs seen are found, and three wrong ones, which only
# share a part. Pairs that differ more were not looked for.
NEAR_DUPLICATE_BITS, NEAR_DUPLICATE_CORRELATION = 16, 0.66


@dataclass(frozen=True)
class Remark:
    """One remark of the audit: the file, the rule it met, and what is done with it."""

    path: str
    painter: str
    rule: str
    detail: str
    action: str


@dataclass(frozen=True)
class Curation:
    """What an audit of paintings gives: the manifest (a row each) and the remarks."""

    manifest: pd.DataFrame
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class _Facts:
    """What one file turned out to be; `fault` says why it cannot be used."""

    painting: Painting
    sha256: str = ""
    width: int = 0
    height: int = 0
    chroma: float = 0.0
    bits: tuple[bool, ...] = ()
    thumbnail: tuple[float, ...] = ()
    fault: tuple[str, str] | None = None


def curate(
    source: Source,
    painters: str = "",
    split: str = "paper",
    audits: dict[str, Curation] | None = None,
) -> Curation:
    """Audit the chosen paintings of a source and split those that can be used (splits.SCHEMES).

    audits: this source's by painters, so that many splits of it take one; what is new is put in.
    Raises KitError for an unknown split, or if fewer than ten paintings can be used.
    """
    audits = {} if audits is None else audits
    if painters not in audits:
        audits[painters] = audit(source, choose_paintings(source, painters))
    curation = audits[painters]
    check_enough(source.name, len(curation.manifest))
    return Curation(deal(curation.manifest, split), curation.remarks)


def audit(source: Source, paintings: Sequence[Painting]) -> Curation:
    """Look at every file: unreadable, tiny, grey, near-grey, twice there, nearly twice there."""
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding Python's lock
        facts = list(pool.map(lambda painting: _look(source.root, painting), paintings))
    facts, remarks = _drop_unusable(facts)
    groups = near_duplicates([f.bits for f in facts], [f.thumbnail for f in facts])
    remarks += _near_grey(facts) + _near_duplicates(facts, groups)
    rows = [
        asdict(fact.painting)
        | {"width": fact.width, "height": fact.height, "sha256": fact.sha256, "group": int(group)}
        for fact, group in zip(facts, groups, strict=True)
    ]
    return Curation(pd.DataFrame(rows, columns=AUDITED), tuple(remarks))


def quartets(counts: dict[str, int], total: int = PAPER_TOTAL) -> list[tuple[str, ...]]:
    """Find every set of four painters whose counts add up to the paper's 519.

    Kaggle's 50 counts give 412: the paper's choice cannot be recovered from them.
    """
    fours = itertools.combinations(sorted(counts), 4)
    return [four for four in fours if sum(map(counts.get, four)) == total]


def perceptual_hash(picture: Image.Image) -> tuple[bool, ...]:
    """Describe a picture by 64 bits: which of its 64 lowest cosine frequencies exceed the median.

    The same picture in another size or quality differs in a few bits, another picture in about 32.
    """
    low = dctn(_small_grey(picture), norm="ortho")[:8, :8].ravel()
    return tuple((low > np.median(low)).tolist())


def grey_thumbnail(picture: Image.Image) -> tuple[float, ...]:
    """Shrink a picture to 32 x 32 greys, with mean 0 and length 1: products are correlations."""
    grey = _small_grey(picture)
    grey -= grey.mean()
    return tuple((grey / max(np.linalg.norm(grey), 1e-9)).ravel().tolist())


def near_duplicates(
    bits: Sequence[tuple[bool, ...]], thumbnails: Sequence[tuple[float, ...]]
) -> np.ndarray:
    """Number the groups of pictures that hang together by bits and by thumbnails.

    bits: of `perceptual_hash`; thumbnails: of `grey_thumbnail`. Returns (N,) group numbers; alone
    means a group of one.
    """
    if not bits:
        return np.zeros(0, dtype=int)
    known, grey = np.array(bits, dtype=np.float32), np.array(thumbnails, dtype=np.float32)
    differ = known @ (1 - known).T + (1 - known) @ known.T
    alike = (differ <= NEAR_DUPLICATE_BITS) & (grey @ grey.T >= NEAR_DUPLICATE_CORRELATION)
    return connected_components(alike, directed=False)[1]


def _small_grey(picture: Image.Image) -> np.ndarray:
    small = picture.convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=float).copy()


def _look(root: Path, painting: Painting) -> _Facts:
    try:
        content = (root / painting.path).read_bytes()
        picture = read_picture(content)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        return _Facts(painting, fault=("unreadable", told))
    chroma = _mean_chroma(picture)
    fault = None
    if min(picture.size) < MIN_SIDE:
        fault = ("tiny", f"{picture.width} x {picture.height} px, short side under {MIN_SIDE}")
    elif chroma < GREY_CHROMA:
        fault = ("grey", f"mean chroma {chroma:.1f}: no colour to learn")
    sha256 = hashlib.sha256(content).hexdigest()
    seen = perceptual_hash(picture), grey_thumbnail(picture)
    return _Facts(painting, sha256, *picture.size, chroma, *seen, fault)


def _mean_chroma(picture: Image.Image) -> float:
    small = np.array(picture.resize((64, 64), Image.Resampling.BICUBIC))
    lab = rgb_to_lab(torch.from_numpy(small).permute(2, 0, 1).float() / 255)
    return float(lab[1:].norm(dim=0).mean())


def _drop_unusable(facts: list[_Facts]) -> tuple[list[_Facts], list[Remark]]:
    kept, remarks, first_path = [], [], {}
    for fact in facts:
        twin = first_path.setdefault((fact.painting.painter, fact.sha256), fact.painting.path)
        if fact.fault is None and twin != fact.painting.path:
            fault = ("same file twice", f"same bytes as {twin}")
        else:
            fault = fact.fault
        if fault:
            remarks.append(_remark(fact, *fault, LEFT_OUT))
        else:
            kept.append(fact)
    return kept, remarks


def _near_grey(facts: list[_Facts]) -> list[Remark]:
    return [
        _remark(fact, "near-grey", f"mean chroma {fact.chroma:.1f}", "kept")
        for fact in facts
        if fact.chroma < NEAR_GREY_CHROMA
    ]


def _near_duplicates(facts: list[_Facts], groups: np.ndarray) -> list[Remark]:
    sizes = np.bincount(groups) if len(groups) else []
    return [
        _remark(fact, "near-duplicate", f"group {group}, {sizes[group]} pictures", "same split")
        for fact, group in sorted(zip(facts, groups, strict=True), key=lambda pair: pair[1])
        if sizes[group] > 1
    ]


def _remark(fact: _Facts, rule: str, detail: str, action: str) -> Remark:
    return Remark(fact.painting.path, fact.painting.painter, rule, detail, action)
