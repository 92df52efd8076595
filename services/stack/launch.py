"""Runs between fork and exec of each child: ties it to its parent and takes root away from it.

It is run as a script (`python -I -S launch.py SIGNAL PARENT ISOLATION UID GID PROGRAM...`) because
code between fork and exec of a bigger process isn't safe. It imports the standard library alone.
"""

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, action: str) -> None:
    if result != 0:
        errno = ctypes.get_errno()
        message = f"cannot {action}: {os.strerror(errno)}"
        raise OSError(errno, message)


def _enter_namespace(uid: int, gid: int) -> None:
    """Appear as `uid` inside a user namespace; outside the process stays who it was."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWUSER), "make a user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def _become(uid: int, gid: int) -> None:
    """Become an ordinary user who may still reach files under a folder that is closed to others."""
    _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << _CAP_DAC_OVERRIDE
    # Effective, permitted, inheritable; the second triple holds capabilities above 31.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _check(_libc.capset(header, sets), "set capabilities")
    raised = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
    _check(raised, "pass on a capability")


def main(arguments: list[str]) -> None:
    """Prepare this process as told, then become the program."""
    death_signal, parent, isolation, uid, gid, *program = arguments
    if isolation == "namespace":
        _enter_namespace(int(uid), int(gid))
    elif isolation == "user":
        _become(int(uid), int(gid))
    # After a change of identity, which would clear it.
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "watch the parent")
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    os.execv(program[0], program)  # noqa: S606 - the program comes from the stack itself


if __name__ == "__main__":
    main(sys.argv[1:])
