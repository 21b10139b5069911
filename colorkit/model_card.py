"""The model card of a finished run: made from its JSON, nothing else."""

from collections import Counter
from typing import Any

from .base.templates import render
from .experiment import MODELS
from .metrics import BASELINES, summarize


def model_card(result: dict[str, Any], baselines: dict[str, Any]) -> str:
    """Write the card, Markdown with the Hub's header.

    result: a run's JSON with its scores; baselines: that of the same paintings.
    """
    scores, reference = result["scores"], baselines["scores"]
    label = MODELS[result["config"]["model"]]
    tested = {label: scores["test"]}
    tested |= {BASELINES[name]: reference[name]["test"] for name in BASELINES}
    mean_colour = reference["mean_ab"]["test"]
    painters = Counter(row["painter"] for row in scores["train"])
    facts = {
        "label": label,
        "counts": {part: len(rows) for part, rows in scores.items()},
        "painters": [f"{painter} ({count})" for painter, count in painters.most_common()],
        "rows": [(name, summarize(rows, mean_colour)) for name, rows in tested.items()],
    }
    return render("model_card.md", result | facts)
