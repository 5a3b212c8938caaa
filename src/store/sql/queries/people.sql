-- SPDX-License-Identifier: Apache-2.0

-- name: token_add
-- in:   name text, role text, hash text, created_at int, expires_at int,
--       created_by text
-- out:  id int
INSERT INTO token (@token)
SELECT coalesce(max(id), 0) + 1, :name, :role, :hash, :created_at, :expires_at, 0,
       :created_by
  FROM token
RETURNING id;

-- name: token_by_hash
-- in:   hash text
-- out:  @token
SELECT @token FROM token WHERE hash = :hash;

-- name: token_by_name
-- in:   name text
-- out:  @token
SELECT @token FROM token WHERE name = :name;

-- name: token_revoke
-- in:   name text, at int
-- out:  rows changed: 1, or 0 when it is none or was revoked
UPDATE token SET revoked_at = :at WHERE name = :name AND revoked_at = 0;

-- name: approval_add
-- in:   action text, object text, digest text, requested_by text,
--       requested_at int, expires_at int, rotation_id int
-- out:  id int
INSERT INTO approval (@approval)
SELECT coalesce(max(id), 0) + 1, :action, :object, :digest, :requested_by,
       :requested_at, :expires_at, '', 0, 0, :rotation_id, 0
  FROM approval
RETURNING id;

-- name: approval_get
-- in:   id int
-- out:  @approval
SELECT @approval FROM approval WHERE id = :id;

-- name: approval_open
-- in:   action text, digest text, now int
-- out:  @approval (newest that is not used, not withdrawn and not expired)
SELECT @approval FROM approval
 WHERE action = :action AND digest = :digest AND used_at = 0
   AND withdrawn_at = 0
   AND expires_at > :now
 ORDER BY requested_at DESC LIMIT 1;

-- name: approval_give
-- in:   id int, given_by text, now int
-- out:  rows changed: 1, or 0 when it was given or withdrawn, has expired or is
--       one's own
UPDATE approval SET given_by = :given_by, given_at = :now
 WHERE id = :id AND given_at = 0 AND withdrawn_at = 0 AND expires_at > :now
   AND requested_by <> :given_by;

-- name: approval_use
-- in:   id int, digest text, now int
-- out:  rows changed: 1, or 0 when it was not given, has expired, was used or
--       withdrawn, or is about something else
UPDATE approval SET used_at = :now
 WHERE id = :id AND digest = :digest AND given_at > 0 AND used_at = 0
   AND withdrawn_at = 0 AND expires_at > :now;

-- name: approval_withdraw
-- in:   rotation_id int, id int, now int
-- out:  rows changed; used, withdrawn and expired ones stay as they are
UPDATE approval SET withdrawn_at = :now
 WHERE (rotation_id = :rotation_id OR id = :id) AND used_at = 0
   AND withdrawn_at = 0 AND expires_at > :now;
