-- Chains the audit trail: each event has a hash over the one before it, the last of each commit a MAC. Events from before
-- have neither; the first chained one covers them.
ALTER TABLE audit_events ADD COLUMN hash BLOB;
ALTER TABLE audit_events ADD COLUMN commit_mac BLOB;

-- Which event read a value, a list's values or all of an account's last: where to look in the trail.
CREATE TABLE last_reads (
  target_kind TEXT NOT NULL CHECK (target_kind IN ('value', 'list', 'account')),
  target_id INTEGER NOT NULL,
  event_id INTEGER NOT NULL,
  PRIMARY KEY (target_kind, target_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_events_of_pruning ON audit_events (id) WHERE action = 'audit.prune';

-- Holds a row only inside of the transaction that prunes.
CREATE TABLE audit_pruning (up_to INTEGER NOT NULL) STRICT;

CREATE TRIGGER audit_events_are_pruned_in_order BEFORE DELETE ON audit_events
WHEN OLD.id > ifnull((SELECT max(up_to) FROM audit_pruning), 0)
BEGIN
  SELECT RAISE(ABORT, 'audit events are deleted by pruning alone');
END;

-- Another purpose: without the list of them, which is the program's.
CREATE TABLE new_system_keys (
  purpose TEXT PRIMARY KEY,
  root_key_fingerprint TEXT NOT NULL REFERENCES root_keys (fingerprint),
  wrapped_key BLOB NOT NULL,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new_system_keys SELECT purpose, root_key_fingerprint, wrapped_key, created_at FROM system_keys;
DROP TABLE system_keys;
ALTER TABLE new_system_keys RENAME TO system_keys;
