"""Small stand-ins: painted pictures in the layouts the kit reads, and quick settings."""

import io
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorkit import learner, models
from colorkit.base.reading import read_picture
from colorkit.experiment import PROFILES, Experiment, Profile
from colorkit.folder import Folder
from colorkit.sources import open_source

os.environ.pop("COLORKIT_RUNS", None)
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the same tests everywhere
SHARED = Path(__file__).resolve().parents[2] / "shared" / "best-artworks"


def paint(path: Path, seed: int, size: tuple[int, int] = (96, 80)) -> Path:
    """Write a picture of coloured blobs on a coloured ground; another seed, another picture."""
    rng = np.random.default_rng(seed)
    small = rng.integers(20, 235, (6, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)
    return path


def equal(one, other) -> bool:
    """Tell whether two networks have the same weights and running statistics, bit for bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all((a == b).all() for a, b in pairs)


def sample_pixels(size: int) -> torch.Tensor:
    """Read every other painting of the sample: (87, 3, size, size) uint8."""
    source, squares = open_source("sample"), []
    for painting in source.paintings[::2]:
        square = read_picture((source.root / painting.path).read_bytes()).resize((size, size))
        squares.append(torch.from_numpy(np.array(square)).permute(2, 0, 1))
    return torch.stack(squares)


def bomb(side: int) -> bytes:
    """Make a small PNG file whose header says that it is `side` pixels wide and high."""
    content = io.BytesIO()
    Image.new("1", (100, 100)).save(content, "PNG")
    header, size = content.getvalue(), side.to_bytes(4, "big") * 2
    chunk = b"IHDR" + size + header[24:29]
    return header[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + header[33:]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Twenty-four paintings by three painters, one sub-folder each."""
    root = tmp_path / "gallery"
    for number, painter in enumerate(("Ada_Blue", "Bo_Green", "Cy_Red")):
        for n in range(8):
            paint(root / painter / f"{painter}_{n + 1}.jpg", seed=100 * number + n)
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A Chromium that is installed; none is downloaded."""
    from playwright.sync_api import sync_playwright

    names = "chromium", "chromium-browser", "google-chrome", "chrome"
    program = next(filter(None, map(shutil.which, names)), None)
    assert program, "no Chromium: apt-get install chromium"
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def phone(browser) -> Iterator:
    """A tab of a phone."""
    tab = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    tab.set_default_timeout(60_000)
    yield tab
    tab.close()


def is_for_everybody(tab) -> None:
    """Check that a page is no wider than its screen; and by axe, if the variable AXE names it.

    That is axe-core's file axe.min.js, which finds what keeps people from using a page.
    """
    assert tab.evaluate("document.documentElement.scrollWidth") <= tab.viewport_size["width"]
    if axe := os.environ.get("AXE"):
        tab.add_script_tag(path=axe)
        found = tab.evaluate("axe.run()")["violations"]
        bad = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["nodes"][0]["html"]) for v in bad] == []


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test's results in its own folder."""
    monkeypatch.setenv("COLORKIT_RUNS", str(tmp_path / "runs"))
    for name in ("WEIGHTS", "RESNET18", "BACKUP", "CHECKPOINT_EVERY"):
        monkeypatch.delenv(f"COLORKIT_{name}", raising=False)
    return tmp_path / "runs"


@pytest.fixture
def pixels() -> dict[str, torch.Tensor]:
    """Noise of 32 px; the last batch of what is trained on has three pictures."""
    noise = torch.randint(0, 256, (46, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    train, test, valid = noise.byte().split((35, 5, 6))
    return {"train": train, "test": test, "valid": valid}


@pytest.fixture
def folder(gallery: Path, tmp_path: Path) -> Folder:
    """A results folder of the gallery's paintings."""
    return Folder(tmp_path / "out", data=str(gallery))


def nowhere(
    model: str, table: int = 1, seed: int = 0, profile: str = "smoke", **settings
) -> Experiment:
    """Describe an experiment whose folder is never looked at."""
    return Experiment(Folder(Path("nowhere"), profile), model, table, seed, **settings)


@pytest.fixture
def quick(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the smoke profile to 32 px and one epoch, and the networks as `small` does."""
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=32, epochs=1, weights="random"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train thin networks: what is tested does not depend on their width."""

    class Thin(models.ScratchUnet):
        def __init__(self, size: int, filters: int = 8):
            super().__init__(size, filters)

    def unet(size: int, weights: str = "") -> Thin:
        thin = models.init_normal(Thin(size))
        del thin.up[-1][-1]  # no tanh: the ResNet U-Net's output is linear
        return thin

    monkeypatch.setattr(models, "ScratchUnet", Thin)
    monkeypatch.setattr(models, "unet_resnet18", unet)
    monkeypatch.setattr(learner, "PatchCritic", lambda: models.PatchCritic(filters=8))
