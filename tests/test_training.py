import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import nowhere
from torch.utils._python_dispatch import TorchDispatchMode

from colorkit import training
from colorkit.base.checkpoints import epochs_kept, folder_of
from colorkit.base.errors import DivergedError, KitError
from colorkit.base.files import only_one
from colorkit.experiment import LEARNING_RATES, Experiment
from colorkit.folder import Folder
from colorkit.learner import make_learner
from colorkit.metrics import BASELINES, evaluate, predict_rgb
from colorkit.models import ScratchUnet
from colorkit.training import run


@pytest.fixture
def pixels(quick, pixels) -> dict[str, torch.Tensor]:
    """One batch to train on."""
    return pixels | {"train": pixels["train"][:12]}


@pytest.fixture
def finished(quick, folder) -> tuple[Experiment, dict]:
    experiment = Experiment(folder, "pix2pix_scratch")
    return experiment, run(experiment)


def test_a_run_scores_every_painting_and_keeps_what_decides_it(finished, folder):
    experiment, result = finished
    scored = {(part, row["path"]) for part, rows in result["scores"].items() for row in rows}
    assert scored == set(zip(folder.manifest["part"], folder.manifest["path"], strict=True))
    assert result == json.loads(folder.result_path(experiment.id).read_text())
    assert result["config"] == experiment.config() | {"precision": "fp32"}
    assert result["loss"] == "100 * L1 + binary cross entropy"
    optimizer = {name: result["optimizer"][name] for name in ("name", "lr", "betas")}
    assert optimizer == {"name": "Adam", "lr": 2e-4, "betas": [0.5, 0.999]}
    assert len(result["history"]) == len(result["data_order"]) == 1
    assert {"train_l1", "valid_l1", "critic", "fooling"} <= set(result["history"][0])
    assert result["snapshots"] == []  # of a short training
    assert "/" not in json.dumps(result["config"])  # no machine's paths


def test_checkpoints_that_a_kill_left_beside_a_result_go(finished, folder):
    experiment, result = finished
    left = folder_of(folder.path, experiment.id)
    left.mkdir(parents=True)
    assert run(experiment) == result
    assert not left.exists()


def test_stored_weights_are_the_scored_model(finished, folder):
    _, result = finished
    again = evaluate(folder.generator(result), folder.pixels["test"])
    stored = [{k: row[k] for k in again[0]} for row in result["scores"]["test"]]
    assert again == stored
    room = pytest.importorskip("colorkit.pictures.pretrained")
    model = room.load_pretrained(folder.model_path(result["id"]))
    assert model.config["run"] == result["id"]
    assert evaluate(model, folder.pixels["test"]) == again


def test_a_card_says_what_the_runs_json_says_and_whether_it_is_a_second_stage(finished, folder):
    _, result = finished
    run(Experiment(folder, "pix2pix_resnet18"))
    card, second = (
        (folder.model_path(f"t1-{model}-s0") / "README.md").read_text()
        for model in ("pix2pix_scratch", "pix2pix_resnet18")
    )
    baselines = folder.baselines["scores"]
    scores = {name: baselines[key]["test"] for key, name in BASELINES.items()}
    scores["pix2pix (scratch UNet)"] = result["scores"]["test"]
    for label, rows in scores.items():
        mse = np.mean([row["mse_ab"] for row in rows])
        assert f"| {label} | {mse:.4f} |" in card
    for painter in ("Ada Blue", "Bo Green", "Cy Red"):
        count = sum(row["painter"] == painter for row in result["scores"]["train"])
        assert f"{painter} ({count})" in card
    assert result["weights_sha256"] in card
    assert "license: mit" in card
    assert "ResNet-18" not in card
    assert ", from the U-Net of the same table and seed; ResNet-18 weights" in second


@pytest.mark.parametrize("grey", ["plate:ortho", "mixture"])
def test_a_run_on_plates_is_trained_and_scored_on_them_beside_the_one_on_lightness(
    finished, folder, grey
):
    _, on_lightness = finished
    experiment = Experiment(folder, "pix2pix_scratch", grey=grey)
    result = run(experiment)
    assert result["weights_sha256"] != on_lightness["weights_sha256"]
    generator = folder.generator(result)
    torch.manual_seed(0)
    assert result["scores"] == folder.scores(generator, grey=grey) != folder.scores(generator)
    model = folder.model_path(result["id"])
    assert json.loads((model / "config.json").read_text())["grey"] == grey
    assert f"the grey `{grey}` instead" in (model / "README.md").read_text()
    if grey != "mixture":  # which draws
        shown = folder.coloured(result, folder.pixels["test"])
        assert torch.equal(shown, predict_rgb(generator, folder.pixels["test"], grey))
    assert run(Experiment(folder, "pix2pix_scratch")) == on_lightness


def test_damaged_weights_are_named(finished, folder):
    _, result = finished
    path = folder.model_path(result["id"]) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(KitError, match="missing or damaged"):
        folder.generator(result)


def test_one_seed_gives_one_result_and_another_another(quick, gallery, tmp_path):
    def result(out: str, seed: int) -> dict:
        folder = Folder(tmp_path / out, data=str(gallery))
        return run(Experiment(folder, "pix2pix_scratch", seed=seed))

    one, twin, other = result("one", 0), result("twin", 0), result("other", 1)
    assert one["scores"] == twin["scores"]
    assert one["weights_sha256"] == twin["weights_sha256"]
    assert one["scores"] != other["scores"]


def test_the_pretrained_model_starts_from_the_unet_of_its_table_and_seed(
    quick, folder, monkeypatch
):
    begun = []
    original = training.make_learner

    def spy(experiment, pixels, start=None, report=None):
        begun.append((experiment.id, start))
        return original(experiment, pixels, start, report)

    monkeypatch.setattr(training, "make_learner", spy)
    run(Experiment(folder, "pix2pix_resnet18", 2, 1))
    assert [name for name, _ in begun] == ["t2-unet_resnet18-s1", "t2-pix2pix_resnet18-s1"]
    weights = folder.model_path("t2-unet_resnet18-s1") / "model.safetensors"
    unet = safetensors.torch.load_file(weights)
    assert begun[0][1] is None
    assert all(torch.equal(tensor, unet[name]) for name, tensor in begun[1][1].items())


@pytest.mark.parametrize("lr", [1e30, 30.0], ids=["no number at all", "a number, no colour's"])
def test_a_diverging_run_stops_and_is_kept_as_failed(quick, folder, monkeypatch, lr):
    monkeypatch.setitem(LEARNING_RATES[1], "unet_resnet18", lr)
    experiment = Experiment(folder, "unet_resnet18", epochs=2)
    with pytest.raises(DivergedError, match=r"^epoch \d: the training diverged"):
        run(experiment)
    assert not folder.result_path(experiment.id).exists()
    told = json.loads(folder.failure_path(experiment.id).read_text())
    assert told["reason"].startswith(f"epoch {len(told['history']) + 1}: the training diverged")
    assert epochs_kept(folder.path, experiment.id) == len(told["history"])
    monkeypatch.setitem(LEARNING_RATES[1], "unet_resnet18", 1e-3)
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
    run(experiment)
    assert not folder.failure_path(experiment.id).exists()


def test_too_little_gpu_memory_is_one_line_with_the_setting_to_try(quick, folder, monkeypatch):
    def forward(self, L):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(ScratchUnet, "forward", forward)
    experiment = Experiment(folder, "pix2pix_scratch", batch_size=8)
    says = r"out of GPU memory with batch size 8 in fp32 \([\d.]+ GB were free at the start\)"
    with pytest.raises(KitError, match=says + "; try --batch-size 4 .the paper has 16"):
        run(experiment)


def test_a_result_is_read_whatever_the_precision_unless_one_is_asked_for(finished, folder):
    experiment, result = finished
    before = folder.result_path(experiment.id).stat().st_mtime_ns
    assert run(experiment) == run(replace(experiment, precision="fp32")) == result
    assert folder.result_path(experiment.id).stat().st_mtime_ns == before
    with pytest.raises(KitError, match="made with precision fp32, not bf16"):
        run(replace(experiment, precision="bf16"))


@pytest.mark.parametrize(("precision", "band"), [("bf16", 0.05), ("fp16", 0.02)])
@pytest.mark.parametrize("model", ["unet_resnet18", "pix2pix_scratch"])  # without, with a critic
def test_16_bits_stay_close_to_32_over_20_steps(pixels, model, precision, band):
    """Every step's loss within 5 % in bf16, 2 % in fp16. (This CPU has no 16-bit units.)"""
    curves = {}
    for bits in ("fp32", precision):
        learn = make_learner(nowhere(model, precision=bits), pixels)
        learn.fit(20)  # one step each
        curves[bits] = torch.tensor([row["train_l1"] for row in learn.history.rows])
    apart = (curves[precision] / curves["fp32"] - 1).abs()
    print(f"{model}, {precision}: at most {apart.max():.3%} apart")
    assert 0 < apart.max() < band


class Reads(TorchDispatchMode):
    """Count reads of single numbers, but Adam's own step counters, which lie on the CPU."""

    def __init__(self, optimizers):
        super().__init__()
        self.optimizers, self.count = optimizers, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            moments = (m for optimizer in self.optimizers for m in optimizer.state.values())
            self.count += not any(args[0] is moment["step"] for moment in moments)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("model", ["unet_resnet18", "pix2pix_scratch"])
def test_no_loss_is_read_in_a_step(pixels, model):
    counts = []
    for copies in (1, 3):
        more = pixels | {"train": pixels["train"].repeat(4 * copies, 1, 1, 1)}
        learn = make_learner(nowhere(model), more)
        learn.fit(1)
        critics = [learn.adversarial.critic_opt] if model == "pix2pix_scratch" else []
        with Reads([learn.opt.opt, *critics]) as reads:
            learn.fit(1)
        counts.append(reads.count)
    assert counts[0] == counts[1], "as many reads for 3 batches as for 9"


def test_a_run_that_another_process_trains_is_left_to_it(quick, folder):
    experiment = Experiment(folder, "pix2pix_scratch")
    lock = folder.path / ".locks" / f"{experiment.id}.lock"
    says = f"{experiment.id}: another process is training it"
    with only_one(lock, "it is free"), pytest.raises(KitError, match=says):
        run(experiment)
    assert not folder.result_path(experiment.id).exists()


def test_baselines_are_scored_on_the_same_paintings(quick, folder):
    tested = folder.manifest.loc[folder.manifest["part"] == "test", "path"].tolist()
    for scores in folder.baselines["scores"].values():
        assert [row["path"] for row in scores["test"]] == tested
    assert replace(folder).baselines == folder.baselines  # read, not made again
