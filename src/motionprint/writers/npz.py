"""NumPy's ``.npz``: positions in metres bit for bit, NaN too, with the frame rate, names and parents of the joints.

Keys: ``positions`` float32 (T, J, 3), ``fps``, ``joint_names`` (J,), ``parents`` (J,), ``unit`` (m), ``person``, and
where they are known ``name``, ``label`` and ``subject``. The same recording gives the same bytes. Arrays lie in it as
they are (not compressed: noise of sensors hardly shrinks). What it does not keep: body parts that were not derived from
names.
"""

from __future__ import annotations

import io
import zipfile

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "encode"]

TITLE = "NumPy arrays"
EXTENSIONS: tuple[str, ...] = (".npz",)
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The date of every member: a clock would make the bytes differ."""


def encode(sequence: SkeletonSequence) -> bytes:
    """The content of an ``.npz`` file.

    Raises
    ------
    SettingsError
        If a name has a character that NumPy's texts do not keep.
    """
    texts = {"name": sequence.name or None, "label": sequence.label, "subject": sequence.subject}
    known = {key: text for key, text in texts.items() if text is not None}
    for text in (*sequence.skeleton.joint_names, *known.values()):
        if "\0" in text or any(0xD800 <= ord(character) < 0xE000 for character in text):
            raise SettingsError(f"{TITLE}: expected names of text, found {text!a}")
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "positions": sequence.positions,
        "fps": np.array(sequence.fps, dtype=np.float64),
        "joint_names": np.array(sequence.skeleton.joint_names),
        "parents": np.array(sequence.skeleton.parents, dtype=np.int64),
        "unit": np.array("m"),
        "person": np.array(sequence.person, dtype=np.int64),
        **{key: np.array(text) for key, text in known.items()},
    }
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for key, values in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(values).reshape(values.shape), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", _BEGINNING), content.getbuffer())
    return output.getvalue()
