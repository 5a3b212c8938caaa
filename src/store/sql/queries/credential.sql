-- SPDX-License-Identifier: Apache-2.0
-- `state || ''` and `not_after + 0` keep SQLite from an index over the whole
-- fleet where the one of the owner, the hold or the authority is far shorter.

-- name: credential_add
-- in:   @credential (generation 0: the owner's next)
-- out:  generation int
INSERT INTO credential (@credential)
SELECT :owner_kind, :owner, :fingerprint,
       CASE WHEN :generation > 0 THEN :generation
            ELSE coalesce(max(generation), 0) + 1 END,
       :state, :serial, :issuer, :authority_id, :root, :subject, :key_digest,
       :not_before, :not_after, :issued_at, :confirmed_at, :seen_at, :sessions,
       :superseded_at, :hold_until, :denied_at, :revoked_at, :revoke_reason,
       :pinned, :source
  FROM credential WHERE owner = :owner AND owner_kind = :owner_kind
RETURNING generation;

-- name: certificate_add
-- in:   owner text, fingerprint text, der bytes, chain_pem text
-- out:  rows changed: 1
INSERT INTO certificate_der (owner, fingerprint, der, chain_pem)
VALUES (:owner, :fingerprint, :der, :chain_pem);

-- name: certificate_get
-- in:   owner text, fingerprint text
-- out:  der bytes, chain_pem text
SELECT der, chain_pem FROM certificate_der
 WHERE owner = :owner AND fingerprint = :fingerprint;

-- name: credential_by_fingerprint
-- in:   fingerprint text
-- out:  @credential
SELECT @credential FROM credential WHERE fingerprint = :fingerprint;

-- name: credential_by_serial
-- in:   issuer text, serial text
-- out:  @credential
SELECT @credential FROM credential WHERE issuer = :issuer AND serial = :serial;

-- name: credential_newest_by_key
-- in:   owner_kind text, owner text, key_digest text
-- out:  @credential
SELECT @credential FROM credential
 WHERE owner = :owner AND key_digest = :key_digest AND owner_kind = :owner_kind
 ORDER BY issued_at DESC, generation DESC LIMIT 1;

-- name: credential_current
-- in:   owner_kind text, owner text
-- out:  @credential
SELECT @credential FROM credential
 WHERE owner = :owner AND owner_kind = :owner_kind AND state || '' = 'active'
 ORDER BY generation DESC LIMIT 1;

-- name: credential_of_owner
-- in:   owner_kind text, owner text, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE owner = :owner AND owner_kind = :owner_kind
 ORDER BY generation DESC LIMIT :limit;

-- name: credential_of_authority
-- in:   authority_id int, state text, after text, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE authority_id = :authority_id AND state = :state AND fingerprint > :after
 ORDER BY fingerprint LIMIT :limit;

-- name: credential_confirm
-- in:   fingerprint text, at int
-- out:  owner_kind text, not_after int (no row: it was not 'issued')
UPDATE credential SET state = 'active', confirmed_at = :at
 WHERE fingerprint = :fingerprint AND state = 'issued'
RETURNING owner_kind, not_after;

-- name: credential_supersede
-- in:   fingerprint text, at int, hold_until int
-- out:  owner_kind text, not_after int (no row: it was not 'active')
UPDATE credential
   SET state = 'superseded', superseded_at = :at, hold_until = :hold_until
 WHERE fingerprint = :fingerprint AND state = 'active'
RETURNING owner_kind, not_after;

-- name: credential_reinstate
-- in:   fingerprint text
-- out:  owner_kind text, not_after int (no row: it was not 'superseded')
UPDATE credential
   SET state = 'active', superseded_at = 0, hold_until = 0, denied_at = 0
 WHERE fingerprint = :fingerprint AND state = 'superseded'
RETURNING owner_kind, not_after;

-- name: credential_older_active
-- in:   owner_kind text, owner text, fingerprint text, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE owner = :owner AND owner_kind = :owner_kind AND state || '' = 'active'
   AND fingerprint <> :fingerprint
 ORDER BY generation LIMIT :limit;

-- name: credential_revoke
-- in:   fingerprint text, was text, at int, reason int
-- out:  owner_kind text, not_after int (no row: it is in another state)
UPDATE credential
   SET state = 'revoked', revoked_at = :at, revoke_reason = :reason
 WHERE fingerprint = :fingerprint AND state = :was
RETURNING owner_kind, not_after;

-- name: credential_expire
-- in:   fingerprint text, was text
-- out:  owner_kind text, not_after int (no row: it is in another state)
UPDATE credential SET state = 'expired'
 WHERE fingerprint = :fingerprint AND state = :was
RETURNING owner_kind, not_after;

-- name: credential_ended
-- in:   now int, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE state IN ('issued', 'active', 'superseded') AND not_after < :now
 ORDER BY not_after LIMIT :limit;

-- name: credential_hold_ended
-- in:   now int, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE hold_until > 0 AND denied_at = 0 AND hold_until <= :now
   AND state || '' = 'superseded'
 ORDER BY hold_until LIMIT :limit;

-- name: credential_denied
-- in:   fingerprint text, at int
-- out:  rows changed: 1
UPDATE credential SET denied_at = :at WHERE fingerprint = :fingerprint;

-- name: credential_seen
-- in:   fingerprint text, at int
-- out:  rows changed: 1, or 0 when that is no news
UPDATE credential SET seen_at = :at, sessions = sessions + 1
 WHERE fingerprint = :fingerprint AND (sessions < 10 OR seen_at < :at - 3600);

-- name: credential_old_seen_at
-- in:   owner_kind text, owner text, fingerprint text
-- out:  at int (of any other certificate of this owner)
SELECT coalesce(max(seen_at), 0) AS at FROM credential
 WHERE owner = :owner AND owner_kind = :owner_kind
   AND fingerprint <> :fingerprint;

-- name: credential_live_by_root
-- in:   root text, now int
-- out:  owner_kind text, n int
SELECT owner_kind, count(*) AS n FROM credential
 WHERE root = :root AND state IN ('issued', 'active', 'superseded')
   AND not_after > :now AND denied_at = 0
 GROUP BY owner_kind ORDER BY owner_kind;

-- name: credential_live_of_root
-- in:   root text, now int, after text, limit int
-- out:  @credential
SELECT @credential FROM credential
 WHERE root = :root AND state IN ('issued', 'active', 'superseded')
   AND not_after > :now AND denied_at = 0 AND fingerprint > :after
 ORDER BY fingerprint LIMIT :limit;

-- name: credential_revoked_list
-- in:   authority_id int, after text, now int, limit int
-- out:  serial text, revoked_at int, revoke_reason int, fingerprint text
SELECT serial, revoked_at, revoke_reason, fingerprint FROM credential
 WHERE authority_id = :authority_id AND state = 'revoked' AND not_after + 0 > :now
   AND fingerprint > :after
 ORDER BY fingerprint LIMIT :limit;

-- name: key_use_claim
-- in:   key_digest text, owner_kind text, owner text
-- out:  rows changed: 1, or 0 when someone has it
INSERT INTO key_use (key_digest, owner_kind, owner)
VALUES (:key_digest, :owner_kind, :owner)
    ON CONFLICT (key_digest) DO NOTHING;

-- name: key_use_get
-- in:   key_digest text
-- out:  owner_kind text, owner text
SELECT owner_kind, owner FROM key_use WHERE key_digest = :key_digest;

-- name: key_of_infrastructure
-- in:   key_digest text
-- out:  ours int (1: an authority's, or of what an edge shows)
SELECT CASE WHEN EXISTS (SELECT 1 FROM authority a
                          WHERE a.key_digest = :key_digest)
              OR EXISTS (SELECT 1 FROM gateway_credential c
                          WHERE c.key_digest = :key_digest)
            THEN 1 ELSE 0 END AS ours;

-- name: credential_by_prefix
-- in:   least text, beyond text, limit int
-- out:  fingerprint text
SELECT fingerprint FROM credential
 WHERE fingerprint >= :least AND fingerprint < :beyond
 ORDER BY fingerprint LIMIT :limit;

-- name: secret_set
-- in:   @enrol_secret
-- out:  rows changed: 1
INSERT INTO enrol_secret (@enrol_secret) VALUES (:@enrol_secret)
    ON CONFLICT (owner_kind, owner) DO UPDATE SET @=enrol_secret;

-- name: secret_get
-- in:   owner_kind text, owner text
-- out:  @enrol_secret
SELECT @enrol_secret FROM enrol_secret
 WHERE owner_kind = :owner_kind AND owner = :owner;

-- name: secret_bind
-- in:   owner_kind text, owner text, key_digest text
-- out:  rows changed: 1, or 0 when another key had it first
UPDATE enrol_secret SET key_digest = :key_digest
 WHERE owner_kind = :owner_kind AND owner = :owner
   AND key_digest IN ('', :key_digest);

-- name: secret_used
-- in:   owner_kind text, owner text, at int
-- out:  rows changed: 1, or 0 when it was used before
UPDATE enrol_secret SET used_at = :at
 WHERE owner_kind = :owner_kind AND owner = :owner AND used_at = 0;

-- name: secret_forget
-- in:   owner_kind text, owner text
-- out:  rows changed: 1, or 0 when there was none
DELETE FROM enrol_secret WHERE owner_kind = :owner_kind AND owner = :owner;

-- name: expiry_day_add
-- in:   day int, owner_kind text, n int
-- out:  rows changed: 1
INSERT INTO expiry_day (day, owner_kind, n) VALUES (:day, :owner_kind, :n)
    ON CONFLICT (day, owner_kind) DO UPDATE SET n = expiry_day.n + excluded.n;

-- name: expiry_day_list
-- in:   first int, last int
-- out:  @expiry_day
SELECT @expiry_day FROM expiry_day
 WHERE day >= :first AND day <= :last AND n <> 0 ORDER BY day, owner_kind;
