"""A wide CSV: one row a frame, in metres, y up.

The first line is ``frame,time`` and then, for each joint, ``"NAME_x","NAME_y","NAME_z"``; frames count from 0, times
are seconds. Numbers have nine digits, which is what a float32 needs to read back bit for bit; a missing value is an
empty cell. What it does not keep: the tree of the joints, the label, and the frame rate of a single frame.
"""

from __future__ import annotations

from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "encode"]

TITLE = "CSV"
EXTENSIONS: tuple[str, ...] = (".csv",)
_LONGEST = 150  # characters of a joint's name: what is longer is none where the table is read


def encode(sequence: SkeletonSequence) -> bytes:
    """The content of a CSV file.

    Raises
    ------
    SettingsError
        If a joint's name cannot stand in the head of a column.
    """
    names = sequence.skeleton.joint_names
    for name in names:
        if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST:
            raise SettingsError(
                f"{TITLE}: expected joint names of printable text without blanks around, found {name!a}"
            )
    quoted = ['"' + f"{name}_{axis}".replace('"', '""') + '"' for name in names for axis in "xyz"]
    lines = [",".join(["frame", "time", *quoted])]
    line = "%d,%r" + ",%.9g" * len(quoted)
    for frame, values in enumerate(sequence.positions.reshape(len(sequence), len(quoted))):
        lines.append((line % (frame, frame / sequence.fps, *values.tolist())).replace("nan", ""))
    return ("\n".join(lines) + "\n").encode()
