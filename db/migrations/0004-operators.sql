-- SPDX-License-Identifier: BSD-2-Clause
-- What operators need: audit as a chain, idempotency records, events, how full pools are, tokens, jobs, samples, tags.

ALTER TABLE pool ADD COLUMN low_percent INTEGER NOT NULL DEFAULT 85 CHECK (low_percent BETWEEN 0 AND 100);

-- A tenure is the event of its begin (id); its end has a number of its own (the generation given out with it).
ALTER TABLE history ADD COLUMN moved_from INTEGER; -- the tenure it continues
ALTER TABLE history ADD COLUMN end_id INTEGER;
ALTER TABLE history ADD COLUMN ending INTEGER; -- wall clock of the end's decision
UPDATE history SET end_id = l.generation,
	ending = coalesce((SELECT wall_s FROM broker_state), history.started)
FROM lease l WHERE l.id = history.id AND l.state = 2;
CREATE UNIQUE INDEX history_end ON history (end_id) WHERE end_id IS NOT NULL;

-- All other events, in the same number space.
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	wall_s INTEGER NOT NULL,
	type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 31 AND type NOT GLOB '*[^a-z.-]*'),
	object_id INTEGER NOT NULL CHECK (object_id >= 0),
	object TEXT NOT NULL CHECK (length(object) < 128),
	detail TEXT NOT NULL CHECK (length(detail) < 1024)
) STRICT;
CREATE INDEX event_wall ON event (wall_s);
-- Of the events up to this id some are deleted.
ALTER TABLE broker_state ADD COLUMN events_pruned INTEGER NOT NULL DEFAULT 0 CHECK (events_pruned >= 0);

ALTER TABLE audit ADD COLUMN peer TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash BLOB CHECK (hash IS NULL OR length(hash) = 32); -- NULL: older than the chain

-- Answers that are given again. lease: whose end by its TEP takes the record along. since: steady time.
CREATE TABLE idempotency (
	id INTEGER PRIMARY KEY,
	scope TEXT NOT NULL CHECK (length(scope) BETWEEN 1 AND 63),
	key BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
	request BLOB NOT NULL CHECK (length(request) = 32),
	status INTEGER NOT NULL CHECK (status BETWEEN 100 AND 599),
	body BLOB NOT NULL CHECK (length(body) <= 4096),
	lease INTEGER,
	since INTEGER NOT NULL,
	UNIQUE (scope, key)
) STRICT;
CREATE INDEX idempotency_lease ON idempotency (lease) WHERE lease IS NOT NULL;

-- Counters of each pool, kept by the code with every change and compared with the leases by --check-db. `aside` counts
-- the places that are taken and could not be lent to everybody (withheld or damaged).
CREATE TABLE pool_use (
	pool INTEGER PRIMARY KEY REFERENCES pool (id) ON DELETE CASCADE,
	total INTEGER NOT NULL,
	reserved INTEGER NOT NULL,
	excluded INTEGER NOT NULL,
	active INTEGER NOT NULL,
	ending INTEGER NOT NULL,
	quarantined INTEGER NOT NULL,
	aside INTEGER NOT NULL,
	level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2) -- ok, low, full
) STRICT;
CREATE TABLE pool_sample (
	pool INTEGER NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
	wall_s INTEGER NOT NULL,
	active INTEGER NOT NULL,
	ending INTEGER NOT NULL,
	quarantined INTEGER NOT NULL,
	available INTEGER NOT NULL,
	PRIMARY KEY (pool, wall_s)
) STRICT, WITHOUT ROWID;

ALTER TABLE reservation ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0);
DROP TRIGGER reservation_fixed;
CREATE TRIGGER reservation_fixed BEFORE UPDATE OF id, pool, addr, psid ON reservation
BEGIN
	SELECT RAISE(ABORT, 'a reservation stays where it is');
END;

-- What people keep with a tenure, as long as its history lasts.
CREATE TABLE lease_tag (
	lease INTEGER PRIMARY KEY,
	json TEXT NOT NULL CHECK (length(json) BETWEEN 1 AND 1023)
) STRICT;

CREATE TABLE token (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	hint TEXT NOT NULL CHECK (length(hint) < 16),
	name TEXT NOT NULL UNIQUE
		CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^A-Za-z0-9._@-]*'),
	scopes INTEGER NOT NULL,
	prefixes TEXT NOT NULL CHECK (length(prefixes) < 512),
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL, -- 0: never
	last_use INTEGER NOT NULL -- 0: never
) STRICT;

CREATE TABLE job (
	name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^A-Za-z0-9._@-]*'),
	runs INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	ok INTEGER NOT NULL, -- 0: never
	last INTEGER NOT NULL -- run; it may have been deleted
) STRICT, WITHOUT ROWID;
CREATE TABLE job_run (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	job TEXT NOT NULL REFERENCES job (name) DEFERRABLE INITIALLY DEFERRED,
	started INTEGER NOT NULL,
	ended INTEGER NOT NULL, -- 0: it runs, or a crash cut it short
	result INTEGER NOT NULL,
	count INTEGER NOT NULL,
	detail TEXT NOT NULL CHECK (length(detail) < 1024)
) STRICT;
CREATE INDEX job_run_job ON job_run (job, id);
CREATE INDEX job_run_started ON job_run (started);
