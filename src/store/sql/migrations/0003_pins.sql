-- SPDX-License-Identifier: Apache-2.0
-- What devices pin, and the handshakes that show it (fleet/pins.h).

CREATE TABLE chain_taken ( -- narrow
    device_id     TEXT NOT NULL,
    serial        TEXT NOT NULL,         -- of the leaf that was shown
    form          TEXT NOT NULL CHECK (form IN ('pure', 'cross', 'leaf')),
    root          TEXT NOT NULL,         -- '' unknown
    issuer        TEXT NOT NULL,         -- of the leaf: its name and key
    taken         BIGINT NOT NULL,       -- handshakes, by certificate only
    after_refusal BIGINT NOT NULL,       -- of these: another leaf that leads
                                         -- to the same root was refused before
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    PRIMARY KEY (device_id, serial, form)
);
CREATE TABLE device_pin ( -- narrow
    device_id TEXT PRIMARY KEY,
    pins      TEXT NOT NULL CHECK (pins IN
        ('unknown', 'root', 'intermediate', 'leaf')),
    since     BIGINT NOT NULL
);
CREATE INDEX device_pin_by_class ON device_pin (pins, device_id);
