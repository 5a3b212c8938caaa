-- SPDX-License-Identifier: Apache-2.0

-- name: authority_add
-- in:   @authority (id 0: the next free one)
-- out:  id int
INSERT INTO authority (@authority)
SELECT CASE WHEN :id > 0 THEN :id ELSE coalesce(max(id), 0) + 1 END,
       :name, :state, :is_root, :use_server, :use_device, :parent_id, :root_id,
       :subject, :fingerprint, :key_digest, :der, :key_wrapped, :cross_der,
       :cross_by, :not_before, :not_after, :last_issue_at, :imported, :created_at
  FROM authority
RETURNING id;

-- name: authority_get
-- in:   id int
-- out:  @authority
SELECT @authority FROM authority WHERE id = :id;

-- name: authority_by_name
-- in:   name text
-- out:  @authority
SELECT @authority FROM authority WHERE name = :name;

-- name: authority_by_fingerprint
-- in:   fingerprint text
-- out:  @authority
SELECT @authority FROM authority WHERE fingerprint = :fingerprint;

-- name: authority_list
-- in:   after int, limit int
-- out:  @authority
SELECT @authority FROM authority WHERE id > :after ORDER BY id LIMIT :limit;

-- name: authority_by_key
-- in:   key_digest text, limit int
-- out:  @authority
SELECT @authority FROM authority WHERE key_digest = :key_digest
 ORDER BY id LIMIT :limit;

-- name: authority_state_set
-- in:   id int, was text, state text
-- out:  rows changed: 1, or 0 when it is in another state
UPDATE authority SET state = :state WHERE id = :id AND state = :was;

-- name: authority_key_set
-- in:   id int, key_wrapped bytes?
-- out:  rows changed: 1
UPDATE authority SET key_wrapped = :key_wrapped WHERE id = :id;

-- name: authority_cross_set
-- in:   id int, cross_der bytes?, cross_by int
-- out:  rows changed: 1
UPDATE authority SET cross_der = :cross_der, cross_by = :cross_by WHERE id = :id;

-- name: authority_use_set
-- in:   id int, use_server int, use_device int
-- out:  rows changed: 1
UPDATE authority SET use_server = :use_server, use_device = :use_device
 WHERE id = :id;

-- name: profile_set
-- in:   @profile (id 0: the next free one)
-- out:  id int
INSERT INTO profile (@profile)
SELECT CASE WHEN :id > 0 THEN :id ELSE coalesce(max(id), 0) + 1 END,
       :name, :issuer_id, :validity_s, :jitter_s, :backdate_s, :renew_before_s,
       :use_server, :use_client, :digest, :approved_at
  FROM profile WHERE true
    ON CONFLICT (name) DO UPDATE
       SET issuer_id = excluded.issuer_id, validity_s = excluded.validity_s,
           jitter_s = excluded.jitter_s, backdate_s = excluded.backdate_s,
           renew_before_s = excluded.renew_before_s,
           use_server = excluded.use_server, use_client = excluded.use_client,
           digest = excluded.digest, approved_at = excluded.approved_at
RETURNING id;

-- name: profile_by_name
-- in:   name text
-- out:  @profile
SELECT @profile FROM profile WHERE name = :name;

-- name: profile_list
-- in:   after int, limit int
-- out:  @profile
SELECT @profile FROM profile WHERE id > :after ORDER BY id LIMIT :limit;
