# SPDX-License-Identifier: Apache-2.0
"""libdovetail-agent as a firmware engineer meets it: the example device of
examples/mqtt-device in a real fleet, its keys in a process of their own, and
the installed library found by pkg-config."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from world import BUILD, ROOT, World, wait_for

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, devices=2, gateways=1)
    w.everything()
    yield w
    w.close()


def start_device(world, device):
    home = world.dir / device
    home.mkdir(exist_ok=True)
    secret = home.with_suffix(".secret")
    if not secret.exists():
        secret.write_text(world.op("device", "secret", device, "--create")["secret"])
    world.start(device, BUILD / "examples/mqtt-device", "--state", home,
                "--server", f"127.0.0.1:{world.device_port}", "--server-name", "control.test",
                "--edge", f"127.0.0.1:{world.gateway_ports[0]}", "--edge-name", world.names[0],
                "--device", device, "--anchor", world.old / "ca/ca.pem", "--secret-file", secret,
                "--keys", world.dir / "keeper.sock", "--topic", f"dovetail/{device}/state",
                "--interval", "200")
    return home


def newest(world, device):
    rows = [line.split()[1] for line in world.messages.read_text().splitlines()
            if line.startswith(f"dovetail/{device}/")]
    return int(rows[-1]) if rows else 0


def test_4_a_key_that_never_leaves_its_store_goes_through_both_rotations(world):
    world.start("keeper", sys.executable, HERE / "keykeeper.py", world.dir / "keeper.sock",
                world.dir / "keeper.log")
    wait_for("the key store", (world.dir / "keeper.sock").exists)
    home = start_device(world, "lib-1")
    wait_for("messages of lib-1", lambda: newest(world, "lib-1") > 3, 30)
    for kind in ("server-ca", "device-ca"):
        world.run_rotation(world.plan(kind, "old-root", "root"))
    world.tell_to_renew("lib-1")
    wait_for("its renewal", lambda: "CertRotationCompleted(2) -> Succeed" in world.log("lib-1"), 40)
    (world.dir / "value").write_text("correct horse")
    world.op("device", "config", "set", "lib-1", f"wifi.psk={world.dir / 'value'}")
    wait_for("its value", lambda: "configuration value: config/wifi.psk" in world.log("lib-1"), 15)
    assert (home / "config/wifi.psk").read_text() == "correct horse"
    before = newest(world, "lib-1")
    wait_for("messages after the rotations", lambda: newest(world, "lib-1") > before + 3, 30)
    text = (home / "generations/2/key.uri").read_text()
    assert text == "keeper:2\n", text
    done = subprocess.run(["grep", "-rlE", "PRIVATE KEY", home], capture_output=True, text=True)
    assert done.stdout == "", done.stdout
    certificates = world.op("cert", "list", "lib-1")
    assert {c["state"] for c in certificates} >= {"active"}, certificates
    asked = (world.dir / "keeper.log").read_text()
    assert asked.count("make ") == 2 and "sign keeper:2" in asked and "derive keeper:2" in asked, asked[-500:]
    # killed and started again: the same identity, no new key
    world.stop("lib-1")
    start_device(world, "lib-1")
    before = newest(world, "lib-1")
    wait_for("messages after a restart", lambda: newest(world, "lib-1") not in (0, before), 30)
    assert (world.dir / "keeper.log").read_text().count("make ") == 2


def test_the_installed_library_is_found_by_pkg_config_and_is_small(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tmp_path],
                   check=True, capture_output=True)
    pc = next(tmp_path.rglob("dovetail-agent.pc"))
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(tmp_path))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "dovetail-agent", "libmosquitto"], env=env,
                           check=True, capture_output=True, text=True).stdout
    # what the sysroot does to the system's own library is no part of this
    flags = [re.sub(f"^-I{tmp_path}(?!.*local)", "-I", f) for f in flags.split()]
    sources = sorted((ROOT / "examples/mqtt-device").glob("*.c"))
    out = tmp_path / "mqtt-device"
    done = subprocess.run(["cc", "-D_GNU_SOURCE", "-o", out, *sources, *flags, "-lssl", "-lcrypto"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    library = next(p for p in tmp_path.rglob("libdovetail-agent.so.*") if not p.is_symlink())
    done = subprocess.run([out], capture_output=True, text=True,
                          env=dict(os.environ, LD_LIBRARY_PATH=str(library.parent)))
    assert done.returncode == 64 and done.stderr.startswith("usage:"), done.stderr
    seen = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True,
                          text=True).stdout
    names = re.findall(r" T (\w+)", seen)
    assert names and all(n.startswith("dovetail_") for n in names), names
    for path, most in ((library, 400_000), (next(tmp_path.rglob("bin/dovetail-agent")), 400_000)):
        stripped = tmp_path / "stripped"
        subprocess.run(["strip", "-o", stripped, path], check=True)
        size = stripped.stat().st_size
        needed = subprocess.run(["objdump", "-p", path], check=True, capture_output=True, text=True).stdout
        print(json.dumps({path.name: size, "libraries": re.findall(r"NEEDED\s+(\S+)", needed)}))
        assert size <= most, (path, size)
