# SPDX-License-Identifier: Apache-2.0
"""init and start: what is refused, how clearly, and that nothing is harmed."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from world import BUILD, Refused, World, wait_for


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, devices=0, gateways=0)
    w.init()
    yield w
    w.close()


def start(w, *more, **env):
    """A start that is to fail: (exit status, what it said)."""
    done = subprocess.run([BUILD / "dovetaild", "--config", w.home / "dovetail.ini", *more],
                          capture_output=True, text=True, timeout=20, env=dict(os.environ, **env))
    return done.returncode, done.stdout + done.stderr


def test_init_leaves_a_folder_with_content_alone(world):
    before = sorted(str(p) for p in world.home.rglob("*"))
    with pytest.raises(Refused) as why:
        world.init()
    assert why.value.status == 73
    assert "not empty" in why.value.err
    assert before == sorted(str(p) for p in world.home.rglob("*"))


def test_a_setting_nobody_can_use_leaves_no_folder(tmp_path):
    w = World(tmp_path, devices=0, gateways=0)
    for setting, named in (("nosuch=1", "nosuch"), ("fronts=many", "fronts"),
                           ("certificate.hold=-3d", "certificate.hold"),
                           ("device.listen=nonsense", "device.listen"), ("edge.trial=bad name", "edge.trial"),
                           ("est.names=good.example,-bad", "est.names")):
        with pytest.raises(Refused) as why:
            w.init("--set", setting)
        assert named in why.value.err
        assert not w.home.exists(), setting


def test_an_init_that_fails_leaves_what_it_found(tmp_path):
    """Its last step fails: the tokens have no folder."""
    w = World(tmp_path, devices=0, gateways=0)
    nowhere = ("--tokens", tmp_path / "no/such/tokens")
    with pytest.raises(Refused) as why:
        w.init(*nowhere)
    assert "no/such/tokens" in why.value.err
    assert not w.home.exists()
    w.home.mkdir()
    with pytest.raises(Refused):
        w.init(*nowhere)
    assert list(w.home.iterdir()) == []
    w.init()


def test_secrets_of_init_are_for_their_owner_alone(world):
    for name in ("keys/unlock", "front/1/key.pem", "offline/trust-root-1.pem", "db/dovetail.db"):
        assert (world.home / name).stat().st_mode & 0o077 == 0, name
    assert (world.dir / "tokens").stat().st_mode & 0o077 == 0
    text = (world.home / "db/dovetail.db").read_bytes()
    assert all(token.encode() not in text for token in world.tokens.values())
    assert b"PRIVATE KEY" not in text


def test_an_offline_root_leaves_this_host(tmp_path):
    w = World(tmp_path, devices=0, gateways=0)
    w.init("--root", "offline")
    key = w.home / "offline/root-ca.key.pem"
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], capture_output=True, check=True).stdout
    shown = subprocess.run(["openssl", "x509", "-in", w.home / "public/root.pem", "-noout", "-pubkey"],
                           capture_output=True, check=True).stdout
    assert public == shown
    held = w.query("SELECT name FROM authority WHERE key_wrapped IS NOT NULL ORDER BY name")
    assert [row["name"] for row in held] == ["device-ca", "server-ca"]


def enrol(w, device, folder, trust):
    """A new device with the trust keys of a file: what its agent said and holds."""
    folder.mkdir()
    secret = w.op("device", "secret", device, "--create")["secret"]
    (folder / "agent.ini").write_text(f"""[agent]
server = 127.0.0.1:{w.device_port}
server-name = control.test
retry-first = 1s
once-limit = 2s
""")
    agent = [BUILD / "dovetail-agent", "--state", folder / "state", "--config", folder / "agent.ini"]
    said = ""
    for words in (["enroll", "--secret-file", "-", "--device", device, "--trust-key", trust,
                   "--anchor", w.home / "public/root.pem"], ["run", "--once"]):
        done = subprocess.run([*agent, *words], input=secret, capture_output=True, text=True, timeout=30)
        said += done.stdout + done.stderr
    shown = subprocess.run([*agent, "status", "--json"], capture_output=True, text=True, timeout=30, check=True)
    return said, json.loads(shown.stdout)["trust"]


def test_init_writes_the_trust_keys_that_a_device_is_shipped_with(world, tmp_path):
    trust = world.home / "public/trust.pem"
    assert trust.stat().st_mode & 0o777 == 0o644
    halves = [subprocess.run(["openssl", "pkey", "-in", world.home / f"offline/trust-root-{n}.pem", "-pubout"],
                             capture_output=True, check=True, text=True).stdout for n in (1, 2, 3)]
    assert trust.read_text() == "".join(halves)
    other = World(tmp_path / "other", devices=0, gateways=0)
    other.init()
    world.start_control()
    said, held = enrol(world, "dev-1", tmp_path / "dev-1", trust)
    assert held["version"] >= 1 and held["pinned"] is False, (held, said)
    said, held = enrol(world, "dev-2", tmp_path / "dev-2", other.home / "public/trust.pem")
    assert held["version"] == 0, (held, said)


def test_settings_are_checked_and_the_line_named(world):
    status, said = start(world, "-n")
    assert status == 0 and "device.listen" in said
    ini = world.home / "dovetail.ini"
    ini.write_text(ini.read_text() + "\ncheckin.perod = 5s\n")
    status, said = start(world, "-n")
    assert status == 65
    assert "checkin.perod" in said and "checkin.period" in said


def test_another_secret_opens_nothing(world):
    (world.home / "keys/unlock").write_text("ab" * 32 + "\n")
    status, said = start(world)
    assert status == 77, said
    assert "unlocking secret does not fit" in said


def test_the_secret_may_come_as_a_systemd_credential(world, tmp_path):
    creds = tmp_path / "creds"
    creds.mkdir()
    shutil.move(world.home / "keys/unlock", creds / "dovetail")
    world.start("dovetaild", BUILD / "dovetaild", "--config", world.home / "dovetail.ini",
                "--set", "signer.unlock=credential:dovetail", env=dict(os.environ, CREDENTIALS_DIRECTORY=creds))
    wait_for("the control plane", lambda: world.op("status"))


def test_a_database_of_a_newer_version_is_left_alone(world):
    path = world.home / "db/dovetail.db"
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    db.commit()
    db.close()
    before = path.read_bytes()
    status, said = start(world)
    assert status == 73, said
    assert "newer" in said
    assert path.read_bytes() == before


def test_one_control_plane_per_folder(world):
    world.start_control()
    status, said = start(world)
    assert status == 73, said
    world.op("status")  # and the first one serves on


FAKETIME = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
def test_a_clock_that_runs_backwards_stops_issuing(world):
    world.start_control()
    secret = world.op("device", "secret", "pump-1", "--create")["secret"]
    key, csr = world.dir / "key.pem", world.dir / "csr.der"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-subj", "/CN=pump-1", "-outform", "DER", "-out", csr],
                   check=True, capture_output=True)
    body = subprocess.run(["base64", "-w0", csr], check=True, capture_output=True).stdout

    def enrol():
        done = subprocess.run(
            ["curl", "-s", "-o", world.dir / "answer", "-w", "%{http_code}", "--cacert",
             world.home / "public/root.pem", "--resolve", f"control.test:{world.device_port}:127.0.0.1",
             "-u", f"pump-1:{secret}", "--data-binary", "@-",
             f"https://control.test:{world.device_port}/.well-known/est/simpleenroll"],
            input=body, capture_output=True)
        return int(done.stdout), (world.dir / "answer").read_text()

    assert enrol()[0] == 200
    with sqlite3.connect(world.home / "db/dovetail.db") as db:
        db.execute("UPDATE credential SET confirmed_at = 1 WHERE owner = 'pump-1'")  # not a repeat
    world.stop("dovetaild")
    world.start("dovetaild", BUILD / "dovetaild", "--config", world.home / "dovetail.ini",
                env=dict(os.environ, LD_PRELOAD=str(FAKETIME), FAKETIME="-2h"))
    wait_for("the control plane", lambda: world.op("status"))
    status, said = enrol()
    assert status == 503 and "clock runs backwards" in said
    wait_for("an alert", lambda: any(a["name"] == "clock-runs-backwards"
                                     for a in world.op("alert", "list")["items"]))


def test_it_starts_again_while_children_of_a_killed_one_are_still_going(world):
    """A front notices the death of its parent late, and has the socket open."""
    world.start_control()
    fronts = [pid for name, pid in world.children("dovetaild").items() if "front" in name]
    assert fronts
    for pid in fronts:
        os.kill(pid, signal.SIGSTOP)
    world.stop("dovetaild", signal.SIGKILL)
    late = threading.Timer(0.7, lambda: [os.kill(pid, signal.SIGCONT) for pid in fronts])
    late.start()
    world.start_control()
    late.join()
    assert world.op("status")
    status, said = start(world)  # but a second one beside it is refused
    assert status == 73 and "another one runs" in said, said
