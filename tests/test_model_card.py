import json

import numpy as np

from colorkit.experiment import Experiment, weights_path
from colorkit.metrics import BASELINES
from colorkit.training import run_experiment


def card_of(out, result) -> str:
    return (weights_path(out, result["id"]).parent / "README.md").read_text()


def test_a_card_says_what_the_runs_json_says(quick, small, gallery, tmp_path):
    experiment = Experiment(1, "pix2pix_scratch", data=str(gallery))
    result = run_experiment(experiment, tmp_path)
    card = card_of(tmp_path, result)
    baselines = json.loads((tmp_path / "runs" / "baselines.json").read_text())["scores"]
    scores = {name: baselines[key]["test"] for key, name in BASELINES.items()}
    scores["pix2pix (scratch UNet)"] = result["scores"]["test"]
    for label, rows in scores.items():
        mse = np.mean([row["mse_ab"] for row in rows])
        assert f"| {label} | {mse:.4f} |" in card
    for painter in ("Ada Blue", "Bo Green", "Cy Red"):
        count = sum(row["painter"] == painter for row in result["scores"]["train"])
        assert f"{painter} ({count})" in card
    assert result["weights_sha256"] in card
    assert "ResNet-18" not in card
    for part in ("**Use**", "**Limits**", "**Licence**", "license: mit", "not restoration"):
        assert part in card


def test_a_second_stage_is_said_to_be_one(quick, small, gallery, tmp_path):
    result = run_experiment(Experiment(1, "pix2pix_resnet18", data=str(gallery)), tmp_path)
    card = card_of(tmp_path, result)
    assert (
        ", from the U-Net of the same table and seed; ResNet-18 weights at the very start: " in card
    )
