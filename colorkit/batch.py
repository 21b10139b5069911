"""`colorkit colorize`: many files, one after the other; a bad one is named and the rest go on."""

import glob
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from .errors import KitError
from .inference import colorize_picture
from .paths import user_path
from .pictures import SUFFIXES, Picture, open_picture, save_picture
from .pretrained import Colorizer

COMPARED = 768, 768  # px that each picture of a comparison may take


@dataclass(frozen=True)
class Settings:
    """How pictures are coloured and written."""

    strength: float = 1.0
    size: int = 0
    compare: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Done:
    """What became of one file: the output, or why there is none."""

    source: Path
    output: Path
    error: str = ""
    clipped: float = 0.0  # share of pixels whose colour left sRGB


def plan(inputs: Iterable[str], output: str, recursive: bool = False) -> dict[Path, Path]:
    """Pair each input file with its output.

    inputs: files, folders, patterns. output: a picture's name for a single file, else a folder,
    in which a folder's pictures keep their places. Raises KitError if there is nothing to do, or
    if two would be written to one place, or one over an input.
    """
    inputs, target = list(inputs), user_path(output)
    found = [(base, path) for text in inputs for base, path in _found(text, recursive)]
    if not found:
        more = "" if recursive else ", --recursive looks into sub-folders"
        raise KitError(f"{', '.join(inputs)[:200]}: no picture ({', '.join(SUFFIXES)}){more}")
    if target.suffix.lower() in SUFFIXES and not target.is_dir():
        if len(found) > 1:
            raise KitError(f"{output}: one name for {len(found)} pictures; name a folder")
        return {found[0][1]: target}
    if target.exists() and not target.is_dir():
        raise KitError(f"{output}: neither a folder nor a name in {', '.join(SUFFIXES)}")
    pairs = {path: _named(target / path.relative_to(base)) for base, path in found}
    _check_apart(pairs)
    return pairs


def run(
    pairs: dict[Path, Path],
    model: Colorizer,
    settings: Settings,
    report: Callable[[Done], None] = lambda done: None,
) -> list[Done]:
    """Colour every file; `report` is called after each. Errors are told in what is returned."""
    results = []
    for source, output in pairs.items():
        try:
            done = Done(source, output, clipped=_colorize_file(source, output, model, settings))
        except KitError as error:
            done = Done(source, output, str(error))
        except MemoryError:
            done = Done(source, output, f"{source}: too large for this machine's memory")
        results.append(done)
        report(done)
    return results


def summary(results: list[Done], began: float) -> str:
    """Say in one line what was done."""
    written, seconds = sum(not done.error for done in results), time.monotonic() - began
    clipped = sum(done.clipped for done in results) / max(written, 1)
    return (
        f"{written} of {len(results)} pictures coloured in {seconds:.0f} s; on average "
        f"{clipped:.1%} of the pixels have a colour outside sRGB, and another lightness for it"
    )


def _colorize_file(source: Path, output: Path, model: Colorizer, settings: Settings) -> float:
    written = [output, *([_comparison(output)] if settings.compare else [])]
    if not settings.overwrite and (there := [path for path in written if path.exists()]):
        raise KitError(f"{there[0]}: exists already; --overwrite writes over it")
    picture = open_picture(source)
    coloured, clipped = colorize_picture(picture, model, settings.strength, settings.size)
    if settings.compare:
        save_picture(_side_by_side(picture, coloured, model), written[1], Picture(picture.image))
    save_picture(coloured, output, picture)
    return clipped


def _side_by_side(picture: Picture, coloured: Image.Image, model: Colorizer) -> Image.Image:
    """Put the grey picture, its colouring and, if it had colours, the picture side by side."""
    small = ImageOps.contain(coloured, COMPARED)
    shown = [colorize_picture(Picture(small), model, strength=0)[0], small]
    shown += [] if picture.grey else [ImageOps.contain(picture.image, COMPARED)]
    together = Image.new("RGB", (small.width * len(shown), small.height))
    for number, image in enumerate(shown):
        together.paste(image, (number * small.width, 0))
    return together


def _comparison(output: Path) -> Path:
    return output.with_name(f"{output.stem}-compared{output.suffix}")


def _named(path: Path) -> Path:
    return path if path.suffix.lower() in SUFFIXES else path.with_suffix(".png")


def _found(text: str, recursive: bool) -> list[tuple[Path, Path]]:
    """List (folder it was found in, file) for a file, folder or pattern."""
    path = user_path(text)
    if path.is_dir():
        return [(path, file) for file in _walk(path, recursive)]
    if path.exists():
        return [(path.parent, path)]
    matching = [user_path(name) for name in sorted(glob.glob(text, recursive=recursive))]
    if not matching:
        raise KitError(f"{text}: no such file or folder")
    return [pair for match in matching for pair in _found(str(match), recursive)]


def _walk(folder: Path, recursive: bool) -> list[Path]:
    """List a folder's pictures. Links to folders are not followed: they can be loops."""
    walked = os.walk(folder)
    tops = walked if recursive else [next(walked, ("", [], []))]
    files = [Path(top, name) for top, _, names in tops for name in names]
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES)


def _check_apart(pairs: dict[Path, Path]) -> None:
    seen: dict[Path, Path] = {}
    for source, output in pairs.items():
        if output in pairs:
            raise KitError(f"{output}: would overwrite an input; choose another folder")
        if output in seen:
            raise KitError(f"{output}: {seen[output]} and {source} would both be it")
        seen[output] = source
