"""TRC: markers in millimetres, y up, as OpenSim reads them; missing values are blank cells.

Ten digits a number: more than a float32 has, so that positions read back bit for bit. What a TRC cannot hold: the tree
of the joints, and names with tabs, line ends or blanks around them.
"""

from __future__ import annotations

import numpy as np

from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "encode"]

TITLE = "TRC"
EXTENSIONS: tuple[str, ...] = (".trc",)


def encode(sequence: SkeletonSequence) -> bytes:
    """The content of a TRC file.

    Raises
    ------
    SettingsError
        If a joint's name cannot stand in a TRC.
    """
    names = sequence.skeleton.joint_names
    for name in names:
        if name != name.strip() or not name or not name.isprintable():
            raise SettingsError(
                f"{TITLE}: expected joint names of printable text without blanks around, found {name!a}"
            )
    frames, joints = sequence.positions.shape[:2]
    fps = repr(float(sequence.fps))
    head = [
        "PathFileType\t4\t(X/Y/Z)\tmotionprint.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{fps}\t{fps}\t{frames}\t{joints}\tmm\t{fps}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"X{joint}\tY{joint}\tZ{joint}" for joint in range(1, joints + 1)),
        "",
    ]
    line = "%d\t%.6f" + "\t%.10g" * (3 * joints)
    rows = []
    for frame, values in enumerate(sequence.positions.reshape(frames, -1)):
        millimetres = (values.astype(np.float64) * 1000).tolist()
        rows.append((line % (frame + 1, frame / sequence.fps, *millimetres)).replace("nan", ""))
    return ("\n".join([*head, *rows]) + "\n").encode()
