"""From files to a manifest: what each file is, what is done with it, and which part it is in.

manifest.csv says which paintings a results folder is about, audit.csv what was remarked of files.
Paper: section 3.1 (519 paintings of four painters, 70:10:20 for training, testing, validation).
"""

import hashlib
import io
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.sparse.csgraph import connected_components

from .base.errors import KitError
from .base.files import file_sha256, write_atomic
from .base.reading import read_picture
from .color import rgb_to_lab
from .sources import Painting, Source, choose_paintings
from .splits import deal

PAPER_TOTAL = 519
MIN_PAINTINGS = 10
MIN_SIDE = 64  # px; below it a 256 px square would be mostly invented
GREY_CHROMA, NEAR_GREY_CHROMA = 1.0, 5.0  # mean C*; a print on cream paper reads about 5
# Two photographs, or versions, of one composition: at most 16 of 64 bits differ (about 32 between
# other paintings) and their grey thumbnails correlate; by bits alone dark portraits are alike.
# Set by eye on 523 paintings: all seven pairs seen are found, and three wrong ones, which only
# share a part. Pairs that differ more were not looked for.
NEAR_DUPLICATE_BITS, NEAR_DUPLICATE_CORRELATION = 16, 0.66

AUDITED = ["path", "painter", "title", "date", "museum_id", "licence"]
AUDITED += ["width", "height", "sha256", "group"]
FACTS = [*AUDITED[:-1], "chroma", "bits", "thumbnail", "rule", "detail"]  # of any file
COLUMNS = [*AUDITED, "mirrored", "part"]
REMARKS = ["path", "painter", "rule", "detail", "action"]
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Curation:
    """What an audit of paintings gives, as two tables.

    manifest: a row for each painting that can be used, AUDITED; remarks: REMARKS, the file, the
    rule it met, and what is done with it.
    """

    manifest: pd.DataFrame
    remarks: pd.DataFrame


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
    if len(curation.manifest) < MIN_PAINTINGS:
        rule = f"a split needs at least {MIN_PAINTINGS}; add paintings or choose more painters"
        raise KitError(f"{source.name}: {len(curation.manifest)} usable paintings; {rule}")
    return Curation(deal(curation.manifest, split), curation.remarks)


def audit(source: Source, paintings: Sequence[Painting]) -> Curation:
    """Look at every file: unreadable, tiny, grey, near-grey, twice there, nearly twice there."""
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding Python's lock
        facts = pool.map(lambda painting: _look(source.root, painting), paintings)
        table = pd.DataFrame(facts, columns=FACTS)
    first = table.groupby(["painter", "sha256"])["path"].transform("first")
    copies = (table["rule"] == "") & (table["path"] != first)
    table.loc[copies, "rule"] = "same file twice"
    table.loc[copies, "detail"] = "same bytes as " + first[copies]
    left_out = table[table["rule"] != ""].assign(action=LEFT_OUT)
    usable = table[table["rule"] == ""].astype({"width": int, "height": int})
    groups = near_duplicates(usable["bits"].tolist(), usable["thumbnail"].tolist())
    usable = usable.assign(group=groups)
    remarks = pd.concat([left_out, _near_grey(usable), _alike(usable)], ignore_index=True)
    return Curation(usable[AUDITED].reset_index(drop=True), remarks[REMARKS])


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


def manifest_text(manifest: pd.DataFrame) -> str:
    """Write a manifest as CSV text, the same bytes for the same paintings."""
    return manifest[COLUMNS].to_csv(index=False, lineterminator="\n")


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest; KitError if it is not one."""
    return _read_table(path, "a manifest", COLUMNS)


def save(out: Path, curation: Curation) -> None:
    """Write audit.csv and manifest.csv into a results folder."""
    remarks = curation.remarks.to_csv(index=False, lineterminator="\n")
    write_atomic(out / "audit.csv", remarks)
    write_atomic(out / "manifest.csv", manifest_text(curation.manifest))


def check_manifest(path: Path, source: Source, painters: str, split: str) -> pd.DataFrame:
    """Read a manifest; KitError unless it is of the files there are now, and of this split."""
    manifest = read_manifest(path)
    remarks = _read_table(path.with_name("audit.csv"), "an audit", REMARKS)
    left_out = remarks.loc[remarks["action"] == LEFT_OUT, "path"]
    offered = {painting.path for painting in choose_paintings(source, painters)}
    files = manifest.drop_duplicates("path").set_index("path")["sha256"]
    known = offered == {*files.index, *left_out}
    if not known or any(file_sha256(source.root / name) != was for name, was in files.items()):
        raise KitError(
            f"{path.parent}: holds results of other paintings than {source.name} "
            f"{painters or '(default painters)'}; choose another --out, or delete that folder"
        )
    audited = manifest[AUDITED].drop_duplicates("path")
    if manifest_text(deal(audited, split)) != manifest_text(manifest):
        raise KitError(
            f"{path}: its split is not {split!r}; choose another --out, or delete that folder"
        )
    return manifest


def _look(root: Path, painting: Painting) -> dict[str, Any]:
    """Tell what one file is; its rule, if there is one, says why it cannot be used."""
    facts = asdict(painting) | {"rule": "", "detail": ""}
    try:
        content = (root / painting.path).read_bytes()
        picture = read_picture(content)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        return facts | {"rule": "unreadable", "detail": told}
    chroma = _mean_chroma(picture)
    if min(picture.size) < MIN_SIDE:
        told = f"{picture.width} x {picture.height} px, short side under {MIN_SIDE}"
        facts |= {"rule": "tiny", "detail": told}
    elif chroma < GREY_CHROMA:
        facts |= {"rule": "grey", "detail": f"mean chroma {chroma:.1f}: no colour to learn"}
    return facts | {
        "width": picture.width,
        "height": picture.height,
        "sha256": hashlib.sha256(content).hexdigest(),
        "chroma": chroma,
        "bits": perceptual_hash(picture),
        "thumbnail": grey_thumbnail(picture),
    }


def _small_grey(picture: Image.Image) -> np.ndarray:
    small = picture.convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=float).copy()


def _mean_chroma(picture: Image.Image) -> float:
    small = np.array(picture.resize((64, 64), Image.Resampling.BICUBIC))
    lab = rgb_to_lab(torch.from_numpy(small).permute(2, 0, 1).float() / 255)
    return float(lab[1:].norm(dim=0).mean())


def _near_grey(usable: pd.DataFrame) -> pd.DataFrame:
    faint = usable[usable["chroma"] < NEAR_GREY_CHROMA]
    detail = faint["chroma"].map("mean chroma {:.1f}".format)
    return faint.assign(rule="near-grey", detail=detail, action="kept")


def _alike(usable: pd.DataFrame) -> pd.DataFrame:
    sizes = usable.groupby("group")["group"].transform("size")
    alike = usable[sizes > 1].sort_values("group", kind="stable")
    detail = [f"group {group}, {sizes[row]} pictures" for row, group in alike["group"].items()]
    return alike.assign(rule="near-duplicate", detail=detail, action="same split")


def _read_table(path: Path, kind: str, columns: list[str]) -> pd.DataFrame:
    numbers = ("width", "height", "group", "mirrored")
    text = {name: str for name in columns if name not in numbers}
    try:
        content = io.BytesIO(path.read_bytes())
        table = pd.read_csv(content, dtype=text, keep_default_na=False)
        return table.rename(columns={"split": "part"})[columns]  # its name until 0.3.0
    except (OSError, KeyError, ValueError) as error:
        remedy = "delete manifest.csv and audit.csv, and notebook 01 makes them anew"
        raise KitError(f"{path}: not {kind} ({error}); {remedy}") from error
