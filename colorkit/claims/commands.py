"""The room's commands: run a protocol, judge claims, and ask people which one is the painting."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..base.errors import KitError
from ..base.files import data_name, runs_root, slug, user_path
from ..base.terminal import Data, DryRun, Jobs, NoNotebooks, absolute, console
from ..experiment import MODELS
from ..replication.commands import list_jobs

app = typer.Typer()


@app.command()
def protocol(
    file: Annotated[str, typer.Argument(help="a protocol, such as results/protocol.yaml")],
    data: Data = "sample",
    out: Annotated[str, typer.Option(help="results folder; runs/<file>-<data> if empty")] = "",
    jobs: Jobs = 1,
    no_notebooks: NoNotebooks = False,
    dry_run: DryRun = False,
) -> None:
    """Make the runs that a protocol fixes; goes on where it was stopped."""
    console.print("reading the protocol")
    from ..replication.grid import check_grid
    from ..replication.reproduce import check_notebooks, complete
    from .distances import look_at_pictures
    from .protocol_file import keep_protocol, read_protocol
    from .verdicts import rules_sha256

    data, fixed, codes = absolute(data), read_protocol(file), [0]
    unnamed = runs_root() / slug(f"{Path(file).stem}-{data_name(data)}")
    folder = user_path(out) if out else unnamed
    if not (dry_run or no_notebooks):
        check_notebooks(folder)
    grids, audits = fixed.grids(folder, data), {}
    for grid in grids.values():
        check_grid(grid, audits)
    if dry_run:
        for grid in grids.values():
            list_jobs(grid, not no_notebooks)
        return
    keep_protocol(fixed, rules_sha256(), folder)
    for number, ((study, split), grid) in enumerate(grids.items(), start=1):
        console.print(f"{study}, {split} ({number} of {len(grids)})")
        codes.append(complete(grid, jobs, not no_notebooks, audits=audits))
        if codes[-1] == 130:
            break
        if study == fixed.main.name and set(grid.models) == set(MODELS):
            look_at_pictures(grid)
    raise typer.Exit(max(codes))  # 0: every run has a result; 1: some failed; 130: stopped


@app.command()
def ledger(
    out: Annotated[str, typer.Option(help="a protocol's results folder; empty: published")] = "",
    publish: Annotated[
        str, typer.Option(help="publish the small files of --out under this name in results/")
    ] = "",
) -> None:
    """Say what has been tested of the paper's claims, what has not, and what runs show."""
    from ..base.files import check_can_publish, kit_file
    from ..base.templates import replace_section
    from .board import newest_first, published_verdicts, terminal

    results = kit_file("results")
    if publish and not out:
        raise KitError("--publish: needs --out, the folder of runs to be published")
    if not out:
        shown, judged = published_verdicts(results)
        console.print(terminal([f"numbers and runs: {shown}"], judged))
        return
    console.print("reading the runs")
    from .gathering import publish_runs, published, read_archive
    from .ledger import scope
    from .pages import LEDGER_MARKS, ledger_section, write_pages
    from .verdicts import verdicts

    if publish:
        check_can_publish()
    folder, archives = user_path(out), published(results)
    name = folder.name if folder.parent == results.resolve() else ""
    own, targets = archives.get(name) or read_archive(folder), [folder]
    name = f"{slug(publish)}-{time.strftime('%Y-%m-%d')}" if publish else name
    # What was just read stands before older ones: of two that may decide, the first does.
    archives = {name: own} | {older: archives[older] for older in archives if older != name}
    if publish:
        targets.append(results / name)
        publish_runs(folder, targets[-1])
        archives = {name: archives[name] for name in newest_first(archives)}
    judged = verdicts(archives.values())
    scopes = scope([*archives.values()])
    write_pages(targets, own, scopes, judged)
    console.print(terminal(scopes, judged))
    if publish:
        readme = results.with_name("README.md")
        if readme.exists():
            replace_section(readme, LEDGER_MARKS, ledger_section(archives, scopes, judged))
        console.print(f"published in {targets[-1]}")


@app.command()
def choice(
    out: Annotated[str, typer.Option(help="a results folder with finished runs")],
    table: Annotated[int, typer.Option(help="1 or 2")] = 1,
    rater: Annotated[
        int, typer.Option(min=0, help="a person's number; each has pages of their own")
    ] = 0,
) -> None:
    """Make a page that asks which of two pictures is the painting."""
    console.print("reading the runs")
    from ..replication.grid import grid_of
    from .votes import make_page

    page = make_page(grid_of(user_path(out)), table, rater)
    console.print(f"{page}\nkeep {page.stem}.key.json from the rater; put the votes beside it")


@app.command()
def votes(files: Annotated[list[Path], typer.Argument(help="raters' *.votes.json")]) -> None:
    """Count the votes of a forced choice, with intervals."""
    console.print("reading the votes")
    from .votes import NEEDED, read_votes, tally

    rows, remarks = read_votes(files)
    shown = Table("model", "votes", "raters", "taken for the painting", "95 % interval")
    for found in tally(rows).itertuples():
        rates = f"{found.rate:.0%}", f"{found.low:.0%} to {found.high:.0%}"
        shown.add_row(MODELS[found.Index], str(found.votes), str(found.raters), *rates)
    least = f"{NEEDED} votes a model, more if raters or paintings differ, tell 40 % from 50 %"
    console.print(shown, least, *remarks)
