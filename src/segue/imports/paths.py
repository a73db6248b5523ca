"""One path or several, as the readers take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.errors import Fault, InputError


def files_of(path: Path | str | Sequence[Path | str], *, endings: Sequence[str] = ()) -> list[Path]:
    """The files meant by `path`, in the order given. With `endings`, a folder stands for its files with them, by name.

    `InputError` naming every path that is no file, or no path at all.
    """
    given = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    files: list[Path] = []
    faults: list[Fault] = []
    for one in given:
        if one.is_dir() and endings:
            inside = sorted(file for file in one.iterdir() if file.is_file() and file.name.endswith(tuple(endings)))
            files.extend(inside)
            if not inside:
                faults.append(Fault(f"The folder holds no {' or '.join(endings)} file.", "Name the files.", str(one)))
        elif one.is_file():
            files.append(one)
        else:
            what = "It is a folder, not a file." if one.is_dir() else "There is no such file."
            faults.append(Fault(what, "Check the path.", str(one)))
    if not given:
        faults.append(Fault("No file is named.", "Name at least one."))
    if faults:
        raise InputError.from_faults(faults, subject="the paths")
    return files
