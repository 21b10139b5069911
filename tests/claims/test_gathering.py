import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from test_archive import judged

from colorkit.base.errors import KitError
from colorkit.base.files import kit_file, write_atomic
from colorkit.claims.archive import publish
from colorkit.claims.distances import compare_outputs, count_colours
from colorkit.claims.gathering import (
    JOINED,
    NOT_THERE,
    gather,
    join,
    read_joined,
    read_published,
    whole_splits,
)
from colorkit.claims.ledger import scope
from colorkit.claims.pages import publish_protocol
from colorkit.claims.protocol import Protocol, read_protocol, record
from colorkit.claims.rules import NOT_TESTED, UNTESTABLE
from colorkit.claims.verdicts import rules_sha256
from colorkit.claims.votes import make_page
from colorkit.curation import manifest_for, manifest_text
from colorkit.experiment import failure_path, result_path
from colorkit.splits import SCHEMES
from colorkit.training import run_baselines, run_experiment

STUDIES = {
    "tables": {"splits": ["fold-1", "fold-2"], "tables": [1], "seeds": [0, 1], "epochs": 1},
    "leaks": {"splits": ["flips"], "tables": [1], "models": ["pix2pix_scratch"], "epochs": 1},
}


@pytest.fixture
def protocol(tmp_path) -> Protocol:
    content = yaml.safe_load(kit_file("results", "protocol-cpu.yaml").read_text())
    path = tmp_path / "protocol.yaml"
    path.write_text(yaml.safe_dump(content | {"studies": STUDIES, "painters": ""}))
    return read_protocol(str(path))


@pytest.fixture
def out(quick, small, gallery, protocol, tmp_path) -> Path:
    """All the runs of a small protocol."""
    out = tmp_path / "out"
    for grid in protocol.grids(out, str(gallery)).values():
        run_baselines(grid.out, grid.profile, grid.data, grid.painters, grid.split)
        for experiment in grid.experiments():
            run_experiment(experiment, grid.out)
        compare_outputs(grid)
        count_colours(grid)
    record(protocol, rules_sha256(), out)
    return out


def test_runs_are_gathered_painting_by_painting(out, protocol):
    archive = gather(protocol, out)
    assert archive.holes == {}
    assert len(archive.runs) == 2 * (6 + 1) + (1 + 1)
    result = json.loads((out / "tables/fold-2/runs/t1-unet_resnet18-s2001.json").read_text())
    rows = archive.scores.query(
        "study == 'tables' and split == 'fold-2' and run == 't1-unet_resnet18-s2001'"
    ).merge(archive.paintings, on=["study", "split", "painting", "part"])
    for part, scores in result["scores"].items():
        mine = rows[rows["part"] == part]
        assert mine["path"].tolist() == [row["path"] for row in scores]
        assert mine["mse_ab"].tolist() == pytest.approx([row["mse_ab"] for row in scores], 1e-5)
    tested = archive.paintings.query("study == 'tables' and part == 'test'")
    assert tested["path"].is_unique
    flips = archive.paintings.query("study == 'leaks' and part == 'train'")
    assert flips["mirrored"].sum() > 0
    assert len(archive.distances.query("split == 'fold-1'")["a"].unique()) == 5  # of 6 runs
    painted = archive.colours.query("study == 'tables' and model == 'painting'")
    assert painted["pixels"].sum() == len(tested) * 32 * 32


def test_a_protocol_made_in_pieces_is_the_same_as_one_made_at_once(out, protocol, tmp_path):
    """One machine makes fold-1 and half of fold-2; another the rest, from what was published."""
    whole, result = gather(protocol, out), "t1-unet_resnet18-s2001"
    first, second, published = (tmp_path / name for name in ("first", "second", "published"))
    shutil.copytree(out, first)
    result_path(first / "tables" / "fold-2", result).unlink()
    shutil.rmtree(first / "leaks")
    publish(gather(protocol, first), published)
    joined = read_joined(protocol, published)
    assert whole_splits(joined) == {("tables", "fold-1")}
    stopped = replace(joined, colours=joined.colours.iloc[:0])  # before its colours were counted
    assert whole_splits(stopped) == set()
    shutil.copytree(out, second)
    shutil.rmtree(second / "tables" / "fold-1")
    join(joined, second)
    again = gather(protocol, second)
    assert again.holes == {}
    assert again.runs == whole.runs
    assert again.history == whole.history
    for name in ("scores", "paintings", "distances", "colours"):
        one, other = (getattr(a, name).sort_values(list(getattr(a, name))) for a in (whole, again))
        pd.testing.assert_frame_equal(
            one.reset_index(drop=True), other.reset_index(drop=True), check_dtype=False
        )
    assert judged(again) == judged(whole)


def test_pieces_that_do_not_fit_are_refused(out, protocol, tmp_path):
    publish(gather(protocol, out), tmp_path / "published")
    joined = read_joined(protocol, tmp_path / "published")
    path = tmp_path / "other.yaml"
    path.write_text(protocol.text + "# edited")
    with pytest.raises(KitError, match="made under another protocol; use .*published/protocol"):
        read_joined(read_protocol(str(path)), tmp_path / "published")
    key = "tables/fold-1/t1-pix2pix_scratch-s1000"
    run = joined.runs[key]
    older = {key: run | {"versions": {"colorkit": "0.0.1"}}}
    publish(replace(joined, runs=older), tmp_path / "older")
    with pytest.raises(KitError, match="runs by colorkit 0.0.1, this is"):
        read_joined(protocol, tmp_path / "older")
    other = {key: run | {"config": run["config"] | {"weights": "imagenet"}}}
    publish(replace(joined, runs=joined.runs | other), tmp_path / "other")
    with pytest.raises(KitError, match="was made with weights imagenet, not "):
        read_joined(protocol, tmp_path / "other")
    lacking = {"leaks/flips/t1-pix2pix_scratch-s1000": NOT_THERE}
    elsewhere = joined.paintings.assign(path="other/" + joined.paintings["path"])
    join(replace(joined, paintings=elsewhere, holes=lacking), out)
    with pytest.raises(KitError, match="leaks/flips and tables/fold-1: of other paintings"):
        gather(protocol, out)
    shutil.rmtree(out / JOINED)
    assert gather(protocol, out).holes == {}


def test_missing_and_failed_runs_are_holes_with_their_reason(out, protocol):
    gone = out / "tables" / "fold-1"
    result_path(gone, "t1-pix2pix_scratch-s1000").unlink()
    result_path(gone, "t1-unet_resnet18-s1001").unlink()
    told = {"id": "t1-unet_resnet18-s1001", "reason": "epoch 2: the training diverged"}
    write_atomic(failure_path(gone, "t1-unet_resnet18-s1001"), json.dumps(told))
    archive = gather(protocol, out)
    assert archive.distances.query("split == 'fold-1'").empty  # of other runs than there are now
    assert archive.holes == {
        "tables/fold-1/t1-pix2pix_scratch-s1000": NOT_THERE,
        "tables/fold-1/t1-unet_resnet18-s1001": "epoch 2: the training diverged",
    }
    assert scope(archive)[-1].startswith("HOLES: 2 runs have no result: tables/fold-1/t1-")
    with pytest.raises(KitError, match="the training diverged"):
        archive.cell(1, "unet_resnet18")
    with pytest.raises(KitError, match="other: no such study"):
        archive.cell(1, "unet_resnet18", study="other")
    assert len(archive.cell(1, "pix2pix_resnet18")) == 2


def test_a_folder_with_nothing_in_it_is_all_holes(protocol, tmp_path):
    archive = gather(protocol, tmp_path / "empty")
    assert len(archive.holes) == 2 * (6 + 1) + (1 + 1)
    assert {found["verdict"] for found in judged(archive)} == {NOT_TESTED, UNTESTABLE}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"versions": {"colorkit": "0.0.1"}}, "made by colorkit 0.0.1"),
        ({"manifest_sha256": "0"}, "made from other paintings"),
        ({"config": {"epochs": 9}}, "made with .*, not"),
    ],
)
def test_foreign_runs_are_refused(out, protocol, change, says):
    path = result_path(out / "tables" / "fold-1", "t1-unet_resnet18-s1000")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(KitError, match=says):
        gather(protocol, out)


def test_votes_beside_the_pages_are_gathered(out, protocol):
    (grid,) = [grid for (_, split), grid in protocol.grids(out).items() if split == "fold-1"]
    page = make_page(replace(grid, data=str(out.parent / "gallery")), 1, rater=0)
    key = json.loads(page.with_suffix(".key.json").read_text())["trials"]
    votes = [{"trial": n, "side": trial["painting"]} for n, trial in enumerate(key)]
    told = json.dumps({"page": page.stem, "votes": votes})
    page.with_name(f"{page.stem}.votes.json").write_text(told)
    archive = gather(protocol, out)
    assert len(archive.votes) == sum(trial["model"] != "catch" for trial in key)
    assert not archive.votes["fooled"].any()


def test_every_split_can_be_taken_up_again(gallery, tmp_path):
    detail = {"fold": "fold-3", "without": "without-Bo Green", "draw": "draw-20"}
    detail |= {"half": "half-2", "quarter": "quarter-2"}
    for name in (detail.get(scheme, scheme) for scheme in SCHEMES):
        first = manifest_for(tmp_path / name, str(gallery), split=name)
        again = manifest_for(tmp_path / name, str(gallery), split=name)
        assert manifest_text(first) == manifest_text(again)


def test_an_edited_protocol_shows_in_the_scope(out, protocol, tmp_path):
    path = tmp_path / "protocol.yaml"
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.1"))
    edited = read_protocol(str(path))
    record(edited, rules_sha256(), out)
    (line,) = [line for line in scope(gather(edited, out)) if "EDITED" in line]
    assert protocol.sha256[:12] in line
    assert edited.sha256[:12] in line


def test_what_is_published_is_a_results_folder_without_weights(out, protocol, tmp_path):
    """Read back by the same reader, by any later version, with the same numbers."""
    (out / "leaks/flips/snapshots/t1-pix2pix_scratch-s1000").mkdir(parents=True)
    (out / "leaks/flips/snapshots/t1-pix2pix_scratch-s1000/paintings.jpg").write_bytes(b"JPEG")
    here = gather(protocol, out)
    target = publish_protocol(protocol, out, tmp_path / "results", "mine")
    again = read_published(target)
    assert again.runs.keys() == here.runs.keys()
    assert again.history == here.history
    for name in ("scores", "paintings", "distances", "colours"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(here, name), check_dtype=False)
    assert str(judged(again)) == str(judged(here))
    kept = {path.suffix for path in target.rglob("*") if path.is_file()}
    assert kept == {".csv", ".json", ".yaml", ".html", ".md", ".jpg"}
    assert (target / "leaks/flips/snapshots/t1-pix2pix_scratch-s1000/paintings.jpg").exists()
    later = target / "tables/fold-1/runs/t1-unet_resnet18-s1000.json"
    later.write_text(later.read_text().replace('"colorkit": "0.', '"colorkit": "9.'))
    with pytest.raises(KitError, match=r"runs by colorkit 0.* and 9.*: they are never mixed"):
        read_published(target)
