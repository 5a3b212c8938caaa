-- SPDX-License-Identifier: Apache-2.0
-- What edges hear and report: more kinds of the feed, handshakes that stand
-- for several, and what they are counted by.

CREATE TABLE feed_new (
    kind     TEXT NOT NULL CHECK (kind IN ('anchor', 'device', 'deny',
        'credential', 'csr', 'policy', 'reconnect', 'deny-key', 'log',
        'memory')),
    key      TEXT NOT NULL,
    gateway  TEXT NOT NULL,              -- '' for every edge
    position BIGINT NOT NULL,
    body     TEXT,                       -- NULL: gone
    PRIMARY KEY (kind, key)
);
INSERT INTO feed_new (kind, key, gateway, position, body)
SELECT kind, key, gateway, position, body FROM feed;
DROP TABLE feed;
ALTER TABLE feed_new RENAME TO feed;
CREATE UNIQUE INDEX feed_by_position ON feed (position);

-- A record can stand for several: what came beyond so many in a minute.
ALTER TABLE handshake ADD COLUMN n BIGINT NOT NULL DEFAULT 1;

CREATE TABLE handshake_shown ( -- narrow
    hour     BIGINT NOT NULL,            -- Unix seconds / 3600
    gateway  TEXT NOT NULL,
    serial   TEXT NOT NULL,              -- of the leaf shown
    model    TEXT NOT NULL,              -- of the device, '' unknown
    firmware TEXT NOT NULL,
    print    TEXT NOT NULL,              -- of the ClientHello
    outcome  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (hour, gateway, serial, model, firmware, print, outcome, reason)
);
