import numpy as np
import pytest
from conftest import SHARED, bomb, paint
from PIL import Image

from colorkit import curation
from colorkit.base.errors import KitError
from colorkit.sources import catalogue_counts, open_source


def rules(result: curation.Curation) -> dict[str, str]:
    return {remark.path.rpartition("/")[2]: remark.rule for remark in result.remarks.itertuples()}


def test_every_kind_of_bad_file_is_named_and_left_out(gallery):
    bad = gallery / "Ada_Blue"
    whole = (bad / "Ada_Blue_1.jpg").read_bytes()
    (bad / "zero.jpg").write_bytes(b"")
    (bad / "text.jpg").write_text("hello")
    (bad / "cut.jpg").write_bytes(whole[:700])
    (bad / "copy.jpg").write_bytes(whole)
    paint(bad / "tiny.png", seed=1, size=(40, 30))
    ramp = np.resize(np.arange(256, dtype=np.uint8), (80, 96))
    Image.fromarray(ramp).save(bad / "grey.png")
    (bad / "bomb.png").write_bytes(bomb(20_000))
    result = curation.curate(open_source(str(gallery)))
    named = rules(result)
    unreadable = ("zero.jpg", "text.jpg", "cut.jpg", "bomb.png")
    assert {named[name] for name in unreadable} == {"unreadable"}
    assert (named["tiny.png"], named["grey.png"]) == ("tiny", "grey")
    assert "same file twice" in (named.get("copy.jpg"), named.get("Ada_Blue_1.jpg"))
    assert len(result.manifest) == 24
    assert (result.remarks["action"] == "left out").all()


def test_near_duplicates_are_found_and_share_a_split(gallery):
    original = Image.open(gallery / "Bo_Green" / "Bo_Green_3.jpg")
    original.resize((70, 70)).save(gallery / "Bo_Green" / "again.jpg", quality=40)
    manifest = curation.curate(open_source(str(gallery))).manifest
    pair = manifest[manifest["path"].str.contains("Bo_Green_3|again")]
    assert pair["group"].nunique() == pair["part"].nunique() == 1
    assert manifest["group"].nunique() == 24


def test_near_grey_is_kept_and_told(gallery):
    faint = np.full((80, 80, 3), 120, np.uint8)
    faint[..., 0] += 4
    Image.fromarray(faint).save(gallery / "Cy_Red" / "faint.png")
    result = curation.curate(open_source(str(gallery)))
    assert rules(result)["faint.png"] == "near-grey"
    assert result.manifest["path"].str.endswith("faint.png").any()


def test_nine_paintings_are_too_few(tmp_path):
    for n in range(9):
        paint(tmp_path / "Few" / f"{n}.jpg", seed=n)
    with pytest.raises(KitError, match="9 usable paintings.*at least 10"):
        curation.curate(open_source(str(tmp_path)))


def test_412_quartets_have_519_paintings():
    fits = curation.quartets(catalogue_counts())
    assert len(fits) == len({frozenset(four) for four in fits}) == 412
    assert curation.quartets({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, total=10) == [tuple("abcd")]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared paintings are not beside this checkout")
def test_real_audit_drops_duerers_second_copy():
    result = curation.curate(open_source(str(SHARED)), "Albrecht Durer,Edvard Munch")
    assert (result.remarks["rule"] == "same file twice").sum() == 6
    munch = result.manifest[result.manifest["path"].str.contains("Munch_[23]")]
    assert munch["group"].nunique() == 1  # two versions of The Scream


@pytest.mark.skipif(not SHARED.exists(), reason="the shared paintings are not beside this checkout")
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Rembrandt_6", "Rembrandt_8", True),  # twice the Man with a Golden Helmet
        ("Claude_Monet_69", "Claude_Monet_72", True),  # the same boats
        ("Rembrandt_48", "Rembrandt_8", False),  # two dark portraits
        ("Rembrandt_26", "Rembrandt_43", False),
    ],
)
def test_versions_of_one_composition_are_told_from_dark_portraits(one, other, same):
    folder = SHARED / "images" / "images"
    pictures = [Image.open(folder / n.rpartition("_")[0] / f"{n}.jpg") for n in (one, other)]
    bits = [curation.perceptual_hash(picture) for picture in pictures]
    groups = curation.near_duplicates(bits, [curation.grey_thumbnail(p) for p in pictures])
    assert (groups[0] == groups[1]) == same
