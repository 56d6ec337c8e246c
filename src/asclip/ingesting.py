"""`asclip ingest`: a table of images and reports becomes a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asclip import arguments, terminal
from asclip.errors import AsclipError
from asclip.terminal import say

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing


def ingest(
    table: Annotated[
        Path, typer.Argument(help="CSV, TSV, Parquet or JSON lines; a row per image.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the data set.")],
    root: Annotated[
        Path | None, typer.Option(help="Folder of the images; default: the table's own.")
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option(
            help="role=column, several: image, text, text:NAME, patient, study, view, split, "
            "labels (a cell such as Mass|Effusion), label:NAME (0 or 1), meta=A,B, signal (ECG)."
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="Prepare images as a run needs them, such as one of asclip model add."),
    ] = None,
    size: Annotated[
        str,
        typer.Option(help="Pixels: 224, 256x192 (rows x columns); 32x64x64 keeps whole volumes."),
    ] = "224",
    spacing: Annotated[
        str | None,
        typer.Option(
            help="mm of a pixel along each axis of --size (9x6x6); the centre is cropped or padded."
        ),
    ] = None,
    window: Annotated[
        str,
        typer.Option(
            help="Grey values that are shown: the file's own window, full, percentile, "
            "or LOW:HIGH (HU for CT)."
        ),
    ] = "file",
    channels: Annotated[int, typer.Option(help="1 grey or 3 colour.")] = 1,
    fit: Annotated[str, typer.Option(help="pad | crop (true aspect) | squash.")] = "pad",
    decode: Annotated[
        str, typer.Option(help="quick (JPEG 2000 only as fine as --size asks for) | full.")
    ] = "quick",
    signal: Annotated[
        str,
        typer.Option(help="Signals (--map signal=COLUMN): leads x samples @ Hz that are kept."),
    ] = "12x1000@100",
    signal_rate: Annotated[
        float | None, typer.Option(help="Hz of signal files that do not say it: .npy, .csv.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    fractions: Annotated[
        str, typer.Option(help="Patients for train,val,test; a split column wins.")
    ] = "0.7,0.1,0.2",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; default: continue.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first studies.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; default: one per core.")
    ] = None,
    on_leak: Annotated[
        str, typer.Option(help="An image of two patients: move them to one split, or error.")
    ] = "move",
) -> None:
    """Decode a table of images and reports once into a data set, split by patient."""
    columns = arguments.mapping(map or [])
    steps = {
        "size": arguments.size(size),
        "spacing": arguments.spacing(spacing),
        "window": arguments.window(window),
    }
    shares = arguments.fractions(fractions)
    recorded = (*arguments.signal(signal), signal_rate)
    from asclip.data.ingest import ingest as run
    from asclip.data.progress import track
    from asclip.data.sources.table import Table
    from asclip.files.preprocessing import Preprocessing
    from asclip.files.signal_preprocessing import SignalPreprocessing

    source = Table(table, root=root, mapping=columns, name=name)
    preprocessing = Preprocessing(channels=channels, fit=fit, decode=decode, **steps)
    if like is not None:
        preprocessing = _like(like, changed=preprocessing != Preprocessing(size=(224, 224)))
    data = run(
        source, out, preprocessing, seed=seed, fractions=shares, fresh=fresh, limit=limit,
        workers=workers, on_leak=on_leak, progress=track,
        signal=SignalPreprocessing(*recorded) if "signal" in columns else None,
    )  # fmt: skip
    say(*terminal.ingested(data.describe()), f"written: {out}")
    if like is not None:
        return say(f"next: asclip evaluate {like} {out}")
    recipe = "ct-clip" if len(steps["size"]) == 3 else "clip"
    return say(f"next: asclip pretrain {out} --recipe {recipe} --out RUN")


def _like(run: Path, *, changed: bool) -> Preprocessing:
    from asclip.recipes.models import preprocessing_of

    if changed:
        raise AsclipError(
            "--like takes the run's own preparation of images, got --size, --spacing, --window, "
            "--channels, --fit or --decode beside it; leave these out, or --like"
        )
    return preprocessing_of(run)
