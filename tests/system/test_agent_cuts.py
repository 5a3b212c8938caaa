# SPDX-License-Identifier: Apache-2.0
"""The real program, killed by strace at its n-th call that changes the disk,
for each call: against a control plane and an edge over real TLS it works at
once with what it has, and finishes the renewal. DOVETAIL_LONG=1: every point; by
default some of them."""
import shutil
import subprocess

import disks
from test_agent import control, device, edge  # noqa: F401 (fixtures)
from world import LONG

CALLS = ("openat", "write", "fsync", "renameat", "renameat2", "mkdirat", "unlinkat")
RENEW = ({"id": "r1-renew", "action": "renew", "label": "device"},)


def points(trace):
    """(call, n) of those that change the state directory; which of all
    writes and opens those are, the trace of a run tells."""
    found, nth = [], {}
    for line in trace.read_text().splitlines():
        rest = line.split(None, 1)[-1]
        call = rest.split("(", 1)[0]
        if call not in CALLS:
            continue
        nth[call] = nth.get(call, 0) + 1
        if call == "openat" and "O_CREAT" not in rest:
            continue
        if call == "write" and "/state/" not in rest:
            continue
        found.append((call, nth[call]))
    return found


def prepare(device, control, folder):
    """A device that has checked in, as a folder, and the calls of its renewal."""
    device.adopt()
    device.run("run", "--once")
    ready, trace = folder / "ready", folder / "trace"
    shutil.copytree(device.state, ready)
    control.todo = list(RENEW)
    subprocess.run(["strace", "-f", "-y", "-e", f"trace={','.join(CALLS)}", "-o", trace,
                    *map(str, device.command("run", "--once"))], check=True, capture_output=True,
                   timeout=60)
    found = points(trace)
    assert len(found) > 30, found
    return ready, found


def die_at(device, control, ready, call, n):
    """A renewal from the beginning, killed at that call; was it?"""
    shutil.rmtree(device.state)
    shutil.copytree(ready, device.state)
    subprocess.run(["sync", "-f", str(device.state)], check=True)
    control.todo = list(RENEW)
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL:when={n}", *map(str, device.command("run", "--once"))],
        capture_output=True, timeout=60)
    return done.returncode != 0


def works_and_finishes(device, control, at):
    device.check_pair()
    assert (device.state / "generations/1/key.pem").exists(), at
    device.run("checkin")
    assert control.reports[-1]["certificate"] == device.fingerprint(), at
    device.run("run", "--once")
    assert device.status()["credential"]["generation"] > 1, at
    device.check_pair()
    assert (device.state / "generations/1/key.pem").exists(), at


def test_1_a_kill_at_each_call_leaves_one_working_credential(device, control, tmp_path):  # noqa: F811
    ready, found = prepare(device, control, tmp_path)
    killed = 0
    for call, n in found if LONG else found[::8]:
        killed += die_at(device, control, ready, call, n)
        works_and_finishes(device, control, (call, n))
    print(f"{len(found)} calls, {killed} kills, 0 without a working credential")
    assert killed > 4


def test_1_a_power_cut_of_the_disk_at_each_call_leaves_one_working_credential(
        device, control, tmp_path):  # noqa: F811
    """The same with the power of the disk: an ext4, copied at the cut without
    what was not synced, mounted again."""
    disks.need_root()
    with disks.Disk(tmp_path) as disk:
        home = device.state = disk.at / "state"
        ready, found = prepare(device, control, tmp_path)
        tried = found if LONG else found[4::8]
        killed = 0
        for call, n in tried:
            device.state = home
            killed += die_at(device, control, ready, call, n)
            with disk.power_cut("cut") as (at, _):
                device.state = at / "state"
                works_and_finishes(device, control, (call, n))
    print(f"{len(tried)} of {len(found)} calls, {killed} cuts of an ext4, "
          "0 without a working credential")
    assert killed > 4
