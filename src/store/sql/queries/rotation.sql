-- SPDX-License-Identifier: Apache-2.0

-- name: rotation_add
-- in:   @rotation (id 0: the next free one)
-- out:  id int
INSERT INTO rotation (@rotation)
SELECT CASE WHEN :id > 0 THEN :id ELSE coalesce(max(id), 0) + 1 END,
       :kind, :state, :phase, :phase_since, :phase_elapsed_ms, :ticked_at,
       :ticked_mono_ms, :boot_id, :version, :from_id, :to_id, :plan,
       :plan_digest, :wave, :switched_at, :position, :bundle, :waits_for,
       :last_safe_at, :approval_id, :created_by, :created_at, :started_at,
       :finished_at
  FROM rotation
RETURNING id;

-- name: rotation_get
-- in:   id int
-- out:  @rotation
SELECT @rotation FROM rotation WHERE id = :id;

-- name: rotation_open
-- in:   limit int
-- out:  @rotation
SELECT @rotation FROM rotation WHERE state IN ('running', 'paused')
 ORDER BY id LIMIT :limit;

-- name: rotation_save
-- in:   id int, was int (version), version int, state text, phase text,
--       phase_since int, phase_elapsed_ms int, ticked_at int,
--       ticked_mono_ms int, boot_id text, wave int, switched_at int,
--       position int, bundle int, waits_for text, last_safe_at int,
--       approval_id int, started_at int, finished_at int
-- out:  rows changed: 1, or 0 when another step came first
UPDATE rotation
   SET version = :version, state = :state, phase = :phase,
       phase_since = :phase_since, phase_elapsed_ms = :phase_elapsed_ms,
       ticked_at = :ticked_at, ticked_mono_ms = :ticked_mono_ms,
       boot_id = :boot_id, wave = :wave, switched_at = :switched_at,
       position = :position, bundle = :bundle, waits_for = :waits_for,
       last_safe_at = :last_safe_at, approval_id = :approval_id,
       started_at = :started_at, finished_at = :finished_at
 WHERE id = :id AND version = :was;

-- name: rotation_plan_get
-- in:   id int
-- out:  plan text
SELECT plan FROM rotation WHERE id = :id;

-- name: phase_enter
-- in:   rotation_id int, name text, at int
-- out:  rows changed: 1
INSERT INTO phase (rotation_id, seq, name, entered_at, left_at, outcome)
SELECT :rotation_id, coalesce(max(seq), 0) + 1, :name, :at, 0, ''
  FROM phase WHERE rotation_id = :rotation_id;

-- name: phase_leave
-- in:   rotation_id int, at int, outcome text
-- out:  rows changed: of the phase it is in
UPDATE phase SET left_at = :at, outcome = :outcome
 WHERE rotation_id = :rotation_id AND left_at = 0;

-- name: phase_list
-- in:   rotation_id int, limit int
-- out:  @phase
SELECT @phase FROM phase WHERE rotation_id = :rotation_id
 ORDER BY seq LIMIT :limit;

-- name: assignment_slice
-- in:   rotation_id int, now int, after text, limit int
-- out:  rows changed: devices taken in
INSERT INTO assignment (device_id, rotation_id, wave, rank, state, state_since,
    due_at, tries, edge_at, fingerprint, reason)
SELECT d.device_id, :rotation_id,
       CASE WHEN d.environment = 'pilot' THEN 1 ELSE 2 END,
       coalesce((SELECT a.rank FROM assignment a
             WHERE a.device_id <= :after AND a.rotation_id + 0 = :rotation_id
             ORDER BY a.device_id DESC LIMIT 1), -1)
           + row_number() OVER (ORDER BY d.device_id),
       CASE WHEN d.state = 'parked' THEN 'parked' ELSE 'waiting' END,
       :now, 0, 0, 0, '', ''
  FROM (SELECT device_id, environment, state FROM device
         WHERE device_id > :after ORDER BY device_id LIMIT :limit) d
 WHERE d.state IN ('active', 'parked')
    ON CONFLICT (device_id, rotation_id) DO NOTHING;

-- name: assignment_slice_end
-- in:   after text, limit int
-- out:  last text? (NULL: there are no more devices)
SELECT max(device_id) AS last
  FROM (SELECT device_id FROM device WHERE device_id > :after
         ORDER BY device_id LIMIT :limit) d;

-- name: assignment_add
-- in:   @assignment
-- out:  rows changed: 1, or 0 when it is in
INSERT INTO assignment (@assignment) VALUES (:@assignment)
    ON CONFLICT (device_id, rotation_id) DO NOTHING;

-- name: assignment_get
-- in:   device_id text, rotation_id int
-- out:  @assignment
SELECT @assignment FROM assignment
 WHERE device_id = :device_id AND rotation_id = :rotation_id;

-- name: assignment_of_device
-- in:   device_id text, limit int
-- out:  @assignment
SELECT @assignment FROM assignment WHERE device_id = :device_id
 ORDER BY rotation_id DESC LIMIT :limit;

-- name: assignment_save
-- in:   device_id text, rotation_id int, was text (state), state text,
--       state_since int, due_at int, tries int, edge_at int, fingerprint text,
--       reason text
-- out:  rows changed: 1, or 0 when it is in another state
UPDATE assignment
   SET state = :state, state_since = :state_since, due_at = :due_at,
       tries = :tries, edge_at = :edge_at, fingerprint = :fingerprint,
       reason = :reason
 WHERE device_id = :device_id AND rotation_id = :rotation_id AND state = :was;

-- name: assignment_next
-- in:   rotation_id int, wave int, limit int
-- out:  @assignment
SELECT @assignment FROM assignment
 WHERE rotation_id = :rotation_id AND wave = :wave AND state = 'waiting'
 ORDER BY rank LIMIT :limit;

-- name: assignment_due
-- in:   now int, limit int
-- out:  @assignment
SELECT @assignment FROM assignment WHERE due_at > 0 AND due_at <= :now
 ORDER BY due_at LIMIT :limit;

-- name: assignment_counts
-- in:   rotation_id int
-- out:  wave int, state text, n int
SELECT wave, state, count(*) AS n FROM assignment
 WHERE rotation_id = :rotation_id GROUP BY wave, state ORDER BY wave, state;

-- name: assignment_list
-- in:   rotation_id int, state text ('' : any), after text, limit int
-- out:  @assignment
SELECT @assignment FROM assignment
 WHERE rotation_id = :rotation_id AND (:state = '' OR state = :state)
   AND device_id > :after
 ORDER BY device_id LIMIT :limit;

-- name: assignment_unfinished
-- in:   rotation_id int, limit int
-- out:  @assignment
SELECT @assignment FROM assignment
 WHERE rotation_id = :rotation_id AND state NOT IN ('confirmed', 'excepted')
 ORDER BY state_since, device_id LIMIT :limit;

-- name: mail_put
-- in:   @mailbox
-- out:  rows changed: 1, or 0 when it is there
INSERT INTO mailbox (@mailbox) VALUES (:@mailbox)
    ON CONFLICT (device_id, id) DO NOTHING;

-- name: mail_list
-- in:   device_id text, limit int
-- out:  @mailbox
SELECT @mailbox FROM mailbox WHERE device_id = :device_id
 ORDER BY created_at, id LIMIT :limit;

-- name: mail_told
-- in:   device_id text, at int
-- out:  rows changed: those told now for the first time
UPDATE mailbox SET told_at = :at WHERE device_id = :device_id AND told_at = 0;

-- name: mail_take
-- in:   device_id text, id text
-- out:  rows changed: 1, or 0 when it is not there
DELETE FROM mailbox WHERE device_id = :device_id AND id = :id;

-- name: outbox_put
-- in:   key text, rotation_id int, action text, body text, due_at int,
--       created_at int
-- out:  rows changed: 1, or 0 when this key was queued before
INSERT INTO outbox (@outbox)
SELECT coalesce(max(id), 0) + 1, :key, :rotation_id, :action, :body, 'queued',
       0, :due_at, '', :created_at
  FROM outbox WHERE true
    ON CONFLICT (key) DO NOTHING;

-- name: outbox_due
-- in:   now int, limit int
-- out:  @outbox
SELECT @outbox FROM outbox WHERE state = 'queued' AND due_at <= :now
 ORDER BY due_at, id LIMIT :limit;

-- name: outbox_by_key
-- in:   key text
-- out:  @outbox
SELECT @outbox FROM outbox WHERE key = :key;

-- name: outbox_end
-- in:   id int, state text, result text
-- out:  rows changed: 1, or 0 when it ended before
UPDATE outbox SET state = :state, result = :result, tries = tries + 1
 WHERE id = :id AND state = 'queued';

-- name: outbox_again
-- in:   id int, due_at int, result text
-- out:  rows changed: 1
UPDATE outbox SET due_at = :due_at, result = :result, tries = tries + 1
 WHERE id = :id AND state = 'queued';

-- name: outbox_of_rotation
-- in:   rotation_id int, state text, limit int
-- out:  @outbox
SELECT @outbox FROM outbox WHERE rotation_id = :rotation_id AND state = :state
 ORDER BY id LIMIT :limit;

-- name: tally_add
-- in:   rotation_id int, wave int, what text, shard int, n int
-- out:  rows changed: 1
INSERT INTO tally (@tally) VALUES (:@tally)
    ON CONFLICT (rotation_id, wave, what, shard)
    DO UPDATE SET n = tally.n + excluded.n;

-- name: tally_list
-- in:   rotation_id int
-- out:  rotation_id int, wave int, what text, n int
SELECT rotation_id, wave, what, CAST(sum(n) AS BIGINT) AS n FROM tally
 WHERE rotation_id = :rotation_id
 GROUP BY rotation_id, wave, what ORDER BY wave, what;
