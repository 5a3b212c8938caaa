# SPDX-License-Identifier: Apache-2.0
"""A world for system tests: an old CA made by openssl, a control plane, a
broker, gateways and a fleet, all on loopback in one temporary directory.

Nothing here is a stand-in: every program is the built one, every certificate
was made by openssl or by the control plane. Processes are ended by their id.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOVETAIL_BUILD", ROOT / "build"))
LONG = os.environ.get("DOVETAIL_LONG") == "1"


def free_ports(n):
    """n loopback ports that nobody listens on, all different."""
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_for(what, check, seconds=20, pause=0.1):
    """The first true answer of check(); AssertionError after the time."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            answer = check()
            if answer:
                return answer
        except (Refused, OSError, ValueError, KeyError) as why:
            last = why
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain for {what}" + (f": {last}" if last else ""))


class Refused(Exception):
    """A command that did not end with 0."""

    def __init__(self, args, done):
        super().__init__(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def problem(self):
        """The problem document of a --json call, or {}."""
        try:
            return json.loads(self.out)
        except ValueError:
            return {}


class World:
    def __init__(self, folder, devices=3, gateways=1):
        self.dir = pathlib.Path(folder)
        self.devices = devices
        self.gateways = gateways
        self.scheme = "tcp"  # of the gateways' upstream
        self.gateway_more = ""  # lines of their settings
        self.old = self.dir / "old"
        self.home = self.dir / "dovetail"
        (self.dir / "log").mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:  # the daemons' account passes, and sees no list
            self.dir.chmod(self.dir.stat().st_mode & 0o777 | 0o011)
        self.running = {}
        self.names = ["edge.test", "next.edge.test", "trial.edge.test"]
        self.device_port, self.mqtt_port, *self.gateway_ports = free_ports(2 + max(gateways, 1))

    # --- processes ---

    def start(self, name, *command, **more):
        log = (self.dir / "log" / f"{name}.log").open("ab")
        child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, **more)
        log.close()
        self.running[name] = child
        return child

    def stop(self, name, how=signal.SIGTERM, seconds=15):
        child = self.running.pop(name, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(how)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"{name} did not end within {seconds} s")

    def close(self):
        for name in list(self.running)[::-1]:
            try:
                self.stop(name)
            except AssertionError as slow:
                print(slow)

    def log(self, name):
        path = self.dir / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def children(self, name):
        """{process name: pid} of a daemon, by what each calls itself."""
        parent = self.running[name].pid
        found = {}
        for path in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            comm = pathlib.Path(f"/proc/{path}/comm")
            if comm.exists():
                found[comm.read_text().strip()] = int(path)
        return found

    # --- the old world and the control plane ---

    def make_old_world(self, days=700):
        """days: lifetime of what the old CA issues; 20 is inside every
        renewal window."""
        subprocess.run([ROOT / "tools/old-world", self.old, str(self.devices), *self.names],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       env=dict(os.environ, OLD_DAYS=str(days)))

    def init(self, *more):
        done = subprocess.run(
            [BUILD / "dovetail", "init", self.home, "--fleet", "test",
             "--listen", f"127.0.0.1:{self.device_port}", "--edge-name", self.names[0],
             "--next-name", self.names[1], "--trial-name", self.names[2],
             "--front-name", "control.test", "--fronts", "2", "--checkin", "2",
             "--tokens", self.dir / "tokens", *map(str, more)],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(["init"], done)
        self.tokens = json.loads((self.dir / "tokens").read_text())

    def control_command(self, *more):
        """more: settings as "key=value"."""
        sets = [w for m in more for w in ("--set", m)]
        return [BUILD / "dovetaild", "--config", self.home / "dovetail.ini", *sets]

    def start_control(self, *more):
        before = len(self.log("dovetaild"))
        self.start("dovetaild", *self.control_command(*more))
        wait_for("the control plane", lambda: "event=dovetaild.ready" in self.log("dovetaild")[before:]
                 or self.running["dovetaild"].poll() is not None, pause=0.02)
        wait_for("the control plane", lambda: self.op("status"))

    def cli(self, token, *args):
        """A command's JSON answer; Refused when it does not end with 0."""
        done = subprocess.run([BUILD / "dovetail", "--dir", self.home, "--json", *map(str, args)],
                              capture_output=True, text=True, timeout=90,
                              env=dict(os.environ, DOVETAIL_TOKEN=self.tokens[token]))
        if done.returncode != 0:
            raise Refused(args, done)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def op(self, *args):
        return self.cli("operator", *args)

    def second(self, *args):
        return self.cli("approver", *args)

    def with_second(self, *args):
        """Run what needs a second person: ask, let it be given, repeat."""
        try:
            return self.op(*args)
        except Refused as why:
            if why.problem.get("code") != "needs-approval":
                raise
            self.second("approval", "give", why.problem["approval"])
            return self.op(*args)

    def tell_to_renew(self, device):
        """Word in its mailbox, whatever the state of its certificate."""
        body = {"deviceIds": [device], "method": "BUNDLE", "action": "RENEW"}
        subprocess.run(["curl", "-sSf", "--unix-socket", self.home / "run/api.sock", "-H",
                        f"Authorization: Bearer {self.tokens['operator']}", "-H", "Content-Type: application/json",
                        "-d", json.dumps(body), "http://localhost/devices/recovery/initiate"],
                       check=True, capture_output=True)

    def database(self):
        """A connection of our own, to count what is really recorded."""
        db = sqlite3.connect(f"file:{self.home}/db/dovetail.db?mode=ro", uri=True, timeout=10)
        db.row_factory = sqlite3.Row
        return db

    def query(self, text, *args):
        db = self.database()
        try:
            return db.execute(text, args).fetchall()
        finally:
            db.close()

    def adopt_old_world(self):
        self.with_second("authority", "import", "old-root", "--certificate", self.old / "ca/ca.pem",
                         "--key", self.old / "ca/ca.key", "--server", "--device")
        self.op("device", "import", self.old / "ca", "--inventory", self.old / "inventory.csv")
        for front in ("front-1", "front-2"):
            self.op("gateway", "recover", "--gateway", front, "--authority", "old-root")

    # --- broker, gateways, fleet ---

    def start_broker(self):
        conf = self.dir / "mosquitto.conf"
        conf.write_text(f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\n"
                        "persistence false\nmax_queued_messages 0\n")
        self.start("mosquitto", shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", conf)
        wait_for("the broker", lambda: subprocess.run(
            ["mosquitto_pub", "-p", str(self.mqtt_port), "-t", "up", "-m", "1"],
            stderr=subprocess.DEVNULL).returncode == 0)
        self.messages = self.dir / "messages.txt"
        with self.messages.open("wb") as out:
            self.running["subscriber"] = subprocess.Popen(
                ["mosquitto_sub", "-p", str(self.mqtt_port), "-q", "1", "-i", "count",
                 "-t", "dovetail/#", "-F", "%t %p"], stdout=out)

    def start_gateway(self, n, secret=True):
        name = f"gw-{n}"
        home = self.dir / name
        home.mkdir(exist_ok=True)
        if secret and not (home / "secret").exists():
            answer = self.op("gateway", "add", name, "--name", self.names[0],
                             "--next", self.names[1], "--trial", self.names[2])
            (home / "secret").write_text(answer["secret"])
            (home / "secret").chmod(0o600)
        old = self.old / "gateways" / name
        (home / "gateway.ini").write_text(f"""[gateway]
name = {name}
listen = 127.0.0.1:{self.gateway_ports[n - 1]}
upstream = {self.scheme}:127.0.0.1:{self.mqtt_port}
certificate = {old}/chain.pem
key = {old}/key.pem
client-ca = {self.old}/ca/ca.pem
workers = 2
state = {home}/state
record = {home}/handshakes.jsonl
control = https://127.0.0.1:{self.device_port}
control-name = control.test
control-ca = {self.home}/public/root.pem
secret = file:{home}/secret
{self.gateway_more}""")
        self.start(name, BUILD / "dovetail-gateway", "--config", home / "gateway.ini")

    def start_gateways(self):
        for n in range(1, self.gateways + 1):
            self.start_gateway(n)
        wait_for("the gateways", lambda: all(
            any(g["name"] == f"gw-{n}" and g["heard_at"] > 0 and g["behind"] == 0
                for g in self.op("gateway", "list")["items"])
            for n in range(1, self.gateways + 1)), 30)

    def device_ids(self):
        return [f"dev-{i:04d}" for i in range(1, self.devices + 1)]

    def fleet_line(self, device):
        edges = [f"127.0.0.1:{p}" for p in self.gateway_ports]
        return {"device": device, "state": str(self.dir / "fleet" / device),
                "server": f"127.0.0.1:{self.device_port}", "server_name": "control.test",
                "edges": edges, "edge_name": self.names[0],
                "import_key": str(self.old / "devices" / device / "key.pem"),
                "import_cert": str(self.old / "devices" / device / "cert.pem"),
                "anchor": str(self.old / "ca/ca.pem")}

    def run_fleet(self, name, devices, interval_ms):
        """name: of the process, and of its three files in fleet/."""
        fleet = self.dir / "fleet"
        fleet.mkdir(exist_ok=True)
        kind = name.removeprefix("fleet")
        (fleet / f"fleet{kind}.jsonl").write_text(
            "".join(json.dumps(self.fleet_line(d)) + "\n" for d in devices))
        self.start(name, BUILD / "dovetail-fleet", "run", "--fleet", fleet / f"fleet{kind}.jsonl",
                   "--retry-first", "1", "--interval-ms", str(interval_ms),
                   "--status-file", fleet / f"status{kind}.json", "--log", fleet / f"attempts{kind}.jsonl")
        wait_for(name, lambda: json.loads((fleet / f"status{kind}.json").read_text())["connected"]
                 == len(devices), 60)

    def start_fleet(self, interval_ms=300, split=0):
        """split: so many of the last devices in a process "fleet-late"."""
        ids = self.device_ids()
        self.run_fleet("fleet", ids[:len(ids) - split], interval_ms)
        if split:
            self.run_fleet("fleet-late", ids[len(ids) - split:], interval_ms)
        wait_for("check-ins", lambda: sum(d["last_checkin_at"] > 0 for d in self.op("device", "list"))
                 == self.devices, 60)

    def fleet(self):
        return json.loads((self.dir / "fleet/status.json").read_text())

    def attempts(self):
        """What the devices saw themselves: every TLS attempt."""
        path = self.dir / "fleet/attempts.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        return [row for row in rows if "ok" in row]

    def everything(self, settings=(), split=0, period_s=None):
        """From nothing to a fleet that publishes under the old world; the
        last split devices are a program of their own, "fleet-late"."""
        self.make_old_world()
        if period_s:
            path = self.old / "inventory.csv"
            path.write_text(re.sub(r",\d+$", f",{period_s}", path.read_text(), flags=re.M))
        self.start_broker()
        self.init()
        self.start_control(*settings)
        self.adopt_old_world()
        self.start_gateways()
        self.start_fleet(split=split)
        return self

    # --- rotations ---

    def plan(self, kind, old, new, excepted=(), **settings):
        words = {"overlap_min_s": 0, "wave_min_s": 0, "observe_min_s": 0, "hold_s": 0,
                 "reconnect_per_s": 50, **settings}
        sets = [w for k, v in words.items() for w in ("--set", f"{k}={v}")]
        ends = [w for k, v in (("--from", old), ("--to", new)) if v for w in (k, v)]
        sets += [w for d in excepted for w in ("--except", f"{d}=seen to by hand")]
        return self.op("rotation", "plan", kind, *ends, *sets)["id"]

    def rotation(self, number):
        return self.op("rotation", "status", number)

    def run_rotation(self, number, seconds=120, until="done", at=None):
        """Start it and see it through; at(rotation) is called at each look."""
        if self.rotation(number)["state"] == "planned":
            self.op("rotation", "start", number)
        given = set()

        def look():
            r = self.rotation(number)
            if at is not None:
                at(r)
            if r["state"] not in ("running", "done") and until != r["state"]:
                raise AssertionError(f"rotation {number} is {r['state']}: {r['waits_for']}")
            if r.get("approval") and r["approval"] not in given and until != "approval":
                self.second("approval", "give", r["approval"])
                given.add(r["approval"])
            return until in (r["state"], r["phase"]) or (until == "approval" and r.get("approval"))

        wait_for(f"rotation {number} to reach {until}", look, seconds, 0.2)
        return self.rotation(number)
