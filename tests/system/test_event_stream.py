# SPDX-License-Identifier: Apache-2.0
"""GET /v1/events as a stream: resumed, kept alive, bounded, and cut."""
import json
import os
import signal
import socket
import sqlite3
import time

import pytest

from world import World, wait_for

STREAMS = 64  # of one front


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("events"), devices=0, gateways=0)
    w.init("--set", "fronts=1")
    w.start_control("operator.writeTimeout=1s", "fronts=1")
    yield w
    w.close()


class Stream:
    """One client, by hand: what a browser's EventSource would see."""

    def __init__(self, w, token="operator", last=None, query="", buffer=None):
        self.s = socket.socket(socket.AF_UNIX)
        if buffer:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.s.settimeout(10)
        self.s.connect(str(w.home / "run/api.sock"))
        words = w.tokens.get(token, token)
        head = (f"GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {words}\r\n"
                "Accept: text/event-stream\r\n")
        if last is not None:
            head += f"Last-Event-ID: {last}\r\n"
        self.s.sendall(head.encode() + b"\r\n")
        self.f = self.s.makefile("rb")
        self.status = int(self.f.readline().split()[1])
        self.headers = {}
        while (line := self.f.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        self.text = b""

    def body(self):
        return json.loads(self.f.read(int(self.headers["content-length"])))

    def chunk(self):
        """The next piece; None at the end, by an empty chunk or a cut."""
        line = self.f.readline()
        if not line or int(line, 16) == 0:
            return None
        piece = self.f.read(int(line, 16))
        assert self.f.read(2) == b"\r\n"
        return piece

    def lines(self):
        """Fields of each event, or {} for a comment."""
        while True:
            while b"\n\n" not in self.text:
                piece = self.chunk()
                if piece is None:
                    return
                self.text += piece
            one, self.text = self.text.split(b"\n\n", 1)
            yield dict(line.split(": ", 1) for line in one.decode().split("\n") if not line.startswith(":"))

    def events(self, n):
        got = []
        for fields in self.lines():
            if "id" in fields:
                got.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                if len(got) == n:
                    return got
        raise AssertionError(f"the stream ended after {len(got)} events")

    def close(self):
        self.f.close()
        self.s.close()


def make_events(w, n, name="pump"):
    for i in range(n):
        w.op("authority", "create", f"{name}-{i}", "--device")


def listed(w):
    return w.op("event", "list") or []


def test_a_stream_has_what_the_list_has_in_its_order_and_goes_on(world):
    make_events(world, 3, "first")
    before = listed(world)
    stream = Stream(world)
    assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
    got = stream.events(len(before))
    assert [(i, n) for i, n, _ in got] == [(e["id"], e["name"]) for e in before]
    assert [b for _, _, b in got] == before
    began = time.monotonic()
    make_events(world, 1, "second")
    (number, name, body), = stream.events(1)
    assert body["correlation"] == "second-0" and number == before[-1]["id"] + 1
    assert time.monotonic() - began < 5
    stream.close()


def test_it_is_resumed_after_the_last_id_without_gap_or_repeat(world):
    make_events(world, 6, "gap")
    ids = [e["id"] for e in listed(world)]
    for how in ({"last": ids[-4]}, {"query": f"?after={ids[-4]}"}, {"query": "?after=0", "last": ids[-4]}):
        stream = Stream(world, **how)
        assert [i for i, _, _ in stream.events(3)] == ids[-3:], how
        stream.close()


def test_what_is_asked_wrongly_is_refused_before_the_stream(world):
    for status, word, how in ((401, "token", {"token": "wrong"}), (400, "Last-Event-ID", {"last": "x1"}),
                              (400, "colour", {"query": "?colour=red"}), (400, "after", {"query": "?after=x"})):
        stream = Stream(world, **how)
        assert stream.status == status, how
        problem = stream.body()
        assert word in problem["detail"], problem
        stream.close()


def test_a_quiet_stream_has_a_heart_beat_and_outlives_its_reader(world):
    last = listed(world)[-1]["id"]
    stream = Stream(world, last=last)
    stream.s.settimeout(25)
    lines = stream.lines()
    assert "retry" in next(lines)
    os.kill(world.children("dovetaild")["reader"], signal.SIGKILL)
    assert next(lines) == {}, "a comment"
    make_events(world, 1, "after")
    assert "id" in next(lines)
    stream.close()


def test_a_revoked_token_ends_its_streams(world):
    made = world.cli("admin", "token", "create", "short", "--role", "viewer")
    stream = Stream(world, token=made["token"])
    stream.events(1)
    world.cli("admin", "token", "revoke", "short")
    make_events(world, 1, "revoked")  # so that it is asked again at once
    stream.s.settimeout(20)
    asked = True
    for fields in stream.lines():
        assert "revoked-0" not in fields.get("data", "") or asked, "one page may have been asked for before"
        asked = False
    stream.close()


def test_as_many_as_may_be_and_places_come_back(world):
    last = listed(world)[-1]["id"]
    held = [Stream(world, last=last) for _ in range(STREAMS)]
    assert {s.status for s in held} == {200}
    more = Stream(world, last=last)
    assert more.status == 503 and int(more.headers["retry-after"]) >= 1
    assert str(STREAMS) in more.body()["detail"]
    for s in held:
        s.close()
    wait_for("a free place", lambda: Stream(world, last=last).status == 200)


def test_a_client_that_takes_nothing_is_cut_and_others_are_served(world):
    world.stop("dovetaild")
    with sqlite3.connect(world.home / "db/dovetail.db") as db:  # more than sockets hold
        last = db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0]
        db.executemany("INSERT INTO event VALUES (?, 1, 'FILLER', '', '', ?)",
                       ((last + i, json.dumps({"text": "x" * 1000})) for i in range(1, 5001)))
    db.close()
    world.start_control("operator.writeTimeout=1s", "fronts=1")
    slow = Stream(world)
    time.sleep(3)
    quick = Stream(world, last=last + 4999)
    assert quick.events(1)[0][0] == last + 5000
    quick.close()
    slow.s.settimeout(10)
    got = len(slow.f.read())  # what was on its way, and then the end
    assert 0 < got < 2_000_000, got
    whole = Stream(world, last=last)
    assert [i for i, _, _ in whole.events(5000)] == list(range(last + 1, last + 5001))
    whole.close()
