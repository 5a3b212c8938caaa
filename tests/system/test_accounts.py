# SPDX-License-Identifier: Apache-2.0
"""Who the processes are after their start, and what they gave up."""
import os
import pathlib
import pwd
import subprocess

import pytest

from world import BUILD, Refused, World, free_ports, wait_for

ROOT = os.geteuid() == 0
CHILDREN = {"core", "reader", "signer", "courier", "front-1", "front-2"}


@pytest.fixture
def make(tmp_path):
    made = []

    def new(folder="w"):
        made.append(World(tmp_path / folder, devices=1, gateways=1))
        return made[-1]

    yield new
    for w in made:
        w.close()


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def account():
    """Who root's daemons become: the account; who else starts them: himself."""
    return pwd.getpwnam("dovetail").pw_uid if ROOT else os.geteuid()


def check_given_up(name, pid, uid):
    said = status_of(pid)
    assert said["Uid"].split() == [str(uid)] * 4, (name, said["Uid"])
    assert said["NoNewPrivs"] == "1", name
    assert said["Seccomp"] == "2", (name, "no filter")
    assert int(said["CapEff"], 16) == int(said["CapPrm"], 16) == int(said["CapAmb"], 16) == 0, name
    if ROOT:
        assert said["Groups"].strip() == "", name


def test_every_child_of_the_control_plane_is_the_account_and_has_no_rights(make):
    w = make()
    w.init()
    w.start_control()
    assert set(w.children("dovetaild")) == CHILDREN
    for name, pid in w.children("dovetaild").items():
        check_given_up(name, pid, account())
    # a child that is started again is no other
    signer = w.children("dovetaild")["signer"]
    os.kill(signer, 9)
    again = wait_for("the signer", lambda: w.children("dovetaild").get("signer", signer) != signer
                     and "event=proc.sandbox" in w.log("dovetaild").rsplit("event=proc.ended", 1)[1]
                     and w.children("dovetaild")["signer"])
    wait_for("its filter", lambda: status_of(again)["Seccomp"] == "2")
    check_given_up("signer", again, account())
    assert "dovetaild.as-root" not in w.log("dovetaild")


@pytest.mark.skipif(not ROOT, reason="only root hands folders over")
def test_what_children_do_not_need_stays_roots(make):
    w = make()
    w.init()
    w.start_control()
    uid, gid = account(), pwd.getpwnam("dovetail").pw_gid
    for name, owner, group, mode in (
            ("", 0, gid, 0o750), ("dovetail.ini", 0, gid, 0o640), ("keys", 0, 0, 0o700),
            ("keys/unlock", 0, 0, 0o600), ("offline", 0, 0, 0o700), ("public/root.pem", 0, 0, 0o644),
            ("db", uid, gid, 0o700), ("db/dovetail.db", uid, gid, 0o600), ("db/dovetail.db-wal", uid, gid, 0o600),
            ("front", uid, gid, 0o700), ("front/1/key.pem", uid, gid, 0o600), ("run/api.sock", 0, gid, 0o660)):
        st = (w.home / name).stat()
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (owner, group, mode), name
    assert "user = dovetail" in (w.home / "dovetail.ini").read_text().splitlines()


@pytest.mark.skipif(not ROOT, reason="only root has rights to keep")
def test_root_stays_root_only_when_told_and_is_warned(make):
    w = make()
    w.init("--user", "root")
    w.start_control()
    assert status_of(w.children("dovetaild")["front-1"])["Uid"].split()[0] == "0"
    assert "event=dovetaild.as-root severity=warning" in w.log("dovetaild")


@pytest.mark.skipif(not ROOT, reason="others have nothing to hand over")
def test_a_folder_the_account_cannot_enter_is_refused_with_the_place(make, tmp_path):
    w = make()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    w.home = closed / "deep" / "dovetail"
    (closed / "deep").mkdir()
    with pytest.raises(Refused) as why:
        w.init()
    assert why.value.status == 77
    for word in ("dovetail", str(closed), "0700", "chmod o+x", "--user root"):
        assert word in why.value.err
    assert not w.home.exists(), "nothing was made"
    closed.chmod(0o711)
    w.init()
    closed.chmod(0o700)
    done = subprocess.run(w.control_command(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 77
    for word in ("setting user", "dovetail", str(closed), "0700"):
        assert word in done.stderr


def test_an_account_that_cannot_be_is_refused(make):
    w = make()
    for name, status, word in (("No Such", 65, "account's name"),) if ROOT else (("root", 77, "only root"),):
        with pytest.raises(Refused) as why:
            w.init("--user", name)
        assert why.value.status == status and word in why.value.err
    assert not w.home.exists()


def gateway(w, tmp_path, *more):
    """A gateway that stands alone, and the pids of its children."""
    w.make_old_world()
    port, upstream = free_ports(2)
    old = w.old / "gateways/gw-1"
    ini = tmp_path / "gateway.ini"
    ini.write_text("".join(f"{line}\n" for line in (
        *more, "[gateway]", "name = gw-1", f"listen = 127.0.0.1:{port}", f"upstream = tcp:127.0.0.1:{upstream}",
        f"certificate = {old}/chain.pem", f"key = {old}/key.pem", f"client-ca = {w.old}/ca/ca.pem", "workers = 2",
        f"state = {tmp_path}/state")))
    w.start("gw", BUILD / "dovetail-gateway", "--config", ini)
    wait_for("the gateway", lambda: "event=gateway.ready" in w.log("gw") or w.running["gw"].poll() is not None)
    return w.children("gw")


def test_workers_of_a_gateway_are_the_account_without_being_told(make, tmp_path):
    w = make()
    w.init()  # so that there is such an account
    pids = gateway(w, tmp_path)
    for name in ("worker-1", "worker-2"):
        check_given_up(name, pids[name], account())
    said = status_of(pids["feed"])
    assert said["NoNewPrivs"] == "1" and said["Seccomp"] == "2"
    assert said["Uid"].split()[0] == str(os.geteuid()), "it reads key files of whoever started it"


@pytest.mark.skipif(not ROOT, reason="others cannot become it")
def test_with_the_setting_all_of_a_gateway_is_the_account(make, tmp_path):
    w = make()
    w.init()
    w.make_old_world()
    for path in [*(w.old / "gateways").rglob("*"), w.old, *w.old.iterdir()]:
        os.chown(path, account(), -1)
    pids = gateway(w, tmp_path, "user = dovetail")
    assert set(pids) == {"feed", "worker-1", "worker-2"}
    for name, pid in pids.items():
        check_given_up(name, pid, account())
    assert (tmp_path / "state").stat().st_uid == account()
