import numpy as np

from colorkit.experiment import Experiment
from colorkit.metrics import BASELINES
from colorkit.training import run


def card_of(folder, result) -> str:
    return (folder.model(result["id"]) / "README.md").read_text()


def test_a_card_says_what_the_runs_json_says(quick, small, folder):
    result = run(Experiment(folder, "pix2pix_scratch"))
    card = card_of(folder, result)
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
    assert "ResNet-18" not in card
    for part in ("**Use**", "**Limits**", "**Licence**", "license: mit", "not restoration"):
        assert part in card


def test_a_second_stage_is_said_to_be_one(quick, small, folder):
    result = run(Experiment(folder, "pix2pix_resnet18"))
    card = card_of(folder, result)
    assert (
        ", from the U-Net of the same table and seed; ResNet-18 weights at the very start: " in card
    )
