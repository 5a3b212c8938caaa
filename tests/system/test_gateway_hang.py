# SPDX-License-Identifier: Apache-2.0
"""A worker or the feed process that hangs is told, and replaced."""
import os
import re
import signal
import time

import pytest

from edgekit import wait_for
from test_gateway_record import World


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    w.gw.settings["watchdog"] = "5s"
    w.start()
    yield w
    assert w.gw.stop() == 0
    w.echo.close()


def pid_of(world, child):
    return int(re.findall(rf"event=proc.started .*child={child} pid=(\d+)", world.gw.log())[-1])


def test_a_worker_that_hangs_is_told_and_replaced(world):
    sessions = [world.client(i % 2) for i in range(12)]
    hung = pid_of(world, "worker-1")
    os.kill(hung, signal.SIGSTOP)
    health = wait_for("a word of it", lambda: (h := world.health()).get("doubts") and h)
    assert health["status"] == "degraded" and health["workers_ready"] == 1
    assert re.fullmatch(r"worker-1 does not answer for \d s", health["doubts"][0])
    wait_for("another in its place", lambda: pid_of(world, "worker-1") != hung and
             world.health()["workers_ready"] == 2)
    assert "worker-1 did not answer and was replaced" in world.health()["doubts"][0]
    assert f"event=proc.hangs severity=error proc=parent child=worker-1 pid={hung} ms=5000" in world.gw.log()
    assert world.metric("replaced_total") == 1
    # every place is taken by one that serves; sessions of the other went on
    assert all(world.client(i % 2).echo() for i in range(12))
    alive = 0
    for s in sessions:
        try:
            alive += s.echo()
        except (OSError, EOFError):
            pass
    assert 1 <= alive <= 11


def test_a_feed_process_that_hangs_is_replaced_and_denials_go_on(world):
    session = world.client(1)
    hung = pid_of(world, "feed")
    os.kill(hung, signal.SIGSTOP)
    for i in range(20):
        assert world.client(i % 2).echo()
    wait_for("another in its place", lambda: pid_of(world, "feed") != hung, 15)
    wait_for("health", lambda: world.health().get("workers_ready") == 2)
    assert "feed did not answer and was replaced" in world.health()["doubts"][0]
    world.deny_takes_effect()
    assert session.echo()
    session.close()
    time.sleep(0.3)
    assert world.gw.stop() == 0
    assert sum(r.get("n", 1) for r in world.gw.records()) == 20 + 1 + 3
