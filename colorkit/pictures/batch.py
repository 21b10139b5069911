"""`colorkit colorize`: many files, one after the other; a bad one is named and the rest go on."""

import glob
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from ..base.errors import KitError, check_range
from ..base.files import is_systems, refuse_overwriting, user_path
from ..base.reading import PICTURES
from .files import SUFFIXES, Picture, fitted, open_picture, save_picture
from .guessed import counts_of, guess_map
from .paint import check_size, colorize_picture, grey_version
from .pretrained import Colorizer

COMPARED = 768  # px, the longer side of each picture of a comparison


@dataclass(frozen=True)
class Settings:
    """How pictures are coloured and written. Raises KitError for a wrong strength."""

    strength: float = 1.0
    size: int = 0
    compare: bool = False
    guess_map: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0, 2)

    @property
    def beside(self) -> tuple[str, ...]:
        """What the further pictures' names end with."""
        return ("-compared",) * self.compare + ("-guess",) * self.guess_map


@dataclass(frozen=True)
class Done:
    """What became of one file: the output, or why there is none."""

    source: Path
    output: Path
    error: str = ""
    paler: float = 0.0  # share of pixels whose predicted colour sRGB lacks
    lost: tuple[str, ...] = ()  # names of its metadata that the output has not


def find_pairs(
    inputs: Iterable[str], output: str, recursive: bool = False, beside: Iterable[str] = ()
) -> dict[Path, Path]:
    """Pair each input file with its output.

    inputs: files, folders, patterns. output: a picture's name for a single file, else a folder,
    in which a folder's pictures keep their places. beside: `Settings.beside`. Raises KitError if
    there is nothing to do, or if two would be written to one place, or one over an input.
    """
    inputs, target = list(inputs), user_path(output)
    found = [pair for text in inputs for pair in _found(text, recursive, target)]
    if not found:
        more = "" if recursive else ", --recursive looks into sub-folders"
        raise KitError(f"{', '.join(inputs)[:200]}: no picture ({', '.join(SUFFIXES)}){more}")
    if target.suffix.lower() in PICTURES - SUFFIXES.keys() and not target.is_dir():
        raise KitError(f"{output}: cannot be written; name it .png, .jpg, .tif or .webp")
    if target.suffix.lower() in SUFFIXES and not target.is_dir():
        if len(found) > 1:
            raise KitError(f"{output}: one name for {len(found)} pictures; name a folder")
        pairs = {found[0][1]: target}
    elif target.exists() and not target.is_dir():
        raise KitError(f"{output}: neither a folder nor a name in {', '.join(SUFFIXES)}")
    else:
        pairs = {path: _named(target / path.relative_to(base)) for base, path in found}
    _check_apart(pairs, beside)
    return pairs


def colour_all(
    pairs: dict[Path, Path],
    model: Colorizer,
    settings: Settings,
) -> Iterator[Done]:
    """Colour one file after the other, and say what became of it; its errors are told there.

    Raises KitError, before the first, for a size that the model cannot see, or without the numbers
    for a map of guesses.
    """
    check_size(model, settings.size)
    if settings.guess_map:
        counts_of(model)
    for source, output in pairs.items():
        try:
            done = _colorize_file(source, output, model, settings)
        except KitError as error:
            done = Done(source, output, str(error))
        except Exception as error:  # whatever one file does, the rest go on
            done = Done(source, output, f"{source}: {type(error).__name__}: {error}")
        yield done


def summary(results: list[Done], began: float) -> str:
    """Say in one line what was done."""
    written, seconds = sum(not done.error for done in results), time.monotonic() - began
    paler = sum(done.paler for done in results) / max(written, 1)
    lost = sorted({name for done in results for name in done.lost})
    return (
        f"{written} of {len(results)} pictures coloured in {seconds:.0f} s; on average "
        f"{paler:.1%} of the pixels are paler than predicted, for sRGB to have their colours"
        + (f"; not kept everywhere: {', '.join(lost)}" if lost else "")
    )


def _colorize_file(source: Path, output: Path, model: Colorizer, settings: Settings) -> Done:
    written = _written(output, settings.beside)
    if not settings.overwrite and (there := [path for path in written if path.exists()]):
        raise KitError(f"{there[0]}: exists already; --overwrite writes over it")
    picture = open_picture(source)
    coloured, paler = colorize_picture(picture, model, settings.strength, settings.size)
    more = [_side_by_side(picture, coloured)] if settings.compare else []
    if settings.guess_map:
        more.append(guess_map(picture.image, model))
    picture = replace(picture, image=coloured)  # the original's memory is not needed any more
    lost = save_picture(picture, output)
    for image, path in zip(more, written[1:], strict=True):
        save_picture(Picture(image), path)
    return Done(source, output, paler=paler, lost=lost)


def _side_by_side(picture: Picture, coloured: Image.Image) -> Image.Image:
    """Put the grey picture, its colouring and, if it had colours, the picture side by side."""
    grey = grey_version(picture)
    shown = [grey, coloured, *([] if picture.grey else [picture.image])]
    return Image.fromarray(np.hstack([fitted(image, COMPARED) for image in shown]))


def _written(output: Path, beside: Iterable[str]) -> list[Path]:
    return [output.with_name(f"{output.stem}{end}{output.suffix}") for end in ("", *beside)]


def _named(path: Path) -> Path:
    return path if path.suffix.lower() in SUFFIXES else path.with_suffix(".png")


def _found(text: str, recursive: bool, target: Path) -> list[tuple[Path, Path]]:
    """List (folder it was found in, file) for a file, folder or pattern, the target left out."""
    path = user_path(text)
    if path.is_dir():
        return [(path, file) for file in _walk(path, recursive, target)]
    if path.exists():
        path = Path(text).expanduser().absolute()  # a link keeps its own name
        return [(path.parent, path)]
    matching = sorted(glob.glob(text, recursive=recursive))
    if not matching:
        raise KitError(f"{text}: no such file or folder")
    return [pair for match in matching for pair in _found(match, recursive, target)]


def _walk(folder: Path, recursive: bool, target: Path) -> list[Path]:
    """List a folder's pictures, also those of kinds that will be refused: none is passed over.

    Links to folders are not followed: they can be loops.
    """

    def refuse(error: OSError) -> None:
        raise KitError(f"{error.filename}: cannot be read ({error.strerror})") from error

    files = []
    for top, below, names in os.walk(folder, onerror=refuse):
        below[:] = [n for n in below if recursive and Path(top, n) != target and not is_systems(n)]
        files += [Path(top, name) for name in names if not is_systems(name)]
    return sorted(f for f in files if f.suffix.lower() in PICTURES and f.is_file())


def _check_apart(pairs: dict[Path, Path], beside: Iterable[str]) -> None:
    written = {source: _written(output, beside) for source, output in pairs.items()}
    refuse_overwriting(chain.from_iterable(written.values()), pairs)
    seen: dict[Path, Path] = {}
    for source, paths in written.items():
        for path in paths:
            if path in seen:
                raise KitError(f"{path}: {seen[path]} and {source} would both be it")
            seen[path] = source
