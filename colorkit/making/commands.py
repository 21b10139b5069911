"""The room's command: make the models in the box, and say what they were chosen from."""

from typing import Annotated

import typer

from ..base.errors import check_choice
from ..base.terminal import console

app = typer.Typer()


@app.command("make")
def make_models(
    data: Annotated[list[str], typer.Option(help="a folder of paintings; may be repeated")],
    only: Annotated[
        str, typer.Option(help="box, trials, photographs, or names; semicolons between")
    ] = "box",
    seeds: Annotated[int, typer.Option(min=1, help="trainings of each, seeds 0, 1, …")] = 1,
    minutes: Annotated[float, typer.Option(min=0, help="of one core, if not as planned")] = 0.0,
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
    from .publish import comparison, publish_models
    from .recipes import BOX, CANDIDATES, TRIALS
    from .train import baselines, make

    groups = {"box": list(BOX), "trials": list(TRIALS)}
    groups["photographs"] = ["cautious", "photographs"]  # which are compared
    names = groups.get(only) or [name.strip() for name in only.split(";")]
    for name in names:
        check_choice("--only", name, [*groups, *CANDIDATES])
    if publish:
        check_can_publish()
    folder = Folder(user_path(out) if out else runs_root() / "making")
    gather(data, folder)
    baselines(folder)
    for seed in range(seeds):
        for name in names:
            console.print(f"{name}, seed {seed}")
            make(name, folder, seed, minutes)
    console.print(comparison(folder).to_string())
    if only == "photographs":
        console.print(compare_plates(score_plates(folder)).to_string())
    if publish:
        console.print(f"published: {publish_models(folder, about)}")
