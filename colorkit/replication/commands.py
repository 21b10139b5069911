"""The room's commands: recompute the tables, measure the machine."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..base.errors import KitError
from ..base.files import runs_root, user_path, write_atomic
from ..base.terminal import (
    Data,
    Device,
    DryRun,
    Jobs,
    NoNotebooks,
    Out,
    Painters,
    absolute,
    console,
    one_of,
)
from ..experiment import MODELS, PRECISIONS, PROFILES, VARIANTS, Experiment

if TYPE_CHECKING:
    from .grid import Grid

app = typer.Typer()
DEFAULTS = {field.name: field.default for field in fields(Experiment)}
SPLITS = ("paper", "usual", "fold", "half", "quarter", "draw", "plain", "sorted", "flips")
SPLITS += ("inside", "without")  # splits.SCHEMES by name: that file brings pandas, and is slow
Batch = Annotated[int, typer.Option(help="paintings a step; the paper's is 16")]


@app.command("reproduce")
def reproduce_tables(
    profile: Annotated[str, one_of(PROFILES, "size, epochs and weights")] = "smoke",
    data: Data = "sample",
    painters: Painters = "",
    tables: Annotated[str, typer.Option(help="1, 2 or 1,2")] = "1,2",
    seeds: Annotated[str, typer.Option(help="comma-separated, such as 0,1,2")] = "0",
    models: Annotated[str, one_of(MODELS, "comma-separated; all three if empty")] = "",
    variants: Annotated[
        str, one_of(VARIANTS, "changed recipes to run as well, comma-separated")
    ] = "",
    grey: Annotated[
        str, typer.Option(help="what models see: L, plate:ortho,tungsten or such, or mixture")
    ] = DEFAULTS["grey"],
    split: Annotated[
        str, one_of(SPLITS, "some with more, such as fold-1, without-Rembrandt")
    ] = "paper",
    epochs: Annotated[int, typer.Option(help="0: the profile's")] = 0,
    batch_size: Batch = DEFAULTS["batch_size"],
    precision: Annotated[str, one_of(PRECISIONS, "auto: by device")] = "auto",
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="the same bits from a GPU each time; slower")
    ] = False,
    jobs: Jobs = 1,
    no_notebooks: NoNotebooks = False,
    cluster: Annotated[
        str, one_of(("slurm", "kubernetes", "local"), "the jobs to its nodes", "FOLDER")
    ] = "",
    out: Out = "",
    dry_run: DryRun = False,
) -> None:
    """Recompute Tables 1 and 2 of the paper; goes on where it was stopped."""
    console.print("looking at what is there")
    from ..folder import Folder
    from .grid import Grid, check_grid
    from .reproduce import reproduce

    folder = Folder.of(profile, absolute(data), painters, split, out)
    options = {"epochs": epochs, "batch_size": batch_size, "precision": precision}
    options |= {"deterministic": deterministic, "grey": grey}
    unusual = {name: value for name, value in options.items() if value != DEFAULTS[name]}
    lists = _whole_numbers("tables", tables), _whole_numbers("seeds", seeds)
    chosen = tuple(_names(models)) or tuple(MODELS), tuple(_names(variants))
    grid = Grid(folder, *lists, *chosen, unusual)
    if dry_run:
        check_grid(grid)
        list_jobs(grid, not no_notebooks)
        return
    runner = None
    if cluster:
        from .cluster import on_cluster

        runner = on_cluster(cluster)
    raise typer.Exit(reproduce(grid, jobs, not no_notebooks, runner))


def list_jobs(grid: "Grid", lessons: bool = True) -> None:
    """Show what would be run, and what is there."""
    from .grid import missing, plan

    shown, todo = Table("job", "state", "results"), missing(grid, lessons)
    for job in plan(grid, lessons):
        results = ", ".join(str(path.relative_to(grid.folder.path)) for path in job.results)
        state = "done" if job not in todo else "failed" if job.failure else "to do"
        shown.add_row(job.name, state, results)
    console.print(shown, f"in {grid.folder.path}")


@app.command("bench")
def measure_speed(
    size: Annotated[int, typer.Option(help="px of the steps; 0: 256 on a GPU, else 64")] = 0,
    batch: Batch = DEFAULTS["batch_size"],
    device: Device = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="write results/<device>-<date>/ and README's section")
    ] = False,
    out: Annotated[
        str, typer.Option(help="with --publish: a results folder whose small files go along")
    ] = "",
) -> None:
    """Measure how fast this machine trains, and what its hardware could give."""
    console.print("measuring")
    from ..base.device import choose_device
    from ..base.files import check_can_publish, kit_file
    from .bench import bench, performance, publish_bench

    if publish:
        check_can_publish()
    chosen, folder = choose_device(device), user_path(out) if out else None
    if folder and not (publish and (folder / "tables.csv").exists()):
        raise KitError(f"--out {out}: needs --publish, and tables of `colorkit reproduce`")
    measured = bench(size or (256 if chosen.type == "cuda" else 64), batch, chosen)
    path = runs_root() / f"bench-{chosen.type}.json"
    write_atomic(path, json.dumps(measured, indent=1) + "\n")
    console.print(performance({"": measured}), f"written to {path}")
    if publish:
        console.print(f"published in {publish_bench(measured, kit_file('results'), folder)}")


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _whole_numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        told = f"--{name} {text!r}: must be whole numbers with commas, such as 1,2"
        raise KitError(told) from None
