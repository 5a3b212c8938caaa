# SPDX-License-Identifier: Apache-2.0
"""The README's first command, run as a newcomer would, and counted again."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import pytest
import world

LAST = re.compile(r"quickstart: (\d+)/(\d+) devices on the new chain, (\d+) lost, (\d+) handshakes, "
                  r"(\d+) failed, (\d+) messages, (\d+) missing")


def quickstart(*args):
    return subprocess.run([world.ROOT / "quickstart", *map(str, args)], capture_output=True, text=True,
                          timeout=900, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart") / "run"
    done = quickstart("--once", "--dir", folder, *(["--devices", "500"] if world.LONG else []))
    return folder, done


def test_it_ends_with_every_device_on_the_new_chain(ended):
    _, done = ended
    assert done.returncode == 0, done.stdout + done.stderr
    found = LAST.fullmatch(done.stdout.strip().splitlines()[-1])
    new, of, lost, handshakes, failed, messages, missing = map(int, found.groups())
    assert new == of and lost == 0 and failed == 0 and missing == 0
    assert handshakes > 0 and messages > 0


def test_it_shows_the_accident_prevented_with_names_and_reason(ended):
    folder, _ = ended
    text = (folder / "accident.txt").read_text()
    assert "dev-0001" in text and "unable to get local issuer certificate" in text


def test_openssl_accepts_each_device_under_the_new_root_alone(ended):
    folder, _ = ended
    old = fingerprint(folder / "old/ca/ca.pem")
    for line in (folder / "fleet/fleet.jsonl").read_text().splitlines():
        state = pathlib.Path(json.loads(line)["state"])
        chain = state / "generations" / (state / "current").read_text().strip() / "chain.pem"
        sets = sorted(state.glob("trust/*"), key=lambda path: int(path.name))
        subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile",
                        folder / "dovetail/public/root.pem", "-untrusted", sets[-1] / "issuing.pem",
                        chain], check=True, capture_output=True)
        anchors = [fingerprint(path) for path in state.glob("trust/*/anchor-*.pem")]
        assert anchors and old not in anchors


def test_what_the_subscriber_heard_has_no_gap(ended):
    folder, _ = ended
    heard = {}
    for line in (folder / "messages.txt").read_text().splitlines():
        topic, number = line.split()
        heard.setdefault(topic.split("/")[1], set()).add(int(number))
    for device in json.loads((folder / "fleet/status.json").read_text())["devices"]:
        assert heard[device["device"]] >= set(range(1, device["acked"] + 1))
        assert device["acked"] == device["made"]


def test_a_device_without_its_anchors_is_found_by_name(ended, tmp_path):
    folder, _ = ended
    copy = copy_of(folder, tmp_path)
    for path in (copy / "fleet/dev-0003/trust").glob("*/anchor-*.pem"):
        path.unlink()
    again = quickstart("--count", "--dir", copy)
    assert again.returncode != 0
    assert "dev-0003 holds no anchor" in again.stdout and "dev-0004 holds" not in again.stdout


def test_a_device_that_still_trusts_the_old_root_is_found_by_name(ended, tmp_path):
    folder, _ = ended
    copy = copy_of(folder, tmp_path)
    newest = max((copy / "fleet/dev-0005/trust").iterdir(), key=lambda path: int(path.name))
    shutil.copy(folder / "old/ca/ca.pem", newest / "anchor-09.pem")
    again = quickstart("--count", "--dir", copy)
    assert again.returncode != 0 and "dev-0005 still trusts the old root" in again.stdout


def test_a_dropped_message_is_found_by_name(ended, tmp_path):
    folder, _ = ended
    copy = copy_of(folder, tmp_path)
    lines = (copy / "messages.txt").read_text().splitlines()
    lines = [line for line in lines if line != "dovetail/dev-0002/seq 3"]
    (copy / "messages.txt").write_text("\n".join(lines) + "\n")
    again = quickstart("--count", "--dir", copy)
    assert again.returncode != 0 and "dev-0002 message 3 is missing" in again.stdout


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """(folder, what it said) of a run that was ended with Ctrl-C half way."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    # a shell cannot trap what was ignored when it began, as it is below nohup
    with subprocess.Popen([world.ROOT / "quickstart", "--devices", "6", "--dir", folder], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as run:
        limit = threading.Timer(300, run.terminate)
        limit.daemon = True
        limit.start()
        said = ""
        for line in run.stdout:
            said += line
            if line.startswith("4. "):
                run.send_signal(signal.SIGINT)
        limit.cancel()
        assert run.wait(60) == 130, said
    return folder, said


def test_ctrl_c_ends_it_in_order_without_a_word_of_the_shell(stopped):
    folder, said = stopped
    assert "line " not in said and "Terminated" not in said and "Killed" not in said, said
    status = json.loads((folder / "fleet/status.json").read_text())
    assert [d["device"] for d in status["devices"] if not d["connected_at_end"]] == []
    left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout
    assert left == "", "nothing of it runs any more"


def test_the_count_of_a_stopped_run_says_so_and_counts_what_is_left(stopped):
    folder, _ = stopped
    again = quickstart("--count", "--dir", folder)
    assert again.returncode == 1 and again.stderr == "", again.stderr
    assert 'The run was stopped in "4. The accident, prevented' in again.stdout
    found = LAST.fullmatch(again.stdout.strip().splitlines()[-1])
    new, of, lost, handshakes, failed, messages, missing = map(int, found.groups())
    assert (new, of, lost, failed, missing) == (0, 6, 0, 0, 0) and handshakes > 0 and messages > 0


def test_the_count_tells_a_run_that_was_cut_off_from_one_that_goes_on(stopped, tmp_path):
    copy = copy_of(stopped[0], tmp_path)
    gone = subprocess.Popen(["true"])
    gone.wait()
    (copy / "run").write_text(f"runs {gone.pid} 5. The joint\n")
    status = json.loads((copy / "fleet/status.json").read_text())
    for device in status["devices"]:
        device["connected_at_end"] = False  # as it is while they run
    (copy / "fleet/status.json").write_text(json.dumps(status))
    again = quickstart("--count", "--dir", copy)
    assert 'The run was cut off in "5. The joint"' in again.stdout and "not connected" not in again.stdout
    (copy / "run").write_text(f"runs {os.getpid()} 5. The joint\n")
    again = quickstart("--count", "--dir", copy)
    assert again.returncode == 73 and "still goes on" in again.stderr


def copy_of(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock"))
    return copy


def fingerprint(path):
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], check=True,
                          capture_output=True, text=True).stdout
