# SPDX-License-Identifier: Apache-2.0
"""Killing a control plane at a chosen moment of an enrolment.

The daemon logs each step of each request at level debug. To kill at a stage,
the process that would take the next step is stopped, so that requests gather
there; when the log shows one, the whole daemon is stopped, the log read to
its end, what is in flight counted, the victims killed, and the rest let go.
"""
import collections
import os
import random
import signal
import time

# the stage a request is in after this event, and who would take the next step
STAGES = {"est.asked": "before signing", "est.signed": "signed", "est.recorded": "committed",
          "est.answered": "answered"}
NEXT = {"est.asked": ("signer",), "est.signed": ("core",), "est.recorded": ("front-1", "front-2"),
        "est.answered": ()}


class Watch:
    """The log of a daemon, as it grows: where each request is."""

    def __init__(self, path):
        self.file = path.open("rb")
        self.file.seek(0, os.SEEK_END)
        self.rest = b""
        self.forget()

    def forget(self):
        """What was in flight is no more."""
        self.at = {}  # serial: newest event
        self.serial_of = {}  # fingerprint: serial
        self.answered = set()  # fingerprints

    def look(self):
        """Read on; the last line may not be whole yet."""
        text = self.rest + self.file.read()
        whole, _, self.rest = text.rpartition(b"\n")
        for line in whole.split(b"\n"):
            if b"event=est." in line:
                self.take(dict(word.split(b"=", 1) for word in line.split() if b"=" in word))

    def take(self, fields):
        event = fields[b"event"].decode()
        serial, fingerprint = fields.get(b"serial"), fields.get(b"fingerprint", b"").decode()
        if event == "est.asked":
            self.at[serial] = event
        elif event == "est.signed" and serial in self.at:
            self.at[serial] = event
        elif event == "est.recorded" and serial in self.at:
            # core answers before it logs; a front may have been faster
            self.at[serial] = "est.answered" if fingerprint in self.answered else event
            self.serial_of[fingerprint] = serial
        elif event == "est.answered":
            self.answered.add(fingerprint)
            if fingerprint in self.serial_of:
                self.at[self.serial_of[fingerprint]] = event

    def in_flight(self, received):
        """How many requests stand at each stage; answered ones count until
        their client has the certificate."""
        there = {serial for fingerprint, serial in self.serial_of.items() if fingerprint in received}
        return collections.Counter(STAGES[event] for serial, event in self.at.items() if serial not in there)


def send(pids, how):
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            pass


def state(pid):
    """One letter, as in proc(5); X when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def gone(pid):
    return state(pid) in "ZX"


def freeze(pids):
    """Stop them; one in a system call stops when that has ended."""
    send(pids, signal.SIGSTOP)
    while not all(state(pid) in "TtZX" for pid in pids):
        time.sleep(0.0005)


def gather(watch, event, held, received, seconds):
    """Stop those in @held until a request stands at @event."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        send(held, signal.SIGSTOP)
        soon = time.monotonic() + (0.03 if held else seconds)
        while time.monotonic() < min(soon, end):
            watch.look()
            if watch.in_flight(received)[STAGES[event]] > 0:
                return
            time.sleep(0.001)
        send(held, signal.SIGCONT)
        time.sleep(random.uniform(0.001, 0.02))


def kill_at(world, watch, event, victim, received, seconds=2.0):
    """Kill @victim ("core", "signer", "front-1", ..., "all") when a request
    stands at @event. @received: fingerprints clients hold, kept up by them.
    Returns (moment of the kill, what was in flight then)."""
    parent = world.running["dovetaild"].pid
    family = world.children("dovetaild")
    every = [parent, *family.values()]
    gather(watch, event, [family[name] for name in NEXT[event] if name in family], received, seconds)
    freeze(every)
    watch.look()
    standing = watch.in_flight(received)
    at = time.monotonic()
    send(every if victim == "all" else [family[victim]], signal.SIGKILL)
    send(every, signal.SIGCONT)
    if victim == "all":
        world.running.pop("dovetaild").wait()
        while not all(gone(pid) for pid in every[1:]):
            time.sleep(0.001)
    watch.forget()
    return at, standing
