"""The folder that this library keeps for one user of one machine: request budgets, and markets as they were last seen."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

NAME = "perp-exchange-clients"


def user_folder() -> Path | None:
    """Made if it is absent, readable by its owner alone. None where there is no such place, or not one of our own."""
    home = _home()
    if home is None:
        return None
    folder = home / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
            return None
        if os.name == "posix":
            if found.st_uid != os.geteuid():
                return None
            if found.st_mode & 0o077:
                folder.chmod(0o700)
    except OSError:
        return None
    return folder


def _home() -> Path | None:
    """Where the platform wants such state to lie."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return Path(local) if local else None
    state = os.environ.get("XDG_STATE_HOME", "")
    if state and os.path.isabs(state):
        return Path(state)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if not home.is_dir():
        return None
    return home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "state"
