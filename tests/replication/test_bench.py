import json

import pytest
import torch

from colorkit.base.device import choose_device
from colorkit.experiment import MODELS, Experiment
from colorkit.replication import bench, measure

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("model", "gflop"),
    [("unet_resnet18", 170.5), ("pix2pix_scratch", 86.0), ("pix2pix_resnet18", 220.6)],
)
def test_operations_of_a_step_are_counted(model, gflop):
    assert measure.count_flops(model, 256) / 1e9 == pytest.approx(gflop, abs=0.05)


def test_ratios_are_taken_round_by_round():
    assert measure.ratio([1.0, 30.0, 2.0], [1.0, 10.0, 1.0]) == 2.0
    assert measure.ratio(None, [1.0]) is None


def test_contestants_take_turns_and_the_first_round_does_not_count():
    calls = []
    work = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = measure.in_turns(work, CPU)
    assert calls == ["a", "b"] * (measure.TURNS + 1)
    assert {name: len(rounds) for name, rounds in seconds.items()} == {"a": 5, "b": 5}


def test_jpegs_have_1200_px_and_differ(tmp_path):
    manifest = bench.write_jpegs(tmp_path, 3)
    sizes = [max(bench.Image.open(tmp_path / name).size) for name in manifest["path"]]
    assert sizes == [1200] * 3
    assert manifest["sha256"].nunique() == 3


def test_the_usual_way_gives_the_same_batches_as_ours(tmp_path):
    manifest = bench.write_jpegs(tmp_path, 2)
    pixels = bench.load_pixels(tmp_path, manifest, 256)
    ((L, ab),) = bench.Batches(pixels)
    usual = bench.UsualDataset([tmp_path / name for name in manifest["path"]])
    for number in range(2):
        assert (usual[number][0] - L[number]).abs().max() < 1e-4
        assert (usual[number][1] - ab[number]).abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_an_epoch_is_more_than_its_steps(model):
    pixels = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    found = bench.measure_epoch(Experiment(1, model, batch_size=4), pixels, CPU)
    assert 1 < found["wall_to_steps"] < 3
    assert 0 < found["data_share"] < found["outside_share"] < 1


@pytest.mark.slow
def test_a_whole_small_bench_is_json_and_prose(monkeypatch, tmp_path):
    from colorkit.replication.evidence import performance

    monkeypatch.setattr(bench, "PAPER_TOTAL", 8)
    monkeypatch.setattr(bench, "TURNS", 1)
    monkeypatch.setattr(measure, "TURNS", 1)

    def no_compiler(network, mode):
        def compiled(*inputs):
            raise RuntimeError("no compiler here")

        return compiled

    monkeypatch.setattr(torch, "compile", no_compiler)
    found = bench.bench(32, 2, choose_device("cpu"), tmp_path)
    assert bench.bench(32, 2, choose_device("cpu"), tmp_path) == found  # from the parts kept
    assert json.loads(json.dumps(found))["models"].keys() == MODELS.keys()
    compiled = found["generators"]["unet_resnet18"]["compile_default"]
    assert compiled["error"] == "RuntimeError: no compiler here"
    text = performance(found)
    for label in MODELS.values():
        assert label in text
    assert "8 JPEGs of 1,200 px" in text
