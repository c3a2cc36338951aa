-- SPDX-License-Identifier: BSD-2-Clause
-- The first schema of the lease store. What must never happen is refused here, whatever the code does:
-- two holders of one (address, port set), overlapping ranges, a pool whose port-set shape changes, a lease
-- outside its pool. Times are integers the caller gives; no date function is used.

CREATE TABLE broker_state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	seq INTEGER NOT NULL CHECK (seq >= 0), -- last lease id or generation given out
	boot_id TEXT,
	boot_ms INTEGER,
	steady_s INTEGER,
	wall_s INTEGER
) STRICT;
INSERT INTO broker_state (id, seq) VALUES (1, 0);

CREATE TABLE tep (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	version INTEGER NOT NULL CHECK (version > 0),
	name TEXT NOT NULL UNIQUE
		CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^A-Za-z0-9._@-]*'),
	plugin TEXT NOT NULL CHECK (length(plugin) BETWEEN 1 AND 63),
	options TEXT NOT NULL CHECK (length(options) < 1024),
	ipv4 INTEGER CHECK (ipv4 BETWEEN 0 AND 4294967295),
	ipv6 BLOB NOT NULL CHECK (length(ipv6) = 16),
	draining INTEGER NOT NULL CHECK (draining IN (0, 1))
) STRICT;

CREATE TABLE pool (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	version INTEGER NOT NULL CHECK (version > 0),
	name TEXT NOT NULL UNIQUE
		CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^A-Za-z0-9._@-]*'),
	tep INTEGER NOT NULL REFERENCES tep (id),
	ps_offset INTEGER NOT NULL CHECK (ps_offset BETWEEN 0 AND 15),
	ps_len INTEGER NOT NULL CHECK (ps_len BETWEEN 0 AND 16),
	keep_system_ports INTEGER NOT NULL CHECK (keep_system_ports IN (0, 1)),
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), -- active, draining, disabled
	lifetime INTEGER NOT NULL,
	lifetime_min INTEGER NOT NULL CHECK (lifetime_min > 0),
	lifetime_max INTEGER NOT NULL CHECK (lifetime_max BETWEEN lifetime_min AND 4294967295),
	quarantine INTEGER NOT NULL CHECK (quarantine BETWEEN 0 AND 4294967295),
	max_leases INTEGER NOT NULL CHECK (max_leases BETWEEN 0 AND 4294967295),
	retention INTEGER NOT NULL CHECK (retention BETWEEN 0 AND 4294967295),
	place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 4294967295), -- pools are tried by (place, id)
	CHECK (lifetime BETWEEN lifetime_min AND lifetime_max),
	CHECK (ps_offset + ps_len <= 16 AND (ps_len > 0 OR ps_offset = 0)),
	UNIQUE (id, ps_len) -- for pool_range
) STRICT;
CREATE INDEX pool_tep ON pool (tep);
CREATE TRIGGER pool_shape BEFORE UPDATE OF id, ps_offset, ps_len ON pool
WHEN NEW.id <> OLD.id OR NEW.ps_offset <> OLD.ps_offset OR NEW.ps_len <> OLD.ps_len
BEGIN
	SELECT RAISE(ABORT, 'the port-set shape of a pool is fixed');
END;

-- Retention of pools that are gone, for the history they left.
CREATE TABLE retired_pool (
	id INTEGER PRIMARY KEY,
	retention INTEGER NOT NULL CHECK (retention BETWEEN 0 AND 4294967295)
) STRICT;

CREATE TABLE pool_range (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	pool INTEGER NOT NULL,
	ps_len INTEGER NOT NULL, -- the pool's, for the rows of lease
	lo INTEGER NOT NULL CHECK (lo BETWEEN 0 AND 4294967295),
	hi INTEGER NOT NULL CHECK (hi BETWEEN lo AND 4294967295),
	UNIQUE (lo, hi, pool, ps_len),
	FOREIGN KEY (pool, ps_len) REFERENCES pool (id, ps_len)
) STRICT;
CREATE INDEX pool_range_pool ON pool_range (pool, ps_len);
-- Ranges never overlap, so the one with the greatest lo <= NEW.hi is the only one that can reach into the new one.
CREATE TRIGGER pool_range_overlap BEFORE INSERT ON pool_range
WHEN NEW.lo <= (SELECT hi FROM pool_range WHERE lo <= NEW.hi ORDER BY lo DESC LIMIT 1)
BEGIN
	SELECT RAISE(ABORT, 'the range overlaps another one');
END;
CREATE TRIGGER pool_range_fixed BEFORE UPDATE ON pool_range
BEGIN
	SELECT RAISE(ABORT, 'ranges are added and deleted, not changed');
END;

CREATE TABLE exclusion (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	pool INTEGER NOT NULL REFERENCES pool (id),
	lo INTEGER NOT NULL CHECK (lo BETWEEN 0 AND 4294967295),
	hi INTEGER NOT NULL CHECK (hi BETWEEN lo AND 4294967295)
) STRICT;
CREATE INDEX exclusion_lo ON exclusion (pool, lo, hi);
CREATE TRIGGER exclusion_overlap BEFORE INSERT ON exclusion
WHEN NEW.lo <= (SELECT hi FROM exclusion WHERE pool = NEW.pool AND lo <= NEW.hi ORDER BY lo DESC LIMIT 1)
BEGIN
	SELECT RAISE(ABORT, 'the exclusion overlaps another one');
END;
CREATE TRIGGER exclusion_fixed BEFORE UPDATE ON exclusion
BEGIN
	SELECT RAISE(ABORT, 'exclusions are added and deleted, not changed');
END;

-- Slots of a range that were never leased: from `next` to `last`. slot = (addr - lo) * sets per address + psid.
CREATE TABLE unused (
	pool_range INTEGER NOT NULL REFERENCES pool_range (id) ON DELETE CASCADE,
	last INTEGER NOT NULL,
	next INTEGER NOT NULL CHECK (next BETWEEN 0 AND last),
	PRIMARY KEY (pool_range, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	pool INTEGER NOT NULL REFERENCES pool (id),
	addr INTEGER NOT NULL CHECK (addr BETWEEN 0 AND 4294967295),
	psid INTEGER NOT NULL CHECK (psid BETWEEN 0 AND 65535),
	principal TEXT NOT NULL CHECK (length(principal) BETWEEN 1 AND 127),
	UNIQUE (addr, psid)
) STRICT;
CREATE INDEX reservation_principal ON reservation (principal, id);
CREATE INDEX reservation_pool ON reservation (pool);
CREATE TRIGGER reservation_place BEFORE INSERT ON reservation
WHEN NOT EXISTS (
	SELECT 1 FROM pool_range r JOIN pool p ON p.id = r.pool
	WHERE r.lo = (SELECT max(lo) FROM pool_range WHERE lo <= NEW.addr)
		AND r.hi >= NEW.addr AND r.pool = NEW.pool AND NEW.psid < (1 << p.ps_len)
)
BEGIN
	SELECT RAISE(ABORT, 'the reservation is outside its pool');
END;
CREATE TRIGGER reservation_fixed BEFORE UPDATE ON reservation
BEGIN
	SELECT RAISE(ABORT, 'reservations are added and deleted, not changed');
END;

-- One row per (address, port set) ever leased, never one per free address. The key is the uniqueness of leases.
-- Every row names its range and stays within it, and the range names its pool and the number of sets per address, so no
-- row can be outside its pool or of another shape; by keys and checks alone, because a trigger on this table
-- costs more than everything else a grant does. The row keeps who had it last.
CREATE TABLE lease (
	addr INTEGER NOT NULL CHECK (addr BETWEEN 0 AND 4294967295),
	psid INTEGER NOT NULL CHECK (psid BETWEEN 0 AND 65535),
	id INTEGER NOT NULL CHECK (id > 0),
	generation INTEGER NOT NULL CHECK (generation >= id),
	pool INTEGER NOT NULL,
	ps_len INTEGER NOT NULL,
	range_lo INTEGER NOT NULL,
	range_hi INTEGER NOT NULL,
	tep INTEGER REFERENCES tep (id) ON DELETE SET NULL,
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3), -- free, active, ending, quarantined
	live INTEGER NOT NULL CHECK (live = (state = 1)), -- of its own, so that later states leave lease_holder alone
	withheld INTEGER NOT NULL CHECK (withheld IN (0, 1)), -- excluded or reserved: not for everybody
	reason INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 6),
	access INTEGER NOT NULL CHECK (access BETWEEN 1 AND 4),
	due INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	granted INTEGER NOT NULL,
	lifetime INTEGER NOT NULL CHECK (lifetime BETWEEN 0 AND 4294967295),
	client6 BLOB NOT NULL CHECK (length(client6) = 16),
	principal TEXT NOT NULL CHECK (length(principal) BETWEEN 1 AND 127),
	PRIMARY KEY (addr, psid),
	FOREIGN KEY (range_lo, range_hi, pool, ps_len) REFERENCES pool_range (lo, hi, pool, ps_len),
	CHECK (addr BETWEEN range_lo AND range_hi AND psid < 1 << ps_len),
	CHECK (state NOT IN (1, 2) OR tep IS NOT NULL),
	CHECK ((state = 1) = (reason = 0))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX lease_id ON lease (id);
CREATE INDEX lease_expiry ON lease (due) WHERE state = 1;
CREATE INDEX lease_quarantine ON lease (due) WHERE state = 3;
CREATE INDEX lease_free ON lease (pool, due) WHERE state = 0 AND withheld = 0;
CREATE INDEX lease_holder ON lease (principal, live, client6, id, pool);
CREATE TRIGGER lease_fixed BEFORE UPDATE OF addr, psid, pool, ps_len, range_lo, range_hi ON lease
BEGIN
	SELECT RAISE(ABORT, 'a lease stays where it is');
END;
-- A range goes only without leases and reservations in it, a pool without ranges (foreign key).
CREATE TRIGGER pool_range_used BEFORE DELETE ON pool_range
WHEN EXISTS (SELECT 1 FROM lease WHERE addr BETWEEN OLD.lo AND OLD.hi)
BEGIN
	SELECT RAISE(ABORT, 'the range has leases');
END;
CREATE TRIGGER pool_range_reserved BEFORE DELETE ON pool_range
WHEN EXISTS (SELECT 1 FROM reservation WHERE addr BETWEEN OLD.lo AND OLD.hi)
BEGIN
	SELECT RAISE(ABORT, 'the range has reservations');
END;

-- Every tenure: id is the lease's. It outlives pool and TEP, so it names them without reference and keeps the shape.
CREATE TABLE history (
	id INTEGER PRIMARY KEY,
	pool INTEGER NOT NULL,
	tep INTEGER NOT NULL,
	addr INTEGER NOT NULL CHECK (addr BETWEEN 0 AND 4294967295),
	psid INTEGER NOT NULL CHECK (psid BETWEEN 0 AND 65535),
	ps_offset INTEGER NOT NULL CHECK (ps_offset BETWEEN 0 AND 15),
	ps_len INTEGER NOT NULL CHECK (ps_len BETWEEN 0 AND 16 AND ps_offset + ps_len <= 16),
	access INTEGER NOT NULL CHECK (access BETWEEN 1 AND 4),
	reason INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 6),
	started INTEGER NOT NULL, -- wall clock
	ended INTEGER,		  -- NULL: forwarding may still go on
	client6 BLOB NOT NULL CHECK (length(client6) = 16),
	principal TEXT NOT NULL CHECK (length(principal) BETWEEN 1 AND 127),
	CHECK (ended IS NULL OR reason > 0)
) STRICT;
CREATE INDEX history_who ON history (addr, ps_len, ps_offset, psid, started);
CREATE INDEX history_ended ON history (pool, ended) WHERE ended IS NOT NULL;

-- What a TEP must still be told, or has not confirmed yet: the newest thing per lease.
CREATE TABLE outbox (
	lease INTEGER PRIMARY KEY,
	generation INTEGER NOT NULL CHECK (generation >= lease),
	what INTEGER NOT NULL CHECK (what IN (0, 2)) -- apply, remove
) STRICT;

CREATE TABLE account (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	version INTEGER NOT NULL CHECK (version > 0),
	name TEXT NOT NULL UNIQUE
		CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^A-Za-z0-9._@-]*'),
	disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
	max_leases INTEGER NOT NULL CHECK (max_leases BETWEEN 0 AND 4294967295),
	pool INTEGER REFERENCES pool (id) -- NULL: any
) STRICT;
CREATE INDEX account_pool ON account (pool) WHERE pool IS NOT NULL;

CREATE TABLE credential (
	account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
	kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 23),
	verifier TEXT NOT NULL CHECK (length(verifier) BETWEEN 1 AND 255),
	PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	wall_s INTEGER NOT NULL,
	actor TEXT NOT NULL,
	verb TEXT NOT NULL,
	object TEXT NOT NULL,
	detail TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_fixed_update BEFORE UPDATE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_fixed_delete BEFORE DELETE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log only grows');
END;
