import numpy as np

from colorkit.experiment import Experiment
from colorkit.metrics import BASELINES
from colorkit.training import run


def test_a_card_says_what_the_runs_json_says_and_whether_it_is_a_second_stage(quick, folder):
    run(Experiment(folder, "pix2pix_resnet18"))
    result = run(Experiment(folder, "pix2pix_scratch"))
    card, second = (
        (folder.model(f"t1-{model}-s0") / "README.md").read_text()
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
