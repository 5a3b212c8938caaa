-- SPDX-License-Identifier: Apache-2.0
-- Grants, recovery files, configuration values and their locks.

-- name: grant_add
-- in:   @enrol_grant
-- out:  rows changed: 1
INSERT INTO enrol_grant (@enrol_grant) VALUES (:@enrol_grant);

-- name: grant_get
-- in:   id text
-- out:  @enrol_grant
SELECT @enrol_grant FROM enrol_grant WHERE id = :id;

-- name: grant_use
-- in:   id text, key_digest text, at int
-- out:  rows changed: 1, or 0 when another key used it first
UPDATE enrol_grant SET key_digest = :key_digest, used_at = :at
 WHERE id = :id AND key_digest IN ('', :key_digest);

-- name: grant_revoke
-- in:   device_id text, now int
-- out:  rows changed: how many were open
UPDATE enrol_grant SET expires_at = :now
 WHERE device_id = :device_id AND used_at = 0 AND expires_at > :now;

-- name: recovery_set
-- in:   @recovery_file
-- out:  rows changed: 1
INSERT INTO recovery_file (@recovery_file) VALUES (:@recovery_file)
    ON CONFLICT (device_id) DO UPDATE SET @=recovery_file;

-- name: recovery_get
-- in:   device_id text
-- out:  @recovery_file
SELECT @recovery_file FROM recovery_file WHERE device_id = :device_id;

-- name: recovery_signed
-- in:   device_id text, grant_id text, line text, failed text
-- out:  rows changed: 1, or 0 when another took its place
UPDATE recovery_file SET line = :line, failed = :failed
 WHERE device_id = :device_id AND grant_id = :grant_id AND line = '';

-- name: config_set
-- in:   @config_value
-- out:  rows changed: 1
INSERT INTO config_value (@config_value) VALUES (:@config_value)
    ON CONFLICT (device_id, name) DO UPDATE SET @=config_value;

-- name: config_get
-- in:   device_id text, name text
-- out:  @config_value
SELECT @config_value FROM config_value
 WHERE device_id = :device_id AND name = :name;

-- name: config_list
-- in:   device_id text, limit int
-- out:  @config_value
SELECT @config_value FROM config_value WHERE device_id = :device_id
 ORDER BY name LIMIT :limit;

-- name: config_remove
-- in:   device_id text, name text
-- out:  rows changed: 1, or 0 when there was none
DELETE FROM config_value WHERE device_id = :device_id AND name = :name;

-- name: config_applied
-- in:   device_id text, name text, version int, at int, failed text
-- out:  rows changed: 1, or 0 when that is known, or it is another version
UPDATE config_value
   SET applied_version = CASE WHEN :failed = '' THEN :version
                              ELSE applied_version END,
       applied_at = :at, failed = :failed
 WHERE device_id = :device_id AND name = :name AND version = :version
   AND NOT (failed = :failed AND (:failed <> '' OR applied_version = :version));

-- name: config_reseal
-- in:   device_id text, name text, version int, sealed bytes, certificate text
-- out:  rows changed: 1, or 0 when it has another version now
UPDATE config_value SET sealed = :sealed, certificate = :certificate
 WHERE device_id = :device_id AND name = :name AND version = :version;

-- name: config_lock_set
-- in:   @config_lock
-- out:  rows changed: 1
INSERT INTO config_lock (@config_lock) VALUES (:@config_lock)
    ON CONFLICT (device_id) DO UPDATE SET @=config_lock;

-- name: config_lock_get
-- in:   device_id text
-- out:  @config_lock
SELECT @config_lock FROM config_lock WHERE device_id = :device_id;

-- name: config_lock_end
-- in:   device_id text
-- out:  rows changed: 1, or 0 when there was none
DELETE FROM config_lock WHERE device_id = :device_id;
