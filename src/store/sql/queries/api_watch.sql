-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about what happened. Newest first, unless said.

-- name: api_handshakes
-- in:   device_type text, outcome text, like text, before int, after int,
--       limit int
-- out:  id int, gateway text, body_json text
SELECT h.id, h.gateway, h.body AS body_json
  FROM handshake h
 WHERE h.id < :before AND (:after = 0 OR h.id < :after)
   AND (:outcome = '' OR h.outcome = :outcome)
   AND (:device_type = '' OR EXISTS (SELECT 1 FROM device d
         WHERE d.device_id = h.device AND d.type = :device_type))
   AND (:like = '%' OR LOWER('tls handshake ' || h.gateway || ' ' || h.body)
        LIKE :like ESCAPE '!')
 ORDER BY h.id DESC
 LIMIT :limit;

-- name: api_handshakes_of
-- in:   device text, outcome text, like text, before int, after int,
--       limit int
-- out:  id int, gateway text, body_json text
SELECT h.id, h.gateway, h.body AS body_json
  FROM handshake h
 WHERE h.device = :device
   AND h.id < :before AND (:after = 0 OR h.id < :after)
   AND (:outcome = '' OR h.outcome = :outcome)
   AND (:like = '%' OR LOWER('tls handshake ' || h.gateway || ' ' || h.body)
        LIKE :like ESCAPE '!')
 ORDER BY h.id DESC
 LIMIT :limit;

-- Most first.
-- name: api_handshake_counts
-- in:   since_hour int, gateway text, serial text, model text, limit int
-- out:  serial text, model text, firmware text, print text, outcome text,
--       reason text, n int
SELECT serial, model, firmware, print, outcome, reason,
       CAST(sum(n) AS BIGINT) AS n
  FROM handshake_shown
 WHERE hour >= :since_hour AND (:gateway = '' OR gateway = :gateway)
   AND (:serial = '' OR serial = :serial) AND (:model = '' OR model = :model)
 GROUP BY serial, model, firmware, print, outcome, reason
 ORDER BY n DESC, serial, model, firmware, print, outcome, reason
 LIMIT :limit;

-- Oldest first: a queue is read from where one stopped.
-- name: api_events
-- in:   after int, limit int
-- out:  id int, at int, name text, device text, correlation text,
--       body_json text
SELECT id, at, name, device, correlation, body AS body_json
  FROM event
 WHERE id > :after
 ORDER BY id
 LIMIT :limit;

-- name: api_alerts
-- in:   open int, after int, limit int
-- out:  id int, key text, severity text, name text, detail text, at int,
--       count int, acked_by text, acked_at int
SELECT id, key, severity, name, detail, at, count, acked_by, acked_at
  FROM alert
 WHERE (:after = 0 OR id < :after) AND (:open = 0 OR acked_at = 0)
 ORDER BY id DESC
 LIMIT :limit;

-- name: api_alert
-- in:   id int
-- out:  id int, key text, severity text, name text, detail text, at int,
--       count int, acked_by text, acked_at int
SELECT id, key, severity, name, detail, at, count, acked_by, acked_at
  FROM alert
 WHERE id = :id;
