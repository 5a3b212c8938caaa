-- SPDX-License-Identifier: Apache-2.0
-- Who made a token: its word is no second person's for what its maker asks.
-- '' for those of init.
ALTER TABLE token ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
