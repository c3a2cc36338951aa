-- SPDX-License-Identifier: BSD-2-Clause
-- The number of the last commit, which is also kept beside the database (PATH.commits): a file that knows of fewer has lost some.
ALTER TABLE broker_state ADD COLUMN commits INTEGER NOT NULL DEFAULT 0 CHECK (commits >= 0);
