-- SPDX-License-Identifier: Apache-2.0
-- An approval that nothing waits for any more: its rotation (0: of none)
-- ended before the word was used.
ALTER TABLE approval ADD COLUMN rotation_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE approval ADD COLUMN withdrawn_at BIGINT NOT NULL DEFAULT 0;
