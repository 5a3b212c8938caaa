# SPDX-License-Identifier: Apache-2.0
"""security.policy.* and security.logging.cert.validation: what each does, and
what cannot be set."""
import subprocess

import pytest

from test_rotation import CA, fingerprint, make_ca
from world import Refused, World, wait_for


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, devices=1, gateways=0)
    yield w
    w.close()


def start_refused(w, *settings):
    done = subprocess.run(w.control_command(*settings), capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def refused(call, *args):
    with pytest.raises(Refused) as why:
        call(*args)
    return why.value


def curl(w, path, *more, body=None):
    """(status, body); status 0 when TLS did not come about."""
    done = subprocess.run(
        ["curl", "-s", "-o", w.dir / "answer", "-w", "%{http_code}", "--cacert", w.home / "public/root.pem",
         "--resolve", f"control.test:{w.device_port}:127.0.0.1", *more,
         *(["--data-binary", "@-"] if body else []), f"https://control.test:{w.device_port}{path}"],
        input=body, capture_output=True)
    text = (w.dir / "answer").read_text() if done.returncode == 0 and (w.dir / "answer").exists() else ""
    return int(done.stdout), text


def csr(w, name):
    key, der = w.dir / f"{name}.key", w.dir / f"{name}.csr"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-subj", f"/CN={name}", "-outform", "DER", "-out", der],
                   check=True, capture_output=True)
    return subprocess.run(["base64", "-w0", der], check=True, capture_output=True).stdout


def test_revocation_cannot_be_switched_off(world):
    why = refused(world.init, "--set", "security.policy.cert.revocation.check=no")
    assert why.status == 65 and "security.policy.cert.revocation.check" in why.err
    assert "switched off" in why.err and not (world.home / "dovetail.ini").exists()
    world.home = world.dir / "second"
    world.init()
    status, said = start_refused(world, "security.policy.cert.revocation.check=no")
    assert status == 65 and "switched off" in said, said


def test_the_list_of_authorities_is_inits_and_then_the_databases(world, tmp_path):
    good, key = make_ca(tmp_path, "good", *CA)
    other, other_key = make_ca(tmp_path, "other", *CA)
    hexes = fingerprint(good)
    colons = ":".join(hexes[i:i + 2] for i in range(0, 64, 2)).upper()
    why = refused(world.init, "--set", 'security.policy.ca.trust.list=["abc"]')
    assert why.status == 65 and 'entry 1, "abc"' in why.err
    world.home = world.dir / "second"
    world.init("--set", f'security.policy.ca.trust.list=["{colons}"]')
    world.start_control()
    why = refused(world.op, "authority", "import", "other", "--certificate", other, "--key", other_key, "--device")
    assert why.problem["code"] == "denied" and fingerprint(other) in why.problem["detail"]
    assert "security.policy.ca.trust.list" in why.problem["detail"]
    assert world.query("SELECT count(*) AS n FROM approval")[0]["n"] == 0
    world.with_second("authority", "import", "good", "--certificate", good, "--key", key, "--device")
    status = refused(world.op, "policy", "set", "--ca", fingerprint(other))
    assert status.problem["code"] == "interlock" and "authority good" in status.problem["detail"]
    status = refused(world.op, "policy", "set", "--ca", "abc")
    assert status.problem["code"] == "bad-input" and 'entry 1, "abc"' in status.problem["detail"]
    world.stop("dovetaild")
    status, said = start_refused(world, f'security.policy.ca.trust.list=["{fingerprint(other)}"]')
    assert status == 73 and "is not the database's" in said and hexes[:16] in said, said
    world.start_control(f'security.policy.ca.trust.list=["{hexes}"]')  # the same, written otherwise
    both = sorted([hexes, fingerprint(other)])
    assert world.with_second("policy", "set", "--ca", ",".join(both))["ca_trust_list"] == both
    assert world.op("policy", "show")["ca_trust_list"] == both
    world.with_second("authority", "import", "other", "--certificate", other, "--key", other_key, "--device")
    world.stop("dovetaild")
    status, said = start_refused(world, f'security.policy.ca.trust.list=["{hexes}"]')
    assert status == 73, "the database is the truth"
    ini = world.home / "dovetail.ini"
    ini.write_text("".join(line for line in ini.read_text().splitlines(True) if "ca.trust.list" not in line))
    world.start_control()
    assert world.with_second("policy", "set", "--ca", "any")["ca_trust_list"] == []


def test_how_a_device_may_enrol_for_the_first_time(world):
    world.make_old_world()
    world.init()
    world.start_control("security.policy.device.auth.method=certificate")
    world.with_second("authority", "import", "old-root", "--certificate", world.old / "ca/ca.pem", "--device")
    secret = world.op("device", "secret", "pump-1", "--create")["secret"]
    path = "/.well-known/est/simpleenroll"
    status, said = curl(world, path, "-u", f"pump-1:{secret}", body=csr(world, "pump-1"))
    assert status == 403 and "security.policy.device.auth.method is certificate" in said
    assert world.query("SELECT count(*) AS n FROM credential WHERE owner = 'pump-1'")[0]["n"] == 0
    assert not world.op("alert", "list")["items"], "nobody's secret is in wrong hands"
    world.stop("dovetaild")
    world.start_control("security.policy.device.auth.method=secret")
    old = world.old / "devices/dev-0001"
    status, said = curl(world, path, "--key", old / "key.pem", "--cert", old / "cert.pem", body=csr(world, "dev-0001"))
    assert status == 403 and "security.policy.device.auth.method is secret" in said
    status, said = curl(world, path, "-u", f"pump-1:{secret}", body=csr(world, "pump-1"))
    assert status == 200, said


def test_strict_validation_and_its_log(world, tmp_path):
    ca, ca_key = make_ca(tmp_path, "sloppy", *CA)
    key, request, cert = (tmp_path / n for n in ("leaf.key", "leaf.csr", "leaf.pem"))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-subj", "/CN=sloppy-1", "-out", request], check=True, capture_output=True)
    ext = tmp_path / "leaf.ext"  # no authority key identifier: RFC 5280 section 4.2.1.1 wants one
    ext.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nauthorityKeyIdentifier=none\n")
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
                    "-extfile", ext, "-out", cert], check=True, capture_output=True)
    world.init()
    for strict, status, word in (("yes", 0, "Missing Authority Key Identifier"), ("no", 200, 'result=ok')):
        world.start_control(f"security.policy.cert.validation.strict={strict}", "security.logging.cert.validation=yes")
        if strict == "yes":
            world.with_second("authority", "import", "sloppy", "--certificate", ca, "--device")
        before = len(world.log("dovetaild"))
        # again and again: the fronts hear of the authority a moment after its import
        wait_for("the log line", lambda: (curl(world, "/.well-known/est/cacerts", "--key", key, "--cert", cert),
                                          word in world.log("dovetaild")[before:])[1], 5, 0.3)
        assert curl(world, "/.well-known/est/cacerts", "--key", key, "--cert", cert)[0] == status
        lines = [line for line in world.log("dovetaild")[before:].splitlines() if "event=front.certificate" in line]
        assert any(word in line for line in lines), lines
        world.stop("dovetaild")
    world.start_control()
    before = len(world.log("dovetaild"))
    curl(world, "/.well-known/est/cacerts", "--key", key, "--cert", cert)
    assert "front.certificate" not in world.log("dovetaild")[before:], "only when asked for"
