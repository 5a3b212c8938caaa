-- SPDX-License-Identifier: Apache-2.0

-- name: update_start
-- in:   device_id text, id text, rotation_id int, version text, target text,
--       started_at int
-- out:  rows changed: 1, or 0 when it is known
INSERT INTO device_update (@device_update)
VALUES (:device_id, :id, :rotation_id, :version, :target, :started_at, 0, '')
    ON CONFLICT (device_id, id) DO NOTHING;

-- name: update_finish
-- in:   device_id text, id text, at int, outcome text
-- out:  rows changed: 1, or 0 when it had ended. Of trust the last word holds:
--       its probe may fail after it was loaded, and come right later.
UPDATE device_update SET finished_at = :at, outcome = :outcome
 WHERE device_id = :device_id AND id = :id
   AND (finished_at = 0 OR id LIKE 'trust-%' OR id LIKE 'recover-%');

-- name: update_get
-- in:   device_id text, id text
-- out:  @device_update
SELECT @device_update FROM device_update
 WHERE device_id = :device_id AND id = :id;

-- name: update_list
-- in:   device_id text, limit int
-- out:  @device_update
SELECT @device_update FROM device_update WHERE device_id = :device_id
 ORDER BY started_at DESC, id DESC LIMIT :limit;

-- name: step_add
-- in:   device_id text, id text, at int, step text, target text, outcome text,
--       detail text
-- out:  rows changed: 1, or 0 when the same step is there
INSERT INTO update_step (@update_step)
SELECT :device_id, :id, coalesce(max(seq), 0) + 1, :at, :step, :target,
       :outcome, :detail
  FROM update_step WHERE device_id = :device_id AND id = :id
HAVING NOT EXISTS (SELECT 1 FROM update_step s
        WHERE s.device_id = :device_id AND s.id = :id AND s.at = :at
          AND s.step = :step AND s.target = :target AND s.outcome = :outcome);

-- name: step_list
-- in:   device_id text, id text, limit int
-- out:  @update_step
SELECT @update_step FROM update_step WHERE device_id = :device_id AND id = :id
 ORDER BY seq LIMIT :limit;
