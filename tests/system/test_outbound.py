# SPDX-License-Identifier: Apache-2.0
"""What leaves by itself: events to a webhook, short messages to their gateway.
The receiver is a real HTTP server that refuses, hangs, and then works."""
import http.client
import http.server
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest

from world import World, wait_for


class Receiver:
    """Answers each request by the next word of its script; then by 204."""

    def __init__(self):
        self.script, self.got, self.taken = [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.got.append((time.monotonic(), body))
                    word = outer.script.pop(0) if outer.script else 204
                if word == "hang":
                    time.sleep(2.5)
                    return
                if word < 300:
                    outer.taken.append(body)
                self.send_response(word)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    r = Receiver()
    yield r
    r.close()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, devices=0, gateways=0)
    w.init()
    yield w
    w.close()


def settings(receiver, *more):
    return (f"webhook.url={receiver.url}", "webhook.timeout=1s", "webhook.events=AUTHORITY_CHANGE ALERT", *more)


def make(w, *names):
    for name in names:
        w.op("authority", "create", name, "--device")


def names(bodies):
    return [b["correlation"] for b in bodies]


def test_events_are_posted_in_order_until_taken(world, receiver):
    receiver.script = [500, 404, "hang"]
    world.start_control(*settings(receiver, "webhook.events=AUTHORITY_CHANGE"))
    make(world, "a", "b", "c")
    wait_for("all of them", lambda: names(receiver.taken) == ["a", "b", "c"])
    assert names(b for _, b in receiver.got) == ["a"] * 4 + ["b", "c"], "none overtakes the one that fails"
    at = [t for t, _ in receiver.got]
    assert at[1] - at[0] > 0.7 and at[2] - at[1] > 1.4, "later and later"
    first = receiver.taken[0]
    event = next(e for e in world.op("event", "list") if e["correlation"] == "a")
    assert first == {"fleet": "test", **event}
    log = world.log("dovetaild")
    assert "event=webhook.failed" in log and 'why="answered 500"' in log and 'why="answered 404"' in log
    assert "imeout" in log.split("event=webhook.failed")[3]


def test_what_was_not_taken_comes_after_a_restart_and_nothing_is_lost(world, receiver):
    receiver.script = [503] * 2
    world.start_control(*settings(receiver))
    make(world, "a", "b")
    wait_for("a try", lambda: receiver.got)
    world.stop("dovetaild", signal.SIGKILL)
    world.start_control(*settings(receiver))
    make(world, "c")
    wait_for("all of them", lambda: names(receiver.taken) == ["a", "b", "c"])
    # the courier dies with one in its hands
    receiver.script = ["hang"]
    seen = len(receiver.got)
    make(world, "d")
    wait_for("it to be asked", lambda: len(receiver.got) > seen)
    os.kill(world.children("dovetaild")["courier"], signal.SIGKILL)
    make(world, "e")
    wait_for("the last", lambda: names(receiver.taken)[-2:] == ["d", "e"])
    assert names(receiver.taken) == ["a", "b", "c", "d", "e"]


def test_a_webhook_hears_what_happens_after_it_was_configured(world, receiver):
    world.start_control()
    make(world, "before")
    world.stop("dovetaild")
    world.start_control(*settings(receiver))
    make(world, "after")
    wait_for("the event", lambda: receiver.taken)
    assert names(receiver.taken) == ["after"]


def test_an_alert_is_an_event_and_a_failing_webhook_an_alert(world, receiver):
    receiver.script = [500] * 3
    world.start_control(*settings(receiver))
    make(world, "x")
    alert = wait_for("the alert", lambda: [a for a in world.op("alert", "list")["items"]
                                           if a["name"] == "webhook-failing"])[0]
    assert alert["detail"] == "answered 500" and alert["key"] == "webhook"
    wait_for("both", lambda: len(receiver.taken) == 2)
    assert names(receiver.taken) == ["x", "webhook"]
    assert receiver.taken[1]["name"] == "ALERT"
    assert receiver.taken[1]["body"] == {"key": "webhook", "severity": "warn", "name": "webhook-failing",
                                         "detail": "answered 500"}


# --- short messages ---

def api(w, body):
    class Unix(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(str(w.home / "run/api.sock"))

    c = Unix("localhost")
    c.request("POST", "/devices/recovery/initiate", json.dumps(body),
              {"Authorization": "Bearer " + w.tokens["operator"], "Content-Type": "application/json"})
    answer = c.getresponse()
    return answer.status, json.loads(answer.read())


SMS = {"deviceIds": ["pump-1"], "method": "SMS", "action": "UPDATE_TRUSTSTORE"}


def add_device(w, name, address):
    w.op("device", "secret", name, "--create")
    with sqlite3.connect(w.home / "db/dovetail.db", timeout=10) as db:
        db.execute("UPDATE device SET oob_address = ? WHERE device_id = ?", (address, name))
    db.close()


def test_recovery_by_sms_is_refused_clearly_without_a_gateway_or_an_address(world, receiver):
    world.start_control()
    add_device(world, "pump-1", "+15550100")
    status, problem = api(world, SMS)
    assert status == 409 and "sms.url" in problem["detail"] and "BUNDLE" in problem["detail"]
    world.stop("dovetaild")
    world.start_control(f"sms.url={receiver.url}")
    add_device(world, "pump-2", "")
    status, problem = api(world, {**SMS, "deviceIds": ["pump-1", "pump-2"]})
    assert status == 409 and "pump-2" in problem["detail"] and "oob_address" in problem["detail"]
    assert world.query("SELECT count(*) AS n FROM outbox")[0]["n"] == 0, "nothing was queued for the first either"
    assert world.query("SELECT count(*) AS n FROM mailbox")[0]["n"] == 0
    time.sleep(1.2)
    assert receiver.got == []


def test_a_message_is_sent_until_the_gateway_takes_it_and_recorded_once(world, receiver):
    receiver.script = [502]
    world.start_control(f"sms.url={receiver.url}", "webhook.timeout=1s")
    add_device(world, "pump-1", "+15550100")
    status, answer = api(world, SMS)
    assert status == 200, answer
    wait_for("a refusal", lambda: len(receiver.got) == 1)
    world.stop("dovetaild", signal.SIGKILL)
    world.start_control(f"sms.url={receiver.url}", "webhook.timeout=1s")
    wait_for("the message", lambda: receiver.taken, 30)
    body = receiver.taken[0]
    assert (body["to"], body["device"], body["fleet"]) == ("+15550100", "pump-1", "test")
    assert body["text"] == f"DOVETAIL UPDATE_TRUSTSTORE https://control.test:{world.device_port}/trust/bundles"
    assert body["id"].startswith("sms/pump-1/") and receiver.got[0][1]["id"] == body["id"]
    sent = wait_for("the event", lambda: [e for e in world.op("event", "list") if e["name"] == "RECOVERY_SMS_SENT"])
    assert len(sent) == 1 and sent[0]["device"] == "pump-1" and sent[0]["body"]["to"] == "+15550100"
    row, = world.query("SELECT state FROM outbox WHERE action = 'sms'")
    assert row["state"] == "done"
    actions = [r["action"] for r in world.query("SELECT action FROM audit WHERE object = 'pump-1'")]
    assert actions.count("device.recover") == 1 and actions.count("device.recover.sms") == 1
