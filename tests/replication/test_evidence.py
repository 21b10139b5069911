import json
from pathlib import Path

import pytest

from colorkit.experiment import PROFILES, Profile, result_path
from colorkit.replication import evidence
from colorkit.replication.grid import Grid

ROOT = Path(__file__).resolve().parents[2]
ROW = {
    "images_per_second": 1.0,
    "gflop_per_second": 50.0,
    "learner_to_bare": 1.0,
    "epoch": {"wall_to_steps": 1.0, "data_share": 0.001},
}
BENCH = {
    "device": "cpu: x86_64",
    "threads": 2,
    "size": 64,
    "batch_size": 16,
    "precision": "fp32",
    "ceilings": {"matmul_gflop_per_second": 100.0, "convolution_gflop_per_second": 90.0},
    "data": {
        "paintings": 519,
        "jpeg_kilobytes": 300.0,
        "decode_seconds": 9.0,
        "epoch_seconds": 0.1,
        "usual_to_ours": 200.0,
        "usual_all_cores_to_ours": 100.0,
    },
    "models": dict.fromkeys(evidence.MODELS, ROW),
    "generators": {},
}


@pytest.fixture
def grid(gallery, tmp_path, monkeypatch) -> Grid:
    """Table 1 on a small gallery, its bench already measured."""
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=64, epochs=2, weights="random"))
    grid = Grid(tmp_path / "out", data=str(gallery), tables=(1,))
    grid.out.mkdir()
    (grid.out / "bench.json").write_text(json.dumps(BENCH))
    return grid


@pytest.mark.slow
def test_a_slice_ends_in_time_and_the_next_goes_on_to_publish(grid, tmp_path, capsys):
    results = tmp_path / "results"
    assert evidence.gather(grid, 0.05, results, "colorkit evidence") == 130
    assert "the same command goes on from here" in capsys.readouterr().out
    assert not results.exists()
    assert evidence.gather(grid, 9, results, "colorkit evidence --data gallery") == 0
    (folder,) = results.iterdir()
    assert folder.name.startswith("cpu-20")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    runs = {f"runs/{run.id}.json" for run in grid.experiments()} | {"runs/baselines.json"}
    assert files == runs | {"README.md", "bench.json", "tables.csv", "report.html"}
    readme = (folder / "README.md").read_text()
    for told in (
        "    colorkit evidence --data gallery\n",
        "- 24 paintings by 3 painters; the paper has 519 by 4",
        "- the ResNet-18 begins with random weights",
        "- 64 px; the paper has 256",
        "- 2 epochs; the paper has 50",
        "computed in fp32",
        "519 JPEGs of 1,200 px",
    ):
        assert told in readme, told
    assert str(tmp_path) not in "".join(p.read_text() for p in folder.rglob("*") if p.is_file())


def test_a_run_that_diverges_is_published_as_failed(small, grid, tmp_path, monkeypatch):
    from colorkit.experiment import LEARNING_RATES

    monkeypatch.setitem(LEARNING_RATES[1], "pix2pix_scratch", 1e30)
    assert evidence.gather(grid, 9, tmp_path / "results", "colorkit evidence") == 1
    (folder,) = (tmp_path / "results").iterdir()
    assert ",failed" in (folder / "tables.csv").read_text()
    assert not result_path(folder, "t1-pix2pix_scratch-s0").exists()


@pytest.mark.parametrize(
    ("device", "slug"),
    [("cpu: x86_64", "cpu"), ("cuda: NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3")],
)
def test_folders_are_named_by_device(device, slug):
    assert evidence._slug(device) == slug


def test_readme_shows_the_newest_bench_of_each_device(tmp_path):
    for name, images in (
        ("cpu-2026-01-01", 1.0),
        ("cpu-2026-02-01", 7.5),
        ("tesla-t4-2026-01-01", 3),
    ):
        row = ROW | {"images_per_second": images}
        (tmp_path / name).mkdir()
        shown = BENCH | {"models": dict.fromkeys(evidence.MODELS, row), "device": name}
        (tmp_path / name / "bench.json").write_text(json.dumps(shown))
    section = evidence.readme_section(tmp_path)
    assert "cpu-2026-01-01" not in section
    assert "| 7.5 |" in section
    assert "tesla-t4-2026-01-01" in section


def test_readme_is_up_to_date():
    assert evidence.readme_section(ROOT / "results") in (ROOT / "README.md").read_text()
