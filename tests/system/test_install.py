# SPDX-License-Identifier: Apache-2.0
"""What is installed runs from there, under the units of examples/systemd and
with no more rights than they leave; the guide's gateway file is a whole one."""
import os
import pwd
import re
import signal
import socket
import subprocess

import pytest

from world import BUILD, ROOT, World, wait_for

UNITS = sorted((ROOT / "examples/systemd").glob("*.service"))
PROGRAMS = ("dovetail", "dovetaild", "dovetail-gateway", "dovetail-agent", "dovetail-fleet")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("install")
    done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_everything_is_installed_below_destdir_and_runs_there(installed):
    found = {p.name: p for p in installed.rglob("*") if p.is_file()}
    for name in PROGRAMS:
        assert found[name].parent.name == "bin"
        assert subprocess.run([found[name], "--version"], capture_output=True, text=True).stdout.startswith(name)
    for page in (ROOT / "man").glob("*.[18]"):
        assert page.name in found or page.name + ".gz" in found
    assert {"agent.h", "libdovetail-agent.so.1.0.0", "dovetail-agent.pc"} <= set(found)


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_a_unit_is_one_by_systemds_word(installed, tmp_path, unit):
    programs = next(installed.rglob("dovetaild")).parent
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/local/bin", str(programs)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    copy.write_text(copy.read_text().replace("NoNewPrivileges", "NoNewPrivilege"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    assert "NoNewPrivilege" in done.stderr, "it looks at the words"


class Service:
    """A unit's program with its capabilities, and systemd's end of the
    notification."""

    def __init__(self, unit, folder, *args):
        text = (ROOT / "examples/systemd" / f"{unit}.service").read_text()
        assert "Type=notify\n" in text and "NoNewPrivileges=yes\n" in text
        left = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.M)[1].lower().replace("cap_", "+").split()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(20)
        self.log = open(folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set", ",".join(["-all", *left]),
             BUILD / unit, *map(str, args)], stdout=self.log, stderr=self.log, umask=0o077,
            env=dict(os.environ, NOTIFY_SOCKET=str(folder / "notify")))

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def ready(self):
        try:
            told = self.socket.recv(4096).decode()
        except TimeoutError:
            told = "no word"
        assert "READY=1" in told and f"MAINPID={self.process.pid}" in told, (told, self.said())

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(15)
        finally:
            self.process.kill()
            self.socket.close()
        assert status == 0, self.said()


@pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: giving rights up; run ./check as root")
def test_the_units_leave_the_rights_that_are_needed(tmp_path):
    w = World(tmp_path / "w", devices=1, gateways=1)
    w.make_old_world()
    w.init()
    plane, edge = tmp_path / "plane", tmp_path / "edge"
    for folder in (plane, edge):
        folder.mkdir()
    control = Service("dovetaild", plane, "--config", w.home / "dovetail.ini")
    try:
        control.ready()
        api = (w.home / "run/api.sock").stat()
        assert api.st_mode & 0o777 == 0o660 and api.st_gid == pwd.getpwnam("dovetail").pw_gid
        # the file of the guide, with this machine's addresses
        text = (ROOT / "docs/operators-guide.md").read_text()
        block = re.search(r"^    \[gateway\]\n(?:    .*\n)+", text, re.M)[0]
        old = w.old / "gateways/gw-1"
        given = {"listen": "127.0.0.1:0", "control": f"https://127.0.0.1:{w.device_port}",
                 "control-name": "control.test", "control-ca": w.home / "public/root.pem",
                 "secret": f"file:{edge}/secret", "state": edge / "state", "record": edge / "handshakes.jsonl",
                 "certificate": old / "chain.pem", "key": old / "key.pem", "client-ca": w.old / "ca/ca.pem"}
        (edge / "secret").write_text(w.op("gateway", "add", "gw-1", "--name", "edge.test")["secret"])
        lines = [line.strip() for line in block.splitlines()]
        keys = [line.split(" = ")[0] for line in lines[1:]]
        assert set(given) <= set(keys) and {"name", "upstream"} <= set(keys), keys
        (edge / "gateway.ini").write_text("\n".join(
            f"{k} = {given[k]}" if (k := line.split(" = ")[0]) in given else line for line in lines) + "\n")
        gateway = Service("dovetail-gateway", edge, "--config", edge / "gateway.ini")
        try:
            gateway.ready()
            wait_for("the gateway at the control plane", lambda: any(
                g["name"] == "gw-1" and g["heard_at"] > 0 for g in w.op("gateway", "list")["items"]))
        finally:
            gateway.end()
    finally:
        control.end()


def test_every_front_is_given_a_certificate_under_the_old_root(tmp_path):
    w = World(tmp_path, devices=1, gateways=0)
    try:
        w.make_old_world()
        w.init()
        w.start_control()
        w.with_second("authority", "import", "old-root", "--certificate", w.old / "ca/ca.pem",
                      "--key", w.old / "ca/ca.key", "--server", "--device")
        done = subprocess.run(
            [BUILD / "dovetail", "gateway", "recover", "--authority", "old-root"], capture_output=True, text=True,
            env=dict(os.environ, DOVETAIL_DIR=str(w.home), DOVETAIL_TOKEN=w.tokens["operator"]))
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for("both fronts", lambda: {r["owner"] for r in w.query(
            "SELECT c.owner FROM credential c JOIN authority a ON a.id = c.authority_id "
            "WHERE c.owner_kind = 'front' AND a.name = 'old-root'")} == {"front-1", "front-2"})
    finally:
        w.close()


def settings_of(page):
    """The keys of the first whole settings file on a page of the guides."""
    block = re.search(r"^    \[(gateway|agent)\]\n(?:    .*\n)+", (ROOT / "docs" / page).read_text(), re.M)[0]
    return dict(line.strip().split(" = ") for line in block.splitlines() if " = " in line)


def test_a_world_without_an_old_edge_by_the_guides(tmp_path):
    """The gateway says what gives it a certificate; the first device comes by
    the integrator's guide, with its settings file and a secret."""
    w = World(tmp_path, devices=1, gateways=1)
    operator = dict(os.environ, DOVETAIL_DIR=str(w.home))
    try:
        w.init()
        w.start_control()
        w.start_broker()
        operator["DOVETAIL_TOKEN"] = w.tokens["operator"]
        (tmp_path / "secret").write_text(w.op("gateway", "add", "gw-1", "--name", "edge.test")["secret"])
        edge = settings_of("operators-guide.md")
        for key in ("certificate", "key", "client-ca"):
            del edge[key]  # as the guide has it
        edge.update({"listen": f"127.0.0.1:{w.gateway_ports[0]}", "state": tmp_path / "gw-state", "record": "-",
                     "upstream": f"mqtt:127.0.0.1:{w.mqtt_port}", "control": f"https://127.0.0.1:{w.device_port}",
                     "control-name": "control.test", "control-ca": w.home / "public/root.pem",
                     "secret": f"file:{tmp_path}/secret"})
        (tmp_path / "gw.ini").write_text("[gateway]\n" + "".join(f"{k} = {v}\n" for k, v in edge.items()))
        w.start("gw-1", BUILD / "dovetail-gateway", "--config", tmp_path / "gw.ini")
        command = "dovetail gateway rotate --gateway gw-1 --authority server-ca"
        wait_for("the command", lambda: f"no certificate that can be shown; one from the control plane: {command}"
                 in w.log("gw-1"))
        assert command in (ROOT / "docs/operators-guide.md").read_text()
        wait_for("the gateway", lambda: w.op("gateway", "list")["items"][0]["heard_at"] > 0)
        done = subprocess.run([BUILD / command.split()[0], *command.split()[1:]], env=operator, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        # the first device
        done = subprocess.run([BUILD / "dovetail", "device", "secret", "pump-0042"], env=operator,
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 69 and "--create" in done.stderr, done.stderr
        (tmp_path / "device-secret").write_text(w.op("device", "secret", "pump-0042", "--create")["secret"])
        agent = settings_of("device-integrators-guide.md")
        agent.pop("hook")
        agent.update({"server": f"127.0.0.1:{w.device_port}", "edge": f"127.0.0.1:{w.gateway_ports[0]}",
                      "edge-name": "edge.test", "server-name": "control.test"})
        (tmp_path / "agent.ini").write_text("[agent]\n" + "".join(f"{k} = {v}\n" for k, v in agent.items()))
        done = subprocess.run(
            [BUILD / "dovetail-agent", "--state", tmp_path / "agent", "--config", tmp_path / "agent.ini", "enroll",
             "--secret-file", tmp_path / "device-secret", "--anchor", w.home / "public/root.pem", "--trust-key",
             w.home / "public/trust.pem"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "enrolled: generation 1, trust bundle 1\n" in done.stdout, (
            done.stdout + done.stderr)
    finally:
        w.close()


def test_links_of_the_documents_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [(page.name, to) for page in pages
              for to in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
              if not (page.parent / to).exists()]
    assert pages and broken == []
    readme = (ROOT / "README.md").read_text()
    unnamed = [p.name for p in (ROOT / "docs").glob("*.md") if f"docs/{p.name}" not in readme]
    assert set(unnamed) <= {"figures.md"}, "pages that a newcomer does not find"
