# SPDX-License-Identifier: Apache-2.0
"""The power of a real disk cut at each call of the real program that changes
it: the image of its ext4 is copied as it was at the cut, without what was not
synced; the copy is mounted, its file system checked, and the agent goes on
from it against a live control plane and edge. Needs root, to mount.

DOVETAIL_LONG=1: every call; by default some of them. By itself:
    sudo python3 -m pytest -s tests/power/blocks
"""
import pytest

import disks
from livekit import LIVES, Site
from world import LONG

SAMPLE = 4  # cuts of each life by default


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    disks.need_root()
    with Site(tmp_path_factory.mktemp("blocks"), devices=400 if LONG else 4 * (SAMPLE + 1)) as out:
        yield out


@pytest.mark.parametrize("life", LIVES)
def test_1_a_cut_of_the_disk_at_each_call_leaves_one_working_credential(site, life, tmp_path):
    with disks.Disk(tmp_path, 32) as disk:
        devices = site.devices(life, disk.at, 110 if LONG else SAMPLE + 1)
        found = next(devices).points()
        tried = found if LONG else found[len(found) // SAMPLE - 2::len(found) // SAMPLE][:SAMPLE]
        killed = lost = 0
        for (call, n), device in zip(tried, devices, strict=False):
            killed += device.die_at(call, n)
            with disk.power_cut("cut") as (at, _):
                home = device.state
                device.state = at / home.name
                lost += tree(home) != tree(device.state)
                device.works_and_finishes((life, call, n))
            device.state = home
            device.forget()
    print(f"{life}: {len(found)} calls, {killed} cuts of an ext4 at {len(tried)} of them, "
          f"{lost} lost something, 0 shut out")
    assert killed > 0.9 * len(tried) - 1 > 2  # a count of writes may differ by one
    assert lost > 0, "a cut that loses nothing is none"


def tree(folder):
    """Every file below, with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
            for p in folder.rglob("*")} if folder.exists() else None
