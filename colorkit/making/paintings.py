"""All paintings of several folders, less those that a model in the box is shown and judged by."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..base.errors import KitError
from ..curation import Curation, audit, manifest_text, save
from ..folder import Folder
from ..sources import Source, open_source
from ..splits import SPARE, stratify

PART_SHARES = {"train": 0.85, "valid": 0.05, "test": 0.10}
NEVER_TRAINED = "shown"  # the sample: what README, notebooks and gallery show was never trained on
MIN_TO_TRAIN = 20
LINKS = "paintings"  # where a results folder has its links


def gather(data: Sequence[str], folder: Folder) -> None:
    """Audit the paintings of all sources, and of the sample, together, and deal them.

    Writes the results folder's manifest, whose paths begin at <folder>/paintings: a link to each
    source is made there. One tenth, the same each time, is held out ("test"), painters in
    proportion, one twentieth is watched ("valid"). The sample's paintings are "shown"; what
    nearly is one of them is spare. Raises KitError for a source without paintings, two of one
    name, if too few paintings are left, or if the folder holds results of others.
    """
    sources = [open_source(name) for name in ("sample", *data)]
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise KitError(f"{', '.join(names)}: two folders of one name; rename one")
    place, paintings = folder.path / LINKS, []
    for source in sources:
        link(place / source.name, source.root)
        paintings += [replace(p, path=f"{source.name}/{p.path}") for p in source.paintings]
    curation = audit(Source("all folders", place, tuple(paintings), {}), paintings)
    manifest = curation.manifest.assign(mirrored=0, part=SPARE)
    shown = manifest["path"].str.startswith(f"{names[0]}/")
    manifest.loc[shown, "part"] = NEVER_TRAINED
    ours = manifest[~shown & ~manifest["group"].isin(manifest.loc[shown, "group"])]
    if len(ours) < MIN_TO_TRAIN:
        rule = f"a model needs {MIN_TO_TRAIN}, and hundreds to be good; add paintings"
        raise KitError(f"{', '.join(data)}: {len(ours)} paintings; {rule}")
    manifest.loc[ours.index, "part"] = stratify(ours, 0, PART_SHARES)
    if folder.manifest_path.exists() and manifest_text(manifest) != manifest_text(folder.listed):
        raise KitError(f"{folder.path}: holds models of other paintings; choose another --out")
    save(folder.path, Curation(manifest, curation.remarks))


def link(path: Path, target: Path) -> None:
    """Make a link to a folder; what was linked there before goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target.resolve(), target_is_directory=True)
