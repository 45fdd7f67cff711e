"""``python -m motionprint``: the command line."""

from __future__ import annotations

from motionprint.cli import main

if __name__ == "__main__":
    main()
