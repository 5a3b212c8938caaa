# SPDX-License-Identifier: Apache-2.0
"""File systems of a test's own: a small tmpfs, and an ext4 whose power can be
cut. All of it needs root.

A power cut is a copy of the disk at one moment, whatever the programs above
were doing. The disk is a file on a second ext4; freezing that one (fsfreeze)
holds every write to the file where it is, in the middle of an fsync as well,
so that the copy is what a drive held when its power went. What was not synced
is in no file yet, and lost.
"""
import contextlib
import os
import subprocess

import pytest


def need_root():
    """These tests are part of every full run; ./check runs as root in CI."""
    if os.geteuid() != 0:
        pytest.skip("NEEDS ROOT: mounting a file system for power cuts and full disks; run ./check as root")


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def mounted(at, *how):
    at.mkdir(parents=True, exist_ok=True)
    run("mount", *how, at)
    try:
        yield at
    finally:
        subprocess.run(["sync", "-f", str(at)], check=False)
        if subprocess.run(["umount", str(at)], capture_output=True).returncode != 0:
            run("umount", "--lazy", at)  # its loop device goes with the last user


def tmpfs(at, size, inodes=4096):
    return mounted(at, "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes},mode=711", "tmpfs")


def ext4(image, at):
    return mounted(at, "-t", "ext4", "-o", "loop", image)


def make_ext4(image, megabytes):
    run("truncate", "-s", f"{megabytes}M", image)
    run("mkfs.ext4", "-q", "-F", image)


class Disk:
    """An ext4 at DIR/disk, its image where it can be frozen."""

    def __init__(self, folder, megabytes=64):
        self.dir, self.megabytes = folder, megabytes
        self.at = folder / "disk"

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        memory = self.stack.enter_context(tmpfs(self.dir / "memory", f"{4 * self.megabytes}M"))
        make_ext4(memory / "outer.img", self.megabytes + 32)
        self.outer = self.stack.enter_context(ext4(memory / "outer.img", self.dir / "outer"))
        self.image, self.copies = self.outer / "disk.img", memory
        make_ext4(self.image, self.megabytes)
        self.stack.enter_context(ext4(self.image, self.at))
        return self

    def __exit__(self, *why):
        self.stack.close()

    @contextlib.contextmanager
    def power_cut(self, name, before=lambda: None):
        """The disk as a cut leaves it, mounted: (folder, before() at the cut)."""
        copy = self.copies / f"{name}.img"
        run("fsfreeze", "--freeze", self.outer)
        try:
            known = before()
            run("cp", "--sparse=always", self.image, copy)
        finally:
            run("fsfreeze", "--unfreeze", self.outer)
        try:
            with ext4(copy, self.dir / name) as at:
                yield at, known
        finally:
            copy.unlink()
