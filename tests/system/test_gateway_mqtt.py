# SPDX-License-Identifier: Apache-2.0
"""mqtt: upstreams of dovetail-gateway with real mosquitto clients and brokers:
who may open a session under which name, and how the others are told."""
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from edgekit import Ca, Client, Gateway, free_port, wait_for
from world import World as Whole, wait_for as wait_long

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TLS = {"1.2": "tlsv1.2", "1.3": "tlsv1.3"}
MQTT = {"3.1.1": "mqttv311", "5": "mqttv5"}


class Broker:
    def __init__(self, folder, name):
        self.port, self.log_path = free_port(), folder / f"{name}.log"
        self.conf = folder / f"{name}.conf"
        acl = folder / f"{name}.acl"
        acl.write_text("pattern readwrite dev/%u/#\n")
        acl.chmod(0o644)
        self.conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
                             "log_type all\n" + ("user root\n" if os.geteuid() == 0 else ""))
        self.start()

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-v", "-c", self.conf], stdin=subprocess.DEVNULL,
                                        stdout=open(self.log_path, "a"), stderr=subprocess.STDOUT)
        wait_for("broker", self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def log(self):
        return self.log_path.read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)


class Edge:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["localhost"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = [self.devices.leaf(f"dev-{i}") for i in range(8)]
        self.brokers, self.gateways = [], []

    def broker(self):
        self.brokers.append(Broker(self.folder, f"broker-{len(self.brokers)}"))
        return self.brokers[-1]

    def gateway(self, upstream, **more):
        gw = Gateway(self.folder / f"gw-{len(self.gateways)}", upstream, certificate=self.edge[0],
                     key=self.edge[1], client_ca=self.devices.cert, **more)
        self.gateways.append(gw.start())
        return gw

    def words(self, gw, n, *more, tls="1.3", mqtt="3.1.1"):
        return ["-h", "localhost", "-p", str(gw.port), "--cafile", self.root.cert, "--cert", self.dev[n][0],
                "--key", self.dev[n][1], "--tls-version", TLS[tls], "-V", MQTT[mqtt], *map(str, more)]

    def pub(self, gw, n, *more, **kind):
        return subprocess.run(["mosquitto_pub", *self.words(gw, n, *more, **kind)], capture_output=True,
                              text=True, timeout=20)

    def close(self):
        for gw in self.gateways:
            assert gw.stop() == 0, gw.log()
        for b in self.brokers:
            b.stop()


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    e = Edge(tmp_path_factory.mktemp("mqtt"))
    e.one = e.broker()
    e.gw = e.gateway(f"mqtt:127.0.0.1:{e.one.port}")
    yield e
    e.close()


class Subscriber:
    def __init__(self, edge, gw, n, topic, *more, **kind):
        self.process = subprocess.Popen(["mosquitto_sub", *edge.words(gw, n, "-t", topic, "-q", 1, "-i", f"dev-{n}",
                                                                     "-F", "%t %p", *more, **kind)],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")),
                         daemon=True).start()

    def end(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("mqtt", MQTT)
def test_6_mosquitto_clients_work_and_a_rule_by_user_name_holds(edge, tls, mqtt):
    sub = Subscriber(edge, edge.gw, 0, "dev/dev-0/#", tls=tls, mqtt=mqtt)
    try:
        wait_for("the subscription", lambda: f"Sending SUBACK to dev-0" in edge.one.log().split("New client")[-1], 15)
        kind = {"tls": tls, "mqtt": mqtt}
        edge.pub(edge.gw, 1, "-i", "dev-1", "-q", 1, "-t", "dev/dev-0/x", "-m", "forged", **kind)
        # a user name and password of its own choosing do not help it
        edge.pub(edge.gw, 1, "-i", "dev-1", "-q", 1, "-u", "dev-0", "-P", "secret", "-t", "dev/dev-0/x",
                 "-m", "forged too", **kind)
        done = edge.pub(edge.gw, 0, "-i", "dev-0:pub", "-q", 1, "-t", "dev/dev-0/x", "-m", "mine", **kind)
        assert done.returncode == 0, done.stderr
        wait_for("the message", lambda: sub.lines, 10)
        assert sub.lines == ["dev/dev-0/x mine\n"]
    finally:
        sub.end()


@pytest.mark.parametrize("mqtt,word", (("3.1.1", "identifier rejected"), ("5", "Client Identifier not valid")))
def test_6_a_client_id_of_another_device_is_refused_in_its_own_form(edge, mqtt, word):
    for name in ("dev-1", "dev-00", "other"):
        done = edge.pub(edge.gw, 0, "-i", name, "-t", "dev/dev-0/x", "-m", "x", mqtt=mqtt)
        assert done.returncode != 0 and word in done.stderr, done.stderr
    assert "reason=client-id" in edge.gw.log()
    done = edge.pub(edge.gw, 0, "-t", "dev/dev-0/x", "-m", "x", "-i", "dev-0/2", mqtt=mqtt)
    assert done.returncode == 0, done.stderr


def connect4(client_id, version=4):
    body = b"\x00\x04MQTT" + bytes([version, 2]) + b"\x00\x3c" + (b"\x00" if version == 5 else b"")
    body += struct.pack(">H", len(client_id)) + client_id
    return b"\x10" + bytes([len(body)]) + body


def connect_with_will(client_id, version, topic):
    """QoS 0, and the topic is its message."""
    body = b"\x00\x04MQTT" + bytes([version, 6]) + b"\x00\x3c" + (b"\x00" if version == 5 else b"")
    for i, text in enumerate((client_id, topic, topic)):
        body += b"\x00" if i == 1 and version == 5 else b""
        body += struct.pack(">H", len(text)) + text
    return b"\x10" + bytes([len(body)]) + body


HOSTILE = [
    ("HTTP", b"GET / HTTP/1.1\r\n\r\n", b""),
    ("another packet first", b"\x30\x03\x00\x01t", b""),
    ("a length of five bytes", b"\x10\xff\xff\xff\xff\xff\x01", b""),
    ("two megabytes", b"\x10\x80\x80\x80\x01" + b"\0" * 1000, b""),
    ("version 3.1", b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02d7", b"\x20\x02\x00\x01"),
    ("version 9", connect4(b"dev-0", 9), b"\x20\x03\x00\x84\x00"),
    ("reserved flag", b"\x10\x11\x00\x04MQTT\x04\x03\x00\x3c\x00\x05dev-0", b""),
    ("malformed, of version 5", b"\x10\x12\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x05dev-0", b"\x20\x03\x00\x81\x00"),
    ("NUL in the client id", connect4(b"dev\0a"), b""),
]


@pytest.mark.parametrize("why,first,answer", HOSTILE, ids=[h[0] for h in HOSTILE])
def test_bad_first_packets_are_refused_and_nothing_reaches_the_broker(edge, why, first, answer):
    before = edge.one.log().count("New connection")
    c = Client(edge.gw.port, [edge.root.cert], *edge.dev[0])
    c.tls.sendall(first)
    got = b""
    try:
        while part := c.tls.recv(100):
            got += part
    except ssl.SSLError as end:
        assert "EOF" in str(end)
    assert got == answer
    assert edge.one.log().count("New connection") == before


def test_a_connect_in_single_bytes_and_what_follows_it_at_once(edge):
    c = Client(edge.gw.port, [edge.root.cert], *edge.dev[2])
    for b in connect4(b"dev-2"):
        c.tls.sendall(bytes([b]))
    assert c.tls.recv(100) == b"\x20\x02\x00\x00"
    c.close()
    c = Client(edge.gw.port, [edge.root.cert], *edge.dev[2])
    c.tls.sendall(connect4(b"dev-2") + b"\xc0\x00" * 300)  # CONNECT and 300 PINGREQ in one record
    want, got = b"\x20\x02\x00\x00" + b"\xd0\x00" * 300, b""
    while len(got) < len(want):
        got += c.tls.recv(4096)
    assert got == want
    c.close()


def parse_proxy(data):
    """PROXY v2: (source, destination, {tlv: value}, rest)."""
    assert data[:12] == b"\r\n\r\n\0\r\nQUIT\n" and data[12:14] == b"\x21\x11", data[:16]
    n = struct.unpack(">H", data[14:16])[0]
    body, rest = data[16:16 + n], data[16 + n:]
    ports = struct.unpack(">HH", body[8:12])

    def tlvs(b):
        found = {}
        while b:
            size = struct.unpack(">H", b[1:3])[0]
            found[b[0]] = b[3:3 + size]
            b = b[3 + size:]
        return found

    return (socket.inet_ntoa(body[:4]), ports[0]), (socket.inet_ntoa(body[4:8]), ports[1]), tlvs(body[12:]), rest, tlvs


@pytest.mark.parametrize("scheme", ("tcp", "mqtt"))
def test_the_proxy_header_tells_who_it_is(edge, scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        gw = edge.gateway(f"{scheme}:127.0.0.1:{listener.getsockname()[1]}", proxy_protocol="yes")
        c = Client(gw.port, [edge.root.cert], *edge.dev[3], name="localhost")
        c.tls.sendall(connect4(b"dev-3"))
        peer, _ = listener.accept()
        peer.settimeout(10)
        data = b""
        while b"MQTT" not in data or not data.endswith(b"dev-3"):
            part = peer.recv(4096)
            if not part:
                break
            data += part
        source, target, found, rest, tlvs = parse_proxy(data)
        assert source == c.tls.getsockname() and target == ("127.0.0.1", gw.port)
        assert found[0x02] == b"localhost"
        assert found[0x20][:5] == b"\x03\0\0\0\0"
        inner = tlvs(found[0x20][5:])
        assert inner == {0x21: c.tls.version().encode(), 0x22: b"dev-3"}
        assert rest.startswith(b"\x10") and b"MQTT" in rest
        peer.close()


@pytest.mark.parametrize("mqtt,word", (("3.1.1", "broker unavailable"), ("5", "Server unavailable")))
def test_one_of_several_upstreams_may_go_and_all_are_told_as_such(edge, mqtt, word):
    brokers = [edge.broker(), edge.broker()]
    gw = edge.gateway(" ".join(f"mqtt:127.0.0.1:{b.port}" for b in brokers))

    def publish(n):
        return edge.pub(gw, n, "-i", f"dev-{n}", "-q", 1, "-t", f"dev/dev-{n}/x", "-m", "x", mqtt=mqtt)

    assert all(publish(n).returncode == 0 for n in range(8))
    homes = [{n for n in range(8) if f"as dev-{n} " in b.log()} for b in brokers]
    assert homes[0] | homes[1] == set(range(8)) and not homes[0] & homes[1], homes
    assert publish(0).returncode == 0  # and stays where it was
    assert [{n for n in range(8) if f"as dev-{n} " in b.log()} for b in brokers] == homes
    brokers[0].stop()
    assert all(publish(n).returncode == 0 for n in range(8))
    assert all(f"as dev-{n} " in brokers[1].log() for n in range(8))
    brokers[1].stop()
    done = publish(1)
    assert done.returncode != 0 and word in done.stderr, done.stderr
    brokers[0].start()
    wait_for("the broker is used again", lambda: publish(1).returncode == 0, 20)


def wills(world):
    lines = world.messages.read_text().splitlines()
    return [line.split()[1].rsplit("/", 1)[1] for line in lines if line.startswith("dovetail/will/")]


def test_a_paced_reconnect_is_a_disconnect_of_mqtt_5(tmp_path):
    """A rotation switches: sessions on the old chain are sent away with 0x98
    where the protocol has it, and closed where it has not. For the broker they
    have left in order: no will goes out, as it does for who is just gone."""
    world = Whole(tmp_path, devices=2, gateways=1)
    world.scheme = "mqtt"
    try:
        world.everything()
        old, clients = world.old / "devices/dev-0002", {}
        for version in (4, 5, "lost"):
            c = Client(world.gateway_ports[0], [world.old / "ca/ca.pem"], old / "cert.pem", old / "key.pem",
                       name=world.names[0])
            c.tls.sendall(connect_with_will(f"dev-0002:v{version}".encode(), 5 if version == 5 else 4,
                                            f"dovetail/will/{version}".encode()))
            assert c.tls.recv(100)[:1] == b"\x20"
            clients[version] = c
        clients.pop("lost").close()
        wait_long("the will of the lost one", lambda: wills(world) == ["lost"], 20)
        world.op("rotation", "start", world.plan("server-ca", "old-root", "root", observe_min_s=3600))
        got = {}
        for version, c in clients.items():
            c.tls.settimeout(60)
            data = b""
            while part := c.tls.recv(100):
                data += part
            got[version] = data
        assert got == {4: b"", 5: b"\xe0\x01\x98"}
        time.sleep(1)
        assert wills(world) == ["lost"]
        wait_long("the fleet to be back", lambda: world.fleet()["connected"] == 2, 30)
        assert [a for a in world.attempts() if not a["ok"]] == []
    finally:
        world.close()
