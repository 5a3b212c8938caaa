-- SPDX-License-Identifier: Apache-2.0

-- name: device_add
-- in:   @device
-- out:  rows changed: 1, or 0 when there is one of that id
INSERT INTO device (@device) VALUES (:@device)
    ON CONFLICT (device_id) DO NOTHING;

-- name: device_get
-- in:   device_id text
-- out:  @device
SELECT @device FROM device WHERE device_id = :device_id;

-- name: device_describe
-- in:   device_id text, hw_serial text, model text, firmware text, batch text,
--       type text, profile text, labels text, environment text, period_s int,
--       management text, oob_address text
-- out:  rows changed: 1, or 0 when there is no such device
UPDATE device
   SET hw_serial = :hw_serial, model = :model, firmware = :firmware,
       batch = :batch, type = :type, profile = :profile, labels = :labels,
       environment = :environment, period_s = :period_s,
       management = :management, oob_address = :oob_address
 WHERE device_id = :device_id;

-- name: device_names_set
-- in:   device_id text, subject text, subject_der bytes, san_der bytes
-- out:  rows changed: 1
UPDATE device
   SET subject = :subject, subject_der = :subject_der, san_der = :san_der
 WHERE device_id = :device_id;

-- name: device_state_set
-- in:   device_id text, was text, state text, blocked_case text
-- out:  rows changed: 1, or 0 when it is in another state
UPDATE device SET state = :state, blocked_case = :blocked_case
 WHERE device_id = :device_id AND state = :was;

-- name: device_seen
-- in:   device_id text, at int
-- out:  rows changed: 1, or 0 when that is no news (a minute is the grain)
UPDATE device SET last_seen_at = :at, park_at = :at + 3 * period_s
 WHERE device_id = :device_id AND last_seen_at < :at - 59;

-- name: device_checkin
-- in:   device_id text, at int, clock_off_s int, agent text
-- out:  rows changed: 1
UPDATE device
   SET last_seen_at = :at, park_at = :at + 3 * period_s, last_checkin_at = :at,
       clock_off_s = :clock_off_s, agent = :agent
 WHERE device_id = :device_id;

-- name: device_renewed
-- in:   device_id text, at int
-- out:  rows changed: 1
UPDATE device SET last_renewal_at = :at WHERE device_id = :device_id;

-- name: device_silent
-- in:   now int, limit int
-- out:  device_id text
SELECT device_id FROM device WHERE state = 'active' AND park_at < :now
 ORDER BY park_at LIMIT :limit;

-- name: device_count_by_state
-- out:  state text, n int
SELECT state, count(*) AS n FROM device GROUP BY state ORDER BY state;

-- name: device_count_seen_since
-- in:   since int
-- out:  n int
SELECT count(*) AS n FROM device
 WHERE state = 'active' AND last_seen_at >= :since;
