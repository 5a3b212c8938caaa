# SPDX-License-Identifier: Apache-2.0
"""A process of dovetaild that is stopped: its callers are told, not left to wait, and it is found out of the way."""
import http.client
import json
import os
import signal
import time

import pytest

from edgekit import wait_for
from test_openapi import UnixConnection
from world import World

LIMIT_S = 1


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("late"), devices=1, gateways=0)
    try:
        w.init()
        w.start_control(f"front.answerTimeout={LIMIT_S}s", "readers=2")
        yield w
    finally:
        w.close()


def ask(w, method, target, body=None, accept=None):
    """(status, answer, seconds); None as the answer for a stream that begins"""
    begun = time.monotonic()
    c = UnixConnection(w.home / "run/api.sock")
    headers = {"Authorization": f"Bearer {w.tokens['admin']}", "Content-Type": "application/json"}
    if accept:
        headers["Accept"] = accept
    c.request(method, target, json.dumps(body) if body is not None else None, headers)
    answer = c.getresponse()
    text = answer.read() if answer.status != 200 or not accept else None
    c.close()
    took = time.monotonic() - begun
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, json.loads(text) if text else None, took


class Stopped:
    def __init__(self, *pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *why):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


def pids(w, role):
    found = sorted(pid for name, pid in w.children("dovetaild").items() if role in name)
    assert found, w.children("dovetaild")
    return found


def reads(w, n=12):
    return [ask(w, "GET", "/v1/status") for _ in range(n)]


def test_a_read_gets_503_with_the_process_and_the_way_on(plane):
    with Stopped(*pids(plane, "reader")):
        status, problem, took = ask(plane, "GET", "/v1/status")
        assert status == 503 and problem["code"] == "try-later"
        assert 'process "reader ' in problem["detail"] and "not answered for 1 s" in problem["detail"]
        assert "nothing was changed, ask again" in problem["detail"]
        assert LIMIT_S <= took < LIMIT_S + 2, took
        # a long poll is given its own time on top, a stream none
        status, _, took = ask(plane, "GET", "/v1/events?after=999999&wait=2")
        assert status == 503 and LIMIT_S + 2 <= took < LIMIT_S + 4, took
        status, problem, took = ask(plane, "GET", "/v1/events", accept="text/event-stream")
        assert status == 503 and 'process "reader ' in problem["detail"] and took < LIMIT_S + 2
    assert "event=front.peer.silent" in plane.log("dovetaild")
    wait_for("reads", lambda: all(status == 200 and took < LIMIT_S for status, _, took in reads(plane)))
    wait_for("the log", lambda: "event=front.peer.answers" in plane.log("dovetaild"))


def test_one_reader_that_is_stopped_is_gone_round(plane):
    with Stopped(pids(plane, "reader")[0]):
        first = reads(plane)
        # at most one request in each front finds out; the others are answered
        assert sum(status != 200 for status, _, _ in first) <= 2 and first[-1][0] == 200, first
        assert all(status == 200 and took < LIMIT_S for status, _, took in reads(plane))


def test_what_core_leaves_undone_is_said_to_be_unknown(plane):
    made = {"name": "late", "role": "viewer"}
    with Stopped(*pids(plane, "core")):
        status, problem, took = ask(plane, "POST", "/v1/tokens", made)
        assert status == 503 and LIMIT_S <= took < LIMIT_S + 2, (problem, took)
        assert 'process "core"' in problem["detail"] and "not known: look before it is repeated" in problem["detail"]
        # who only reads is not held up by it
        assert ask(plane, "GET", "/v1/tokens")[0] == 200
    # it was done, later: its answer went nowhere, and harms no other request
    wait_for("the token", lambda: any(t["name"] == "late" for t in ask(plane, "GET", "/v1/tokens")[1]["items"]))
    status, problem, _ = ask(plane, "POST", "/v1/tokens", made)
    assert status == 409 and "already" in problem["detail"]
