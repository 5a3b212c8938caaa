-- SPDX-License-Identifier: Apache-2.0

-- name: handshake_add
-- in:   gateway text, at int, device text, confidence text, outcome text,
--       reason text, root text, body text, n int
-- out:  rows changed: 1
INSERT INTO handshake (@handshake)
SELECT coalesce(max(id), 0) + 1, :gateway, :at, :device, :confidence, :outcome,
       :reason, :root, :body, :n
  FROM handshake;

-- name: handshake_list
-- in:   before int, outcome text ('' : any), limit int
-- out:  @handshake
SELECT @handshake FROM handshake
 WHERE id < :before AND (:outcome = '' OR outcome = :outcome)
 ORDER BY id DESC LIMIT :limit;

-- name: handshake_of_device
-- in:   device text, before int, outcome text ('' : any), limit int
-- out:  @handshake
SELECT @handshake FROM handshake
 WHERE device = :device AND id < :before
   AND (:outcome = '' OR outcome = :outcome)
 ORDER BY id DESC LIMIT :limit;

-- name: handshake_count
-- in:   root text, since int, limit int
-- out:  gateway text, confidence text, outcome text, reason text, n int
SELECT gateway, confidence, outcome, reason, CAST(sum(n) AS BIGINT) AS n
  FROM handshake
 WHERE root = :root AND at >= :since
 GROUP BY gateway, confidence, outcome, reason
 ORDER BY gateway, confidence, outcome, reason LIMIT :limit;

-- name: handshake_trim
-- in:   keep int, limit int
-- out:  rows changed: taken away, at most limit
DELETE FROM handshake
 WHERE id <= (SELECT coalesce(max(id), 0) FROM handshake) - :keep
   AND id < (SELECT coalesce(min(id), 0) FROM handshake) + :limit;

-- name: handshake_hour_add
-- in:   @handshake_hour
-- out:  rows changed: 1
INSERT INTO handshake_hour (@handshake_hour) VALUES (:@handshake_hour)
    ON CONFLICT (device, hour, gateway, outcome, reason, root)
    DO UPDATE SET n = handshake_hour.n + excluded.n;

-- name: handshake_hour_of_device
-- in:   device text, since int (hour), limit int
-- out:  @handshake_hour
SELECT @handshake_hour FROM handshake_hour
 WHERE device = :device AND hour >= :since
 ORDER BY hour, gateway, outcome, reason, root LIMIT :limit;

-- name: handshake_hour_trim
-- in:   before int (hour), limit int (devices)
-- out:  rows changed: taken away, of the oldest hour
DELETE FROM handshake_hour
 WHERE hour = (SELECT min(hour) FROM handshake_hour) AND hour < :before
   AND device IN (SELECT device FROM handshake_hour
                   WHERE hour = (SELECT min(hour) FROM handshake_hour)
                   ORDER BY device LIMIT :limit);

-- name: handshake_shown_trim
-- in:   before int (hour)
-- out:  rows changed: taken away, those of the oldest hour
DELETE FROM handshake_shown
 WHERE hour = (SELECT min(hour) FROM handshake_shown) AND hour < :before;

-- name: handshake_shown_add
-- in:   @handshake_shown
-- out:  rows changed: 1
INSERT INTO handshake_shown (@handshake_shown) VALUES (:@handshake_shown)
    ON CONFLICT (hour, gateway, serial, model, firmware, print, outcome, reason)
    DO UPDATE SET n = handshake_shown.n + excluded.n;

-- name: handshake_shown_list
-- in:   since int (hour), serial text ('' : any), limit int
-- out:  @handshake_shown
SELECT @handshake_shown FROM handshake_shown
 WHERE hour >= :since AND (:serial = '' OR serial = :serial)
 ORDER BY hour DESC, gateway, serial, model, firmware, print, outcome, reason
 LIMIT :limit;

-- name: event_add
-- in:   at int, name text, device text, correlation text, body text
-- out:  id int
INSERT INTO event (@event)
SELECT coalesce(max(id), 0) + 1, :at, :name, :device, :correlation, :body
  FROM event
RETURNING id;

-- name: event_list
-- in:   after int, limit int
-- out:  @event
SELECT @event FROM event WHERE id > :after ORDER BY id LIMIT :limit;

-- name: event_last
-- out:  id int
SELECT coalesce(max(id), 0) AS id FROM event;

-- name: alert_raise
-- in:   key text, severity text, name text, detail text, at int
-- out:  count int (starts anew ten minutes after an acknowledgement)
INSERT INTO alert (@alert)
SELECT coalesce(max(id), 0) + 1, :key, :severity, :name, :detail, :at, 1, '', 0
  FROM alert WHERE true
    ON CONFLICT (key) DO UPDATE
       SET severity = excluded.severity, name = excluded.name,
           detail = excluded.detail, at = excluded.at,
           count = CASE WHEN alert.acked_at > 0
                         AND excluded.at - alert.acked_at >= 600
                        THEN 1 ELSE alert.count + 1 END,
           acked_by = CASE WHEN excluded.at - alert.acked_at >= 600
                           THEN '' ELSE alert.acked_by END,
           acked_at = CASE WHEN excluded.at - alert.acked_at >= 600
                           THEN 0 ELSE alert.acked_at END
RETURNING count;

-- name: alert_ack
-- in:   id int, acked_by text, at int
-- out:  rows changed: 1, or 0 when it is not open
UPDATE alert SET acked_by = :acked_by, acked_at = :at
 WHERE id = :id AND acked_at = 0;

-- name: alert_clear
-- in:   key text
-- out:  rows changed: 1, or 0 when there is none
DELETE FROM alert WHERE key = :key;

-- name: alert_list
-- in:   after int, all int (0: open ones), limit int
-- out:  @alert
SELECT @alert FROM alert
 WHERE id > :after AND (:all = 1 OR acked_at = 0) ORDER BY id LIMIT :limit;
