-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about people and what they did.

-- name: api_approvals
-- in:   all int, now int, after int, limit int
-- out:  id int, action text, object text, digest text, requested_by text,
--       requested_at int, expires_at int, given_by text, given_at int,
--       used_at int, withdrawn_at int
SELECT id, action, object, digest, requested_by, requested_at, expires_at,
       given_by, given_at, used_at, withdrawn_at
  FROM approval
 WHERE (:after = 0 OR id < :after)
   AND (:all > 0
    OR (used_at = 0 AND withdrawn_at = 0 AND expires_at > :now))
 ORDER BY id DESC
 LIMIT :limit;

-- name: api_approval
-- in:   id int
-- out:  id int, action text, object text, digest text, requested_by text,
--       requested_at int, expires_at int, given_by text, given_at int,
--       used_at int, withdrawn_at int
SELECT id, action, object, digest, requested_by, requested_at, expires_at,
       given_by, given_at, used_at, withdrawn_at
  FROM approval
 WHERE id = :id;

-- name: api_tokens
-- in:   after text, limit int
-- out:  name text, role text, created_at int, expires_at int,
--       revoked_at int
SELECT name, role, created_at, expires_at, revoked_at
  FROM token
 WHERE name > :after
 ORDER BY name
 LIMIT :limit;

-- name: api_token
-- in:   name text
-- out:  name text, role text, created_at int, expires_at int,
--       revoked_at int
SELECT name, role, created_at, expires_at, revoked_at
  FROM token
 WHERE name = :name;

-- name: api_audit
-- in:   stream text, after_stream text, after_seq int, limit int
-- out:  stream text, seq int, at int, actor text, action text, object text,
--       detail_json text, hash text
SELECT stream, seq, at, actor, action, object, detail AS detail_json, hash
  FROM audit
 WHERE (:stream = '' OR stream = :stream)
   AND (stream > :after_stream
        OR (stream = :after_stream AND seq > :after_seq))
 ORDER BY stream, seq
 LIMIT :limit;

-- name: api_checkpoints
-- in:   after int, limit int
-- out:  id int, at int, line text
SELECT id, at, line
  FROM audit_checkpoint
 WHERE id > :after
 ORDER BY id
 LIMIT :limit;

-- name: api_checkpoints_last
-- in:   limit int
-- out:  line text
SELECT line FROM audit_checkpoint ORDER BY id DESC LIMIT :limit;
