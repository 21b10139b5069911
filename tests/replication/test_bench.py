import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from colorkit.base.device import choose_device
from colorkit.experiment import MODELS
from colorkit.replication import bench

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = json.loads((ROOT / "results" / "cpu-2026-11-26" / "bench.json").read_text())
CPU = torch.device("cpu")


def test_ratios_are_taken_round_by_round():
    seconds = pd.DataFrame({"ours": [1.0, 30.0, 2.0], "theirs": [1.0, 10.0, 1.0]})
    assert bench.ratio(seconds, "ours", "theirs") == 2.0
    assert bench.ratio(seconds, "fp32", "ours") is None


def test_contestants_take_turns_and_the_first_round_does_not_count():
    calls = []
    seconds = bench.in_turns({name: lambda name=name: calls.append(name) for name in "ab"}, CPU)
    assert calls == ["a", "b"] * (bench.TURNS + 1)
    assert seconds.shape == (bench.TURNS, 2)


def test_the_usual_way_gives_the_same_batches_as_ours(tmp_path):
    manifest = bench.write_jpegs(tmp_path, 2)
    paths = [tmp_path / name for name in manifest["path"]]
    assert [max(bench.Image.open(path).size) for path in paths] == [1200] * 2
    assert manifest["sha256"].nunique() == 2
    ((L, ab),) = bench.Batches(bench.load_pixels(tmp_path, manifest, 256))
    usual_L, usual_ab = bench.usual_batch(paths)
    assert (usual_L - L).abs().max() < 1e-4
    assert (usual_ab - ab).abs().max() < 1e-4


@pytest.mark.parametrize("model", MODELS)
def test_an_epoch_is_more_than_its_steps(small, monkeypatch, model):
    monkeypatch.setattr(bench, "TURNS", 1)
    pixels = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    found = bench.measure_model(model, pixels, 4, CPU)
    assert found["epoch"]["wall_to_steps"] > 1
    assert 0 < found["epoch"]["data_share"] < 1
    assert found["learner_to_bare"] > 0
    assert found["fp32_to_ours"] is None


@pytest.mark.slow
def test_a_whole_bench_is_json_and_prose_and_counts_what_was_published(monkeypatch):
    monkeypatch.setattr(bench, "PAPER_TOTAL", 4)
    monkeypatch.setattr(bench, "TURNS", 1)
    monkeypatch.setattr(bench, "LARGE", (400, 300))
    monkeypatch.setattr(bench, "SMALL_ONES", 2)
    found = json.loads(json.dumps(bench.bench(64, 2, choose_device("cpu"))))
    for model, row in found["models"].items():
        known = PUBLISHED["models"][model]["gflop_per_image"]
        assert row["gflop_per_image"] == pytest.approx(known)
    text = bench.performance({"": found})
    assert "4 JPEGs of 1,200 px" in text
    assert "a folder of 2 small ones" in text
    assert all(label in text for label in MODELS.values())


def test_the_page_of_a_gpu_tells_what_32_bits_cost():
    row = PUBLISHED["models"]["pix2pix_scratch"]
    row = row | {"fp32_to_ours": 1.5, "deterministic_to_ours": 1.25}
    shown = PUBLISHED | {"device": "cuda: Tesla T4", "models": {"pix2pix_scratch": row}}
    text = bench.performance({"tesla-t4-2027-01-01": shown})
    assert "32 bits take 1.50 times as long, determinism 1.25 times" in text
    assert "No GPU" not in text


@pytest.mark.parametrize(
    ("device", "name"),
    [("cpu: x86_64", "cpu-20"), ("cuda: NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3-20")],
)
def test_a_bench_is_published_with_the_small_files_of_a_results_folder(tmp_path, device, name):
    out, results, readme = (tmp_path / n for n in ("out", "results", "README.md"))
    for path in ("tables.csv", "report.html", "runs/baselines.json", "models/run/weights"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("")
    readme.write_text(f"before{bench.MARKS[0]}old{bench.MARKS[1]}after")
    folder = bench.publish_bench(PUBLISHED | {"device": device}, results, out)
    assert folder.name.startswith(name)
    kept = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert kept == {"bench.json", "README.md", "tables.csv", "report.html", "runs/baselines.json"}
    assert readme.read_text() == f"before{bench.readme_section(results)}after"
    assert f"(results/{folder.name}/README.md)" in readme.read_text()


def test_readme_shows_the_newest_bench_of_each_device(tmp_path):
    for name in ("cpu-2026-01-01", "cpu-2026-02-01", "tesla-t4-2026-01-01"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bench.json").write_text(json.dumps(PUBLISHED))
    section = bench.readme_section(tmp_path)
    assert "cpu-2026-01-01" not in section
    assert section.index("cpu-2026-02-01") < section.index("tesla-t4-2026-01-01")


def test_readme_is_up_to_date():
    assert bench.readme_section(ROOT / "results") in (ROOT / "README.md").read_text()
