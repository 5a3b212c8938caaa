# SPDX-License-Identifier: Apache-2.0
"""The control plane is away for the whole of a test: devices connect, records
arrive afterwards, and every total is exact."""
import http.client
import os
import signal
import sqlite3
import ssl
import time

import pytest

from edgekit import fingerprint, wait_for
from test_gateway_revoke import Fleet

REFUSED = (ssl.SSLError, ConnectionError, EOFError, TimeoutError)


@pytest.fixture
def fleet(tmp_path):
    f = Fleet(tmp_path)
    yield f
    f.close()


def totals(w, table="handshake_hour"):
    rows = w.query(f"SELECT gateway, outcome, SUM(n) AS n FROM {table} WHERE gateway LIKE 'gw-%' "
                   "GROUP BY gateway, outcome")
    return {(r["gateway"], r["outcome"]): r["n"] for r in rows}


def test_what_happened_while_it_was_away_is_counted_exactly(fleet):
    w = fleet.world
    # few whole records in a minute: the rest comes as counts
    ini = w.dir / "gw-1" / "gateway.ini"
    ini.write_text(ini.read_text().replace("[gateway]", "[gateway]\nrecord-max = 4"))
    w.running["gw-1"].send_signal(signal.SIGHUP)
    wait_for("reloaded", lambda: "event=gateway.reloaded" in w.log("gw-1"))
    w.op("device", "block", "dev-0004", "--reason", "lost")
    wait_for("in force", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]))
    before = totals(w)
    w.stop("dovetaild")

    for i in range(60):
        if i in (15, 30, 45):  # with whole records and with counts on their way
            os.kill(wait_for("the feed process", lambda: w.children("gw-1").get("feed")), signal.SIGKILL)
        c = fleet.client(1 + i % 3, gateway=1)
        assert c.echo()
        c.close()
        fleet.open.pop()
    for i in range(15):
        assert fleet.refused(4, gateway=1)
    for i in range(10):
        assert fleet.client(2, gateway=2).echo()
    assert fleet.refused(4, gateway=2)
    # it goes away and comes back in between, and batches are on the disk
    w.stop("gw-2")
    w.start_gateway(2, secret=False)
    wait_for("gw-2 serves from its cache", lambda: not refused(fleet, 3, 2))

    w.start_control()
    expected = {("gw-1", "ok"): 60, ("gw-1", "edge-refused"): 15, ("gw-2", "edge-refused"): 1}

    def arrived():
        now = totals(w)
        return all(now.get(k, 0) - before.get(k, 0) >= n for k, n in expected.items())
    wait_for("the records", arrived, 25)
    time.sleep(1.5)  # nothing comes twice
    now = totals(w)
    assert {k: now.get(k, 0) - before.get(k, 0) for k in expected} == expected
    assert totals(w, "handshake_shown") == now
    assert {k: n for k, n in totals(w, "handshake").items() if k in expected} == \
        {k: now[k] for k in expected}
    counted = w.query("SELECT device, SUM(n) AS n, COUNT(*) AS rows FROM handshake WHERE gateway = 'gw-1' "
                      "AND outcome = 'ok' GROUP BY device")
    assert sum(r["n"] for r in counted) - before.get(("gw-1", "ok"), 0) == 60
    assert any(r["rows"] < r["n"] for r in counted), "some records stand for several"
    told = w.op("logs", "counts", "--gateway", "gw-1")["items"]
    assert sum(r["n"] for r in told if r["outcome"] == "ok") == now["gw-1", "ok"]
    assert {r["reason"] for r in told if r["outcome"] == "edge-refused"} == {"denied-blocked"}
    assert all(r["print"] and (r["serial"] or r["outcome"] != "ok") for r in told)


def refused(fleet, i, gateway):
    try:
        return fleet.refused(i, gateway)
    except REFUSED:
        return True


def test_a_superseded_certificate_is_mended_by_the_control_plane_alone(fleet):
    """Accepted during its hold, then refused here, while the control plane's
    own listener still lets the device in to mend itself."""
    w = fleet.world
    c = fleet.client(1)
    assert c.echo()
    # its successor was confirmed and the hold is over: what core tells then
    w.stop("dovetaild")
    db = sqlite3.connect(f"{w.home}/db/dovetail.db")
    now = int(time.time())
    assert db.execute("UPDATE credential SET state = 'superseded', superseded_at = ?, hold_until = ? "
                      "WHERE owner = 'dev-0001'", (now - 60, now + 4)).rowcount == 1
    db.commit()
    db.close()
    w.start_control()
    wait_for("gateways follow", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]), 30)
    assert c.echo(), "in its hold"
    assert c.is_closed(15), "after its hold"
    assert time.time() >= now + 4
    since = len(fleet.records())
    assert fleet.refused(1)
    wait_for("refused", lambda: [r["reason"] for r in fleet.records()[since:]] == ["denied-superseded"])
    assert taken_by_the_control_plane(fleet, 1)
    w.op("cert", "revoke", fingerprint(fleet.pair(2)[0]), "--reason", "theft")
    assert not taken_by_the_control_plane(fleet, 2), "a revoked one is refused there as well"


def taken_by_the_control_plane(fleet, i):
    """Does its device listener finish a handshake with this certificate?"""
    w = fleet.world
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.load_verify_locations(w.home / "public/root.pem")
    ctx.load_verify_locations(w.old / "ca/ca.pem")
    ctx.load_cert_chain(*fleet.pair(i))
    h = http.client.HTTPSConnection("127.0.0.1", w.device_port, context=ctx, timeout=5)
    try:
        h.request("GET", "/.well-known/est/cacerts")
        return h.getresponse().status == 200
    except REFUSED:
        return False
    finally:
        h.close()
