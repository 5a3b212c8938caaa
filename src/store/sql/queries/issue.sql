-- SPDX-License-Identifier: Apache-2.0

-- When anything was issued here last: the clock must not be behind it. Asked
-- once, when the signer starts.
-- name: issue_last
-- out:  at int
SELECT COALESCE(MAX(issued_at), 0) AS at FROM credential
 WHERE source <> 'import';
