import os
import shutil
import sys
import types

import pytest
from conftest import SHARED, paint

from colorkit import sources
from colorkit.base.errors import KitError


def test_sample_has_the_museum_facts():
    source = sources.open_source("sample")
    assert len(source.paintings) == 174
    assert all(p.licence == "CC0" and p.title and p.museum_id for p in source.paintings)
    assert all((source.root / p.path).exists() for p in source.paintings)


def test_catalogue_is_kaggles():
    counts = sources.catalogue_counts()
    assert (len(counts), sum(counts.values())) == (50, 8446)
    assert set(sources.DEFAULT_QUARTET) <= set(counts)
    assert sum(counts[painter] for painter in sources.DEFAULT_QUARTET) == 519


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Albrecht_Du╠êrer", "Albrecht Dürer"),
        ("Albrecht_DuΓòá├¬rer", "Albrecht Dürer"),
        ("Albrecht_Dürer", "Albrecht Dürer"),
        ("Claude_Monet", "Claude Monet"),
        ("Édouard_Manet", "Édouard Manet"),
        ("李白", "李白"),
    ],
)
def test_broken_names_are_mended_and_sound_ones_stay(folder, name):
    assert sources.repair_name(folder) == name


@pytest.mark.parametrize(
    "layout",
    [
        "{p}/{p}_{n}.jpg",
        "images/images/{p}/{p}_{n}.jpg",
        "resized/resized/{p}_{n}.jpg",
        "resized/{p}_{n}.jpg",
    ],
)
def test_every_layout_is_read(tmp_path, layout):
    for painter in ("Claude_Monet", "Rembrandt"):
        for n in (1, 10, 16, 100, 128):  # numbering has gaps
            paint(tmp_path / layout.format(p=painter, n=n), seed=n)
    source = sources.open_source(str(tmp_path))
    assert [p.painter for p in source.paintings] == ["Claude Monet"] * 5 + ["Rembrandt"] * 5


def test_originals_come_before_the_smaller_copies(tmp_path):
    for folder in ("images/images/Rembrandt", "resized/resized"):
        paint(tmp_path / folder / "Rembrandt_1.jpg", seed=1)
    (found,) = sources.open_source(str(tmp_path)).paintings
    assert found.path == "images/images/Rembrandt/Rembrandt_1.jpg"


def test_painters_are_found_without_case_or_accents_and_all_of_a_name_are_kept(gallery):
    for other in ("Zoé_Brûlé", "Adá_Blue", "Smith,_John"):
        shutil.copytree(gallery / "Ada_Blue", gallery / other)
    source = sources.open_source(str(gallery))
    assert len(sources.choose_paintings(source)) == 48
    chosen = sources.choose_painters(source, "zoe brule, ADA_BLUE")
    assert chosen == ("Ada Blue", "Adá Blue", "Zoé Brûlé")
    assert sources.choose_painters(source, "Smith, John") == ("Smith, John",)


def test_names_that_are_not_utf_8_are_refused(gallery):
    os.mkdir(os.fsencode(gallery) + b"/\xff\xfe")
    paint(gallery / "x.jpg", seed=1).rename(os.fsdecode(os.fsencode(gallery) + b"/\xff\xfe/x.jpg"))
    with pytest.raises(KitError, match="not UTF-8; rename it"):
        sources.open_source(str(gallery))


def test_a_catalogue_gives_the_default_quartet(tmp_path):
    (tmp_path / "artists.csv").write_text("name,paintings\nRembrandt,262\n")
    for painter in (*sources.DEFAULT_QUARTET, "Rembrandt"):
        for n in range(3):
            name = painter.replace(" ", "_")
            paint(tmp_path / "images/images" / name / f"{name}_{n}.jpg", seed=n)
    source = sources.open_source(str(tmp_path))
    assert sources.choose_painters(source) == tuple(sorted(sources.DEFAULT_QUARTET))
    assert source.catalogue == {"Rembrandt": 262}


def test_unknown_painter_gets_close_names(gallery):
    source = sources.open_source(str(gallery))
    with pytest.raises(KitError, match="'Ada Blu'.*did you mean Ada Blue"):
        sources.choose_painters(source, "Ada Blu")


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(KitError, match="no such folder"):
        sources.open_source(str(tmp_path / "nowhere"))
    with pytest.raises(KitError, match="no paintings; expected"):
        sources.open_source(str(tmp_path))


@pytest.mark.parametrize("text", ["who,how many\nRembrandt,262\n", "name,paintings\nRembrandt,?\n"])
def test_a_broken_catalogue_is_named(gallery, text):
    (gallery / "artists.csv").write_text(text)
    with pytest.raises(KitError, match=r"artists.csv: not a catalogue.*name and paintings"):
        sources.open_source(str(gallery))


def test_a_catalogue_from_a_spreadsheet_is_read(gallery):
    rows = 'name,paintings\nRembrandt,262.0\n,5\nAda Blue,"1,234"\n'
    (gallery / "artists.csv").write_text(rows)
    assert sources.catalogue_counts(gallery) == {"Rembrandt": 262, "Ada Blue": 1234}


def test_what_a_system_leaves_is_no_painter(gallery):
    """Copies of pictures that notebooks, archives and disks keep in folders of their own."""
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        shutil.copytree(gallery / "Ada_Blue", gallery / name)
    (gallery / "Ada_Blue" / "._Ada_Blue_1.jpg").write_bytes(b"AppleDouble")
    source = sources.open_source(str(gallery))
    assert len(source.paintings) == 24
    assert sources.choose_painters(source) == ("Ada Blue", "Bo Green", "Cy Red")
    hidden = gallery.rename(gallery.with_name(".gallery"))  # the user's own choice
    assert len(sources.open_source(str(hidden)).paintings) == 24


def test_pictures_of_every_kind_are_listed(gallery):
    """So that the audit names those that cannot be read, rather than nobody."""
    for suffix in ("jfif", "jp2", "avif", "heic"):
        (gallery / "Ada_Blue" / f"a.{suffix}").write_bytes(b"")
    assert len(sources.open_source(str(gallery)).paintings) == 28


def test_kaggle_is_asked_for_a_version_or_what_to_do_is_said(gallery, monkeypatch):
    def download(handle):
        if handle != "ikarus777/best-artworks-of-all-time/versions/1" or offline:
            raise ConnectionError("no route to host")
        return gallery

    client = types.SimpleNamespace(dataset_download=download)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    offline = False
    assert len(sources.open_source("kaggle").paintings) == 24
    offline = True
    with pytest.raises(KitError, match=r"no route to host.*by hand.*--data FOLDER.*--data sample"):
        sources.open_source("kaggle")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared paintings are not beside this checkout")
def test_real_folder_counts_duerer_once():
    source = sources.open_source(str(SHARED))
    assert sum(p.painter == "Albrecht Dürer" for p in source.paintings) == 12  # two folders of 6
    assert len({p.painter for p in source.paintings}) == 38
    assert source.catalogue["Albrecht Dürer"] == 328
    assert os.sep not in source.paintings[0].painter
