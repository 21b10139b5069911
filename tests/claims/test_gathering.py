import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known import kits_protocol, left_by, protocol_of

from colorkit.base.errors import KitError
from colorkit.base.files import kit_file, write_atomic
from colorkit.claims import verdicts as claims
from colorkit.claims.archive import RunKey
from colorkit.claims.evidence import NOT_TESTED, UNTESTABLE
from colorkit.claims.gathering import NOT_THERE, publish_runs, published, read_archive
from colorkit.claims.ledger import scope
from colorkit.claims.protocol_file import keep_protocol, read_protocol
from colorkit.claims.votes import make_page
from colorkit.folder import Folder

TABLES = ("scores", "paintings", "distances", "colours", "votes")
FIRST = "t1-unet_resnet18-s1000"


def verdicts_of(archive) -> list[tuple[str, ...]]:
    return [(v.verdict, v.because, v.small) for v in claims.verdicts([archive])]


@pytest.fixture
def left(small_archive, tmp_path) -> Path:
    """The results folder of invented runs."""
    return left_by(small_archive, tmp_path / "left")


def test_what_runs_left_is_read_painting_by_painting(left, small_archive):
    archive = read_archive(left)
    assert archive.holes == {}
    assert len(archive.runs) == 3 * (1 + 2 * 2 * 3)
    order = ["study", "split", "table", "model", "seed", "part", "painting"]
    one, other = (a.scores.sort_values(order, ignore_index=True) for a in (archive, small_archive))
    pd.testing.assert_frame_equal(one[list(other)], other, rtol=1e-5, check_dtype=False)
    assert archive.protocol.sha256 == small_archive.protocol.sha256


@pytest.mark.slow
def test_what_is_published_is_the_same_without_weights(out, tmp_path):
    """Real runs: the same reader, the same numbers, verdicts and history."""
    here = read_archive(out)
    assert here.holes == {}
    assert len(here.runs) == 2 * (6 + 1) + (1 + 1)
    tested = here.paintings.query("study == 'tables' and part == 'test'")
    assert tested["path"].is_unique
    assert here.paintings.query("study == 'leaks' and part == 'train'")["mirrored"].sum() > 0
    pairs = here.distances.query("split == 'fold-1'").drop_duplicates(
        ["a", "a_seed", "b", "b_seed"]
    )
    assert len(pairs) == 6 * 5 / 2
    painted = here.colours.query("study == 'tables' and model == 'painting'")
    assert painted["pixels"].sum() == len(tested) * 32 * 32
    shown = out / "leaks/flips/snapshots/t1-pix2pix_scratch-s1000/paintings.jpg"
    write_atomic(shown, b"JPEG")
    publish_runs(out, tmp_path / "published")
    again = read_archive(tmp_path / "published")
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(here, name))
    assert (again.runs, again.history) == (here.runs, here.history)
    assert verdicts_of(again) == verdicts_of(here)
    kept = {path.suffix for path in (tmp_path / "published").rglob("*") if path.is_file()}
    assert kept == {".csv", ".json", ".yaml", ".jpg"}
    assert (tmp_path / "published" / shown.relative_to(out)).exists()
    Folder(out / "tables" / "fold-1").result_path(FIRST).unlink()
    left = read_archive(out).distances  # measured of other runs than there are now
    assert set(left["split"]) == {"fold-2"}


def test_a_published_folder_stays_readable_by_later_versions(left, tmp_path):
    publish_runs(left, tmp_path / "published")
    assert {r["versions"]["colorkit"] for r in read_archive(left).runs.values()} == {"0"}
    later = tmp_path / f"published/whole/fold-1/runs/{FIRST}.json"
    later.write_text(later.read_text().replace('"colorkit": "0"', '"colorkit": "9"'))
    with pytest.raises(KitError, match="runs by colorkit 0 and 9: they are never mixed"):
        read_archive(tmp_path / "published")


def test_another_protocol_is_not_published_over_and_nothing_old_is_left(left, tmp_path):
    target = tmp_path / "mine-2026-01-01"
    publish_runs(left, target)
    (target / "old.json").write_text("{}")
    publish_runs(left, target)
    assert not (target / "old.json").exists()
    (left / "protocol.yaml").write_text((left / "protocol.yaml").read_text() + "# edited\n")
    with pytest.raises(KitError, match="another protocol is published there; choose another"):
        publish_runs(left, target)
    assert "edited" not in (target / "protocol.yaml").read_text()


def test_missing_and_failed_runs_are_holes_with_their_reason(left):
    gone, scratch = left / "whole" / "fold-1", "t1-pix2pix_scratch-s1000"
    Folder(gone).result_path(FIRST).unlink()
    Folder(gone).result_path(scratch).unlink()
    told = {"id": FIRST, "reason": "epoch 2: the training diverged"}
    write_atomic(Folder(gone).failure(FIRST), json.dumps(told))
    archive = read_archive(left)
    assert archive.holes == {
        RunKey("whole", "fold-1", 1, "unet_resnet18", 1000): "epoch 2: the training diverged",
        RunKey("whole", "fold-1", 1, "pix2pix_scratch", 1000): NOT_THERE,
    }
    assert scope(archive)[-1].startswith("HOLES: 2 runs have no result: whole, fold-1: Table 1, ")
    with pytest.raises(KitError, match="the training diverged"):
        archive.cell(1, "unet_resnet18")
    with pytest.raises(KitError, match="other: no such study"):
        archive.cell(1, "unet_resnet18", study="other")
    assert len(archive.cell(1, "pix2pix_resnet18")) == 3


def test_a_folder_with_nothing_in_it_is_all_holes(small_archive, tmp_path):
    keep_protocol(small_archive.protocol, claims.rules_sha256(), tmp_path)
    archive = read_archive(tmp_path)
    assert len(archive.holes) == 3 * (1 + 2 * 2 * 3)
    assert {found[0] for found in verdicts_of(archive)} == {NOT_TESTED, UNTESTABLE}


@pytest.mark.parametrize(
    "change", [{"manifest_sha256": "0"}, {"config": {"epochs": 9}}, {"versions": {}}]
)
def test_foreign_and_damaged_runs_are_named(left, change):
    path = Folder(left / "whole" / "fold-1").result_path(FIRST)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(KitError, match=FIRST):
        read_archive(left)


def test_a_missing_row_and_a_nan_are_named(left):
    path = Folder(left / "whole" / "fold-2").result_path("t2-pix2pix_scratch-s2001")
    record = json.loads(path.read_text())
    whole = record["scores"]["test"]
    for rows in (whole[1:], [whole[0] | {"mse_ab": np.nan}, *whole[1:]]):
        path.write_text(json.dumps(record | {"scores": record["scores"] | {"test": rows}}))
        with pytest.raises(KitError, match="fold-2: Table 2, scratch, seed 2001: 15 of 16 test"):
            read_archive(left).cell(2, "pix2pix_scratch")


@pytest.mark.slow
def test_votes_beside_the_pages_are_read_and_published(out, grid, tmp_path):
    page = make_page(grid, 1, rater=0)
    key = json.loads(page.with_suffix(".key.json").read_text())["trials"]
    votes = [{"trial": n, "side": trial["painting"]} for n, trial in enumerate(key)]
    told = json.dumps({"page": page.stem, "votes": votes})
    page.with_name(f"{page.stem}.votes.json").write_text(told)
    publish_runs(out, tmp_path / "published")
    for archive in (read_archive(out), read_archive(tmp_path / "published")):
        assert len(archive.votes) == sum(trial["model"] != "catch" for trial in key)
        assert not archive.votes["fooled"].any()


def test_an_edited_protocol_shows_in_the_scope(left):
    assert not any("EDITED" in line for line in scope(read_archive(left)))
    path = left / "protocol.yaml"
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.1"))
    (line,) = [line for line in scope(read_archive(left)) if "EDITED" in line]
    assert "the protocol was edited after its results" in line
    keep_protocol(read_protocol(str(path)), "", left)
    assert any("when 36 runs were finished" in line for line in scope(read_archive(left)))


def test_all_that_is_published_is_read_the_newest_first(left, tmp_path):
    for name in ("b-2026-01-01", "a-2026-02-01", "c-2026-02-01"):
        shutil.copytree(left, tmp_path / "results" / name)
    assert list(published(tmp_path / "results")) == ["c-2026-02-01", "a-2026-02-01", "b-2026-01-01"]


def test_the_protocol_of_version_1_is_read_whole_and_decides_nothing():
    archive = read_archive(kit_file("results", "protocol-cpu-2026-11-25"))
    assert (len(archive.runs), len(archive.scores), archive.holes) == (129, 40782, {})
    assert claims.judge([archive], "close").verdict == NOT_TESTED
    assert replace(archive.protocol.main, name="x").seeds_of("fold-2") == (0, 1)
    assert protocol_of(kits_protocol()).main.seeds_of("fold-2") == (2000, 2001, 2002, 2003)
