"""Ends processes with those that started them, so that nothing is left behind after a kill -9."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def end_with_parent(signal_number: int = signal.SIGTERM) -> None:
    """Ask the kernel to send us `signal_number` when the thread that started this process ends. Linux only; else no effect.

    Safe to call between fork and exec. Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def parent() -> int:
    """The process id of whoever owns this process now; it changes when the one that started it ends."""
    return os.getppid()
