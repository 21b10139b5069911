import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from colorizers import model_of, untrained
from PIL import Image, ImageOps
from processes import peak, python

from colorkit.base.errors import KitError
from colorkit.base.reading import read_picture
from colorkit.pictures.batch import Done, Settings, colour_all, find_pairs, summary
from colorkit.pictures.files import open_picture
from colorkit.pictures.pretrained import Colorizer, load_pretrained

FORMATS = {"a.jpg": "L", "b.png": "RGB", "c.tif": "RGB", "d.webp": "RGB", "e.png": "LA"}


@pytest.fixture
def model() -> Colorizer:
    return model_of(torch.full((2, 32, 32), 0.1))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Pictures of several kinds, one of them in a sub-folder, and something else."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    values = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    colours = np.stack([values, values.T.reshape(40, 30), 255 - values], axis=-1)
    for name, mode in FORMATS.items():
        pixels = colours if mode == "RGB" else values
        Image.fromarray(pixels).convert(mode).save(folder / name)
    Image.fromarray(values).save(folder / "below" / "a.jpg")
    (folder / "notes.txt").write_text("no picture")
    return folder


def colour(model: Colorizer, source: Path, to: Path, **settings) -> list[Done]:
    how = Settings(**settings)
    return list(colour_all(find_pairs([str(source)], str(to), beside=how.beside), model, how))


def test_a_folder_is_coloured_file_by_file_and_none_is_left_out(folder, model, tmp_path):
    for name in ("f.jp2", "g.bmp", "h.gif", "i.avif", "j.jfif"):
        Image.open(folder / "b.png").save(folder / name)
    (folder / "k.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for name in ("._a.jpg", ".DS_Store", "__MACOSX/a.jpg", ".ipynb_checkpoints/a.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"of the system")
    pairs = find_pairs([str(folder)], str(tmp_path / "out"), recursive=True)
    results = list(colour_all(pairs, model, Settings()))
    bad = results.pop()
    assert "k.heic: cannot be read: HEIC, which is not read; save it as" in bad.error
    assert not any(done.error for done in results)
    written = [path for path in (tmp_path / "out").rglob("*.*")]
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in written)
    assert names[:6] == ["a.jpg", "b.png", "below/a.jpg", "c.tif", "d.webp", "e.png"]
    assert names[6:] == ["f.png", "g.png", "h.png", "i.png", "j.jfif"]
    for done in results:
        assert Image.open(done.output).size == Image.open(done.source).size
        if done.output.suffix == done.source.suffix:
            assert Image.open(done.output).format == Image.open(done.source).format
    said = summary([*results, bad], time.monotonic())
    assert said.startswith("11 of 12 pictures coloured in 0 s")
    assert len(find_pairs([str(folder)], str(tmp_path / "out"))) == len(FORMATS) + 6


def test_nothing_is_written_over_unless_asked(folder, model, tmp_path):
    source, output = folder / "a.jpg", tmp_path / "out.png"
    assert colour(model, source, output)[0].error == ""
    before = output.read_bytes()
    (again,) = colour(model, source, output, strength=0)
    assert again.error == f"{output}: exists already; --overwrite writes over it"
    assert output.read_bytes() == before
    assert colour(model, source, output, strength=0, overwrite=True)[0].error == ""
    assert output.read_bytes() != before


def test_a_comparison_shows_grey_coloured_and_original(folder, model, tmp_path):
    for name, shape in (("a.jpg", 1.5), ("b.png", 2.25)):  # a grey one: two side by side
        colour(model, folder / name, tmp_path / "out", compare=True)
        shown = Image.open(tmp_path / "out" / name.replace(".", "-compared."))
        assert shown.width / shown.height == shape


def test_a_map_says_where_the_colours_are_guesses(tmp_path):
    """Nearly black and nearly white have few colours to choose from."""
    grey = np.repeat(np.uint8([[0, 110, 255]]), 40, axis=1).repeat(60, axis=0)
    Image.fromarray(grey).save(tmp_path / "steps.png")
    (done,) = colour(load_pretrained("lively"), tmp_path, tmp_path / "out", guess_map=True)
    assert not done.error
    drawn = np.asarray(Image.open(tmp_path / "out" / "steps-guess.png").convert("L"), dtype=float)
    assert drawn.shape == (60, 120)
    dark, middle, light = drawn[30, [20, 60, 100]]
    assert middle > dark + 40
    assert middle > light + 10


def test_a_model_without_numbers_for_a_map_is_refused_before_the_first(folder, model, tmp_path):
    with pytest.raises(KitError, match="but for lively and cautious; calibrate_model of colorkit"):
        colour(model, folder, tmp_path / "out", guess_map=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "output", "says"),
    [
        (["none.png"], "out", "none.png: no such file or folder"),
        (["below/nothing"], "out", r"no picture \(.jpg, .*\), --recursive looks into sub-folders"),
        (["a.jpg", "b.png"], "out.png", "one name for 2 pictures; name a folder"),
        (["a.jpg"], "notes.txt", "neither a folder nor a name in"),
        (["a.jpg"], "result.bmp", "cannot be written; name it .png, .jpg, .tif or .webp"),
        (["a.jpg"], "result.heic", "cannot be written; name it .png, .jpg, .tif or .webp"),
        (["a.jpg", "below/a.jpg"], "out", "and .*below/a.jpg would both be it"),
        (["x" * 300], "out", "File name too long"),
        (["\0"], "out", "not a path"),
        ([""], "out", "an empty name; give a file or a folder"),
        (["loop"], "out", "loop"),
    ],
)
def test_requests_that_cannot_be_done_are_refused(folder, monkeypatch, inputs, output, says):
    monkeypatch.chdir(folder)
    (folder / "below" / "nothing").mkdir()
    (folder / "loop").symlink_to("loop")
    with pytest.raises(KitError, match=says):
        find_pairs(inputs, output)


def test_patterns_and_names_with_tricks(folder, model, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    (folder / "below" / "loop").symlink_to(folder)
    assert len(find_pairs(["*.png"], "out")) == 2
    assert len(find_pairs(["."], str(tmp_path / "out"), recursive=True)) == 6
    for name in (" a b .png", "-o.png", "ü–🖼.png", "[x].png", "a%s{0}.png", "x" * 200 + ".png"):
        shutil.copy("b.png", name)
        assert colour(model, Path(name), tmp_path / "out")[0].error == ""
        assert (tmp_path / "out" / name).exists()


def test_a_link_to_a_picture_has_its_own_name(folder):
    (folder / "mine.png").symlink_to(folder / "b.png")
    pairs = find_pairs([str(folder / "mine.png")], str(folder / "out"))
    assert [path.name for path in pairs.values()] == ["mine.png"]
    with pytest.raises(KitError, match="would overwrite an input"):
        find_pairs([str(folder / "mine.png")], str(folder / "b.png"))


def test_no_input_is_ever_written_over(folder):
    before = (folder / "b.png").read_bytes()
    for output in (folder / "b.png", folder):
        with pytest.raises(KitError, match="would overwrite an input"):
            find_pairs([str(folder / "b.png")], str(output))
    shutil.copy(folder / "b.png", folder / "b-compared.png")
    with pytest.raises(KitError, match="b-compared.png: .* would both be it"):
        find_pairs([str(folder)], str(folder / "out"), beside=["-compared"])
    assert (folder / "b.png").read_bytes() == before


def test_an_interrupted_folder_goes_on_where_it_was(folder, model):
    """What was written into a folder within is neither an input nor made again."""
    pairs = find_pairs([str(folder)], str(folder / "out"), recursive=True)
    colour(model, folder / "a.jpg", folder / "out")
    assert find_pairs([str(folder)], str(folder / "out"), recursive=True) == pairs
    results = colour_all(pairs, model, Settings())
    assert [done.source.name for done in results if done.error] == ["a.jpg"]


def test_what_a_file_does_to_a_library_stays_with_that_file(folder, model, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("colorkit.pictures.batch.open_picture", fail)
    (done,) = colour(model, folder / "a.jpg", tmp_path / "out")
    assert done.error == f"{folder / 'a.jpg'}: RuntimeError: out of luck"


def test_a_strip(folder, model, tmp_path):
    Image.new("L", (4000, 1)).save(folder / "strip.png")
    Image.new("L", (70_000, 1)).save(folder / "long.png")
    results = colour(model, folder, tmp_path / "out", compare=True)
    errors = {done.source.name: done.error for done in results}
    assert errors["strip.png"] == ""
    assert "a side of 70,000 pixels; at most 65,535" in errors["long.png"]


FULL = """
import resource, signal, sys
sys.dont_write_bytecode = True  # it would be cut off too
from colorkit.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # refused midway, as by a full disk
main()
"""


def words(source: Path, to: Path) -> list:
    """Say to `colorkit` what it is to colour, by a model that is saved for it."""
    untrained().save_pretrained(to / "model")
    return ["colorize", source, "-o", to / "out", "--model", to / "model", "--device", "cpu"]


@pytest.mark.skipif(os.name != "posix", reason="there is no such limit")
def test_what_cannot_be_written_whole_is_not_there_and_the_rest_are(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "big.png")
    ended = python("-c", FULL, *words(folder, tmp_path))
    assert ended.returncode == 1
    assert "big.png: cannot be written (File too large)" in ended.stderr
    assert "5 of 6 pictures coloured" in ended.stdout
    assert "UNTRAINED" in ended.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FORMATS)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_hundred_megapixels_take_less_than_two_gigabytes(tmp_path):
    picture = Image.effect_noise((1000, 1000), 30).resize((10_000, 10_000))
    Image.merge("RGB", (picture, picture, picture.transpose(0))).save(tmp_path / "big.tif")
    assert peak(*words(tmp_path / "big.tif", tmp_path)) < 2_000_000
    assert Image.open(tmp_path / "out" / "big.tif").size == (10_000, 10_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "size", "side", "seconds"), [(1, (4000, 3000), 256, 4), (50, (320, 240), 64, 10)]
)
def test_it_is_fast_enough(tmp_path, number, size, side, seconds):
    """Twelve megapixels in four seconds, small pictures at five a second, on a single core."""
    (tmp_path / "in").mkdir()
    for name in range(number):
        Image.effect_noise(size, 30).save(tmp_path / "in" / f"{name}.jpg")
    pairs = find_pairs([str(tmp_path / "in")], str(tmp_path / "out"))
    model = untrained("unet_resnet18", side)
    began = time.process_time()
    assert not any(done.error for done in colour_all(pairs, model, Settings()))
    assert time.process_time() - began < seconds


def mutated(random: np.random.Generator, content: bytes) -> bytes:
    """Cut, flip, overwrite or repeat a part: what transfers, disks and jokers do."""
    data, kind = bytearray(content), random.integers(5)
    if kind == 0:
        return bytes(data[: random.integers(len(data))])
    if kind == 1:
        for place in random.integers(len(data), size=random.integers(1, 30)):
            data[place] ^= 1 << random.integers(8)
    elif kind == 2:  # absurd numbers in the header
        place = random.integers(min(80, len(data) - 4))
        data[place : place + 4] = random.choice([b"\xff\xff\xff\xff", b"\0\0\0\0"])
    elif kind == 3:
        start, length = random.integers(len(data)), random.integers(1, 200)
        data[start : start + length] = random.bytes(length)
    else:
        start = random.integers(len(data))
        data[start:start] = data[: random.integers(1, len(data))]
    return bytes(data)


def differs(path: Path) -> bool:
    """Tell whether a file is read otherwise than its decoder says; none here has a profile."""
    with Image.open(path) as image:
        if image.mode[0] in "IF":  # whose range Pillow does not know
            return False
        plain = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    picture, trained = open_picture(path), read_picture(path.read_bytes())
    coloured = np.array_equal(picture.image.convert("RGB"), plain)
    return not (coloured and (picture.alpha or np.array_equal(trained, plain)))


def test_four_hundred_damaged_files_harm_nothing(folder, model, tmp_path):
    """Each is refused in a line, or coloured as its decoder says that it looks."""
    random, bad = np.random.default_rng(5), tmp_path / "bad"
    bad.mkdir()
    for name in ("f.jp2", "g.avif", "h.gif", "i.bmp"):
        Image.open(folder / "b.png").save(folder / name)
    sources = sorted(path for path in folder.glob("?.*"))
    for number in range(400):
        source = sources[number % len(sources)]
        wrong = random.choice(sources).suffix if number % 7 == 0 else source.suffix
        (bad / f"{number}{wrong}").write_bytes(mutated(random, source.read_bytes()))
    results, times = [], [time.monotonic()]
    pairs = find_pairs([str(bad)], str(tmp_path / "out"))
    for done in colour_all(pairs, model, Settings()):
        results.append(done)
        times.append(time.monotonic())
    assert len(results) == 400
    assert max(np.diff(times)) < 10
    failed = [done for done in results if done.error]
    assert 100 < len(failed) < 400
    for done in results:
        assert done.output.exists() == (not done.error)
        assert "\n" not in done.error
        if done.error:
            assert done.source.name in done.error
        else:
            Image.open(done.output).load()
            assert not differs(done.source), done.source
    assert not list((tmp_path / "out").glob(".part-*"))
