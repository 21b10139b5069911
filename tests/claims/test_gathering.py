import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from known import answer, key_of, kits_protocol, protocol_of

from colorkit import __version__
from colorkit.base.errors import KitError
from colorkit.base.files import kit_file, write_atomic
from colorkit.claims import verdicts as claims
from colorkit.claims.archive import SCORES, RunKey
from colorkit.claims.board import NOT_TESTED, UNTESTABLE
from colorkit.claims.gathering import NOT_THERE, publish_runs, published, read_archive
from colorkit.claims.ledger import scope
from colorkit.claims.protocol_file import keep_protocol, read_protocol
from colorkit.claims.votes import CATCH, make_page

TABLES = ("scores", "paintings", "distances", "votes")
FIRST = "t1-unet_resnet18-s1000"


def verdicts_of(archive) -> list[tuple[str, ...]]:
    return [(v.verdict, v.because, v.small) for v in claims.verdicts([archive])]


def test_what_runs_left_is_read_painting_by_painting(out, grid):
    archive = read_archive(out)
    listed = archive.paintings.query("split == 'fold-1'").sort_values("painting")
    made = {(1, "unet_resnet18"): grid.folder.result(FIRST)["scores"]}
    made[0, "L_table"] = grid.folder.result("baselines")["scores"]["L_table"]
    for ((table, model), parts), metric in itertools.product(made.items(), SCORES):
        for part, rows in parts.items():
            paths = listed[listed["part"] == part]["path"].tolist()
            assert paths == [row["path"] for row in rows]
            read = archive.cell(table, model, part, metric, splits=("fold-1",), grouped=False)
            np.testing.assert_allclose(read[0][0], [row[metric] for row in rows], rtol=1e-5)


def test_what_is_published_is_the_same_without_weights(out, grid, tmp_path):
    """Real runs: the same reader, the same numbers, verdicts and history."""
    here = read_archive(out)
    assert here.holes == {}
    assert len(here.runs) == 2 * (6 + 1) + (1 + 1)
    tested = here.paintings.query("study == 'tables' and part == 'test'")
    assert tested["path"].is_unique
    assert here.paintings.query("study == 'leaks' and part == 'train'")["mirrored"].sum() > 0
    apart = here.distances.query("split == 'fold-1'")
    pairs = apart["kind"].value_counts() / apart["path"].nunique()
    assert pairs.to_dict() == {"scratch": 4, "pair": 2, "unets": 1, "pretrained": 1}
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
    grid.folder.result_path(FIRST).unlink()
    left = read_archive(out).distances  # measured of other runs than there are now
    assert set(left["split"]) == {"fold-2"}


def test_a_published_folder_stays_readable_by_later_versions(out):
    for path in out.glob("*/*/runs/*.json"):
        path.write_text(path.read_text().replace(f'"colorkit": "{__version__}"', '"colorkit": "0"'))
    assert {r["versions"]["colorkit"] for r in read_archive(out).runs.values()} == {"0"}
    later = out / f"tables/fold-1/runs/{FIRST}.json"
    later.write_text(later.read_text().replace('"colorkit": "0"', '"colorkit": "9"'))
    with pytest.raises(KitError, match="runs by colorkit 0 and 9: they are never mixed"):
        read_archive(out)


def test_another_protocol_is_not_published_over_and_nothing_old_is_left(out, tmp_path):
    target = tmp_path / "mine-2026-01-01"
    publish_runs(out, target)
    (target / "old.json").write_text("{}")
    publish_runs(out, target)
    assert not (target / "old.json").exists()
    (out / "protocol.yaml").write_text((out / "protocol.yaml").read_text() + "# edited\n")
    with pytest.raises(KitError, match="another protocol is published there; choose another"):
        publish_runs(out, target)
    assert "edited" not in (target / "protocol.yaml").read_text()


def test_missing_and_failed_runs_are_holes_with_their_reason(out, grid):
    for run in (FIRST, "t1-pix2pix_scratch-s1000", "baselines"):
        grid.folder.result_path(run).unlink()
    told = {"id": FIRST, "reason": "epoch 2: the training diverged"}
    write_atomic(grid.folder.failure_path(FIRST), json.dumps(told))
    archive = read_archive(out)
    assert archive.holes == {
        RunKey("tables", "fold-1", 1, "unet_resnet18", 1000): "epoch 2: the training diverged",
        RunKey("tables", "fold-1", 1, "pix2pix_scratch", 1000): NOT_THERE,
    }
    assert scope([archive])[-2:] == [
        f"not run, or failed: 2 runs of the protocol fixed {archive.protocol.fixed}: 2 of tables",
        "FAILED: tables, fold-1: Table 1, U-Net, seed 1000: epoch 2: the training diverged",
    ]
    elsewhere = replace(archive, holes={})
    assert "not run" not in scope([archive, elsewhere])[-2]
    with pytest.raises(KitError, match="the training diverged"):
        archive.cell(1, "unet_resnet18")
    with pytest.raises(KitError, match=r"baselines has no result \(not run yet"):
        archive.cell(0, "grey")
    with pytest.raises(KitError, match="other: no such study"):
        archive.cell(1, "unet_resnet18", study="other")
    assert len(archive.cell(1, "pix2pix_resnet18")) == 2


def test_a_folder_with_nothing_in_it_is_all_holes(small_archive, tmp_path):
    keep_protocol(small_archive.protocol, claims.rules_sha256(), tmp_path)
    archive = read_archive(tmp_path)
    assert len(archive.holes) == 3 * (2 * 2 * 3)
    assert {found[0] for found in verdicts_of(archive)} == {NOT_TESTED, UNTESTABLE}


@pytest.mark.parametrize(
    "change", [{"manifest_sha256": "0"}, {"config": {"epochs": 9}}, {"versions": {}}]
)
def test_foreign_and_damaged_runs_are_named(out, grid, change):
    path = grid.folder.result_path(FIRST)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(KitError, match=FIRST):
        read_archive(out)


def test_votes_beside_the_pages_are_read_and_published(out, grid, tmp_path):
    page = make_page(grid, 1, rater=0)
    answer(page)
    publish_runs(out, tmp_path / "published")
    for archive in (read_archive(out), read_archive(tmp_path / "published")):
        assert len(archive.votes) == sum(trial["model"] != CATCH for trial in key_of(page))
        assert not archive.votes["fooled"].any()
        assert set(archive.votes["study"]) == {"tables"}


def test_runs_without_their_protocols_history_are_refused(out):
    """Who deletes it would have edited nothing."""
    (out / "protocol-history.json").unlink()
    with pytest.raises(KitError, match="protocol-history.json: missing; it says what was fixed"):
        read_archive(out)


def test_an_edited_protocol_shows_in_the_scope(out):
    assert [line for line in scope([read_archive(out)]) if "EDITED" in line] == []
    path = out / "protocol.yaml"
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.1"))
    (line,) = [line for line in scope([read_archive(out)]) if "EDITED" in line]
    assert "the protocol was edited after its results" in line
    keep_protocol(read_protocol(str(path)), "", out)
    assert any("when 13 runs were finished" in line for line in scope([read_archive(out)]))


def test_all_that_is_published_is_read_the_newest_first(out, tmp_path):
    for name in ("b-2026-01-01", "a-2026-02-01", "c-2026-02-01"):
        shutil.copytree(out, tmp_path / "results" / name)
    assert list(published(tmp_path / "results")) == ["c-2026-02-01", "a-2026-02-01", "b-2026-01-01"]


def test_the_protocol_of_version_1_is_read_whole_and_decides_nothing():
    archive = read_archive(kit_file("results", "protocol-cpu-2026-11-25"))
    assert (len(archive.runs), len(archive.scores), archive.holes) == (129, 40782, {})
    assert claims.judge([archive], "close").verdict == NOT_TESTED
    assert replace(archive.protocol.main, name="x").seeds_of("fold-2") == (0, 1)
    assert protocol_of(kits_protocol()).main.seeds_of("fold-2") == (2000, 2001, 2002, 2003)
