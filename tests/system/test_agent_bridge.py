# SPDX-License-Identifier: Apache-2.0
"""The example hook for a mosquitto bridge, with a real mosquitto on the device:
its bridge comes up with what the agent adopted, through the gateway's MQTT
upstream, and follows a renewal."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from test_agent import AGENT
from world import ROOT, World, free_ports, wait_for

DEVICE = "dev-0001"
CONF = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
pid_file {home}/run/pid
log_dest file {home}/run/log
connection up
address 127.0.0.1:{gateway}
remote_clientid {device}
notifications false
restart_timeout 1
topic dovetail/{device}/# out 1
bridge_cafile {out}/anchors.pem
bridge_certfile {out}/chain.pem
bridge_keyfile {out}/key.pem
bridge_insecure true
"""  # insecure: the gateway's name is no address of this machine
RESTART = """#!/bin/sh
if [ -s {home}/run/pid ]; then
	old=$(cat {home}/run/pid)
	kill "$old" && while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
exec {mosquitto} -d -c {home}/mosquitto.conf
"""


class Site:
    def __init__(self, folder):
        w = self.world = World(folder / "w", devices=1, gateways=1)
        w.scheme = "mqtt"
        w.make_old_world(days=20)  # inside every renewal window
        w.start_broker()
        w.init()
        w.start_control()
        w.adopt_old_world()
        w.start_gateways()
        self.home, self.port = folder / "bridge", free_ports(1)[0]
        self.state, self.config = folder / "agent", folder / "agent.ini"
        out = self.home / "dovetail"
        out.mkdir(parents=True)
        (self.home / "run").mkdir()
        self.account(folder, out)
        mosquitto = pathlib.Path("/usr/sbin/mosquitto")
        (self.home / "mosquitto.conf").write_text(CONF.format(
            port=self.port, home=self.home, out=out, device=DEVICE, gateway=w.gateway_ports[0]))
        self.script("restart", RESTART.format(home=self.home, mosquitto=mosquitto))
        hook = self.script("hook", f"#!/bin/sh\nexport DOVETAIL_OUT='{out}' DOVETAIL_RESTART='{self.home}/restart'\n"
                                   f"exec {ROOT}/examples/hooks/mosquitto-bridge \"$1\"\n")
        self.config.write_text(f"""[agent]
server = 127.0.0.1:{w.device_port}
server-name = control.test
edge = 127.0.0.1:{w.gateway_ports[0]}
edge-name = edge.test
hook = {hook}
retry-first = 1s
trial-wait = 100ms
once-limit = 20s
""")

    def account(self, folder, out):
        """Started as root, mosquitto becomes its own account, for which the
        folder is made as the hook's beginning says."""
        if os.geteuid() != 0:
            return
        for path in (folder, self.home):
            path.chmod(path.stat().st_mode & 0o777 | 0o011)
        shutil.chown(self.home / "run", "mosquitto")
        shutil.chown(out, group="mosquitto")
        out.chmod(0o2750)

    def script(self, name, text):
        path = self.home / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, *args):
        done = subprocess.run(list(map(str, (AGENT, "--state", self.state, "--config", self.config, *args))),
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fingerprint(self):
        return json.loads(self.run("status", "--json"))["credential"]["fingerprint"]

    def came_with(self):
        """The certificate of the bridge's last session, as the edge has it."""
        lines = (self.world.dir / "gw-1/handshakes.jsonl").read_text().splitlines()
        return [r["certificate"] for r in map(json.loads, lines)
                if r["outcome"] == "ok" and r["stack"].startswith("libmosquitto")][-1:]

    def passes_on(self, text):
        """A message given to the device's broker comes out behind the gateway."""
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-q", "1", "-t", f"dovetail/{DEVICE}/state",
                        "-m", text], stderr=subprocess.DEVNULL, timeout=10)
        return f"dovetail/{DEVICE}/state {text}" in self.world.messages.read_text()

    def close(self):
        pid = self.home / "run/pid"
        if pid.exists() and pid.read_text():
            os.kill(int(pid.read_text()), signal.SIGTERM)
        self.world.close()


@pytest.fixture
def site(tmp_path):
    out = Site(tmp_path)
    yield out
    out.close()


def test_the_example_hook_brings_a_bridge_up_and_along(site):
    """Asked for a version of bridges at first, the gateway refuses so that the
    bridge asks again without it."""
    def up(text):
        try:
            wait_for(text, lambda: site.passes_on(text), 20, 0.2)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{(site.home / 'run/log').read_text()}") from why
        wait_for("the record", lambda: site.came_with() == [site.fingerprint()], 10)  # they come in batches

    old = site.world.old / "devices" / DEVICE
    site.run("enroll", "--import", old / "key.pem", old / "cert.pem", "--anchor", site.world.old / "ca/ca.pem")
    site.run("run", "--once")
    first = site.fingerprint()
    up("under what was adopted")
    assert "unsupported-version" in site.world.log("gw-1")
    with (site.home / "mosquitto.conf").open("a") as conf:
        conf.write("try_private false\n")  # in at once
    site.run("renew")
    assert site.fingerprint() != first
    up("under the new one")
