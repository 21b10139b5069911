"""The room's command: make the models in the box, and say what they were chosen from."""

from typing import Annotated

import typer

from ..base.errors import KitError, check_choice
from ..base.terminal import console, one_of

app = typer.Typer()


@app.command("make")
def make_models(
    data: Annotated[list[str], typer.Option(help="a folder of paintings; may be repeated")],
    only: Annotated[str, one_of(("box", "trials", "photographs"), "what to train")] = "box",
    seeds: Annotated[int, typer.Option(min=1, help="trainings of each, seeds 0, 1, …")] = 1,
    out: Annotated[str, typer.Option(help="results folder; runs/making if empty")] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="the box, into results/ and into the package")
    ] = False,
    about: Annotated[str, typer.Option(help="a sentence on the paintings, for the cards")] = "",
) -> None:
    """Train the models in the box, or what they were chosen from."""
    console.print("reading the paintings")
    from ..base.files import check_can_publish, runs_root, user_path
    from ..folder import Folder
    from .paintings import gather
    from .photographs import compare_plates, score_plates
    from .publish import compare_candidates, publish_models
    from .recipes import BOX_RECIPES, TRIALS
    from .train import baselines, make

    groups = {"box": BOX_RECIPES, "trials": TRIALS, "photographs": ("cautious", "photographs")}
    check_choice("--only", only, groups)
    if publish and only != "box":
        raise KitError("--publish: publishes the box; leave out --only")
    if publish:
        check_can_publish()
    folder = Folder(user_path(out) if out else runs_root() / "making")
    gather(data, folder)
    baselines(folder)
    for seed in range(seeds):
        for name in groups[only]:
            console.print(f"{name}, seed {seed}")
            make(name, folder, seed)
    console.print(compare_candidates(folder).to_string())
    if only == "photographs":
        console.print(compare_plates(score_plates(folder)).to_string())
    if publish:
        console.print(f"published: {publish_models(folder, about)}")
