-- Everything that belongs to an account goes with it; audit events stay, so they reference nothing.
-- Times are RFC 3339 text in UTC. AUTOINCREMENT: an id is never given twice.

CREATE TABLE root_keys (
  fingerprint TEXT PRIMARY KEY,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE system_keys (
  purpose TEXT PRIMARY KEY CHECK (purpose IN ('api-key-tokens', 'api-key-rows')),
  root_key_fingerprint TEXT NOT NULL REFERENCES root_keys (fingerprint),
  wrapped_key BLOB NOT NULL,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  -- The data key that new values are sealed with.
  data_key_version INTEGER NOT NULL,
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE data_keys (
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  root_key_fingerprint TEXT NOT NULL REFERENCES root_keys (fingerprint),
  wrapped_key BLOB NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (account_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  hint TEXT,
  rights TEXT NOT NULL CHECK (rights IN ('read', 'write')),
  token_hash BLOB NOT NULL UNIQUE,
  row_mac BLOB NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT,
  revoked_at TEXT
) STRICT;
CREATE INDEX api_keys_by_account ON api_keys (account_id);

CREATE TABLE secret_lists (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (account_id, name),
  UNIQUE (account_id, id)
) STRICT;

CREATE TABLE secret_values (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  secret_list_id INTEGER NOT NULL,
  secret_key TEXT NOT NULL,
  sealed_value BLOB NOT NULL,
  data_key_version INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (account_id, secret_key),
  FOREIGN KEY (account_id, secret_list_id) REFERENCES secret_lists (account_id, id) ON DELETE CASCADE,
  FOREIGN KEY (account_id, data_key_version) REFERENCES data_keys (account_id, version)
) STRICT;
CREATE INDEX secret_values_by_account ON secret_values (account_id);
CREATE INDEX secret_values_by_list ON secret_values (account_id, secret_list_id);

-- Append-only, in commit order: a later migration can chain the rows by hash without touching what is written.
CREATE TABLE audit_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  occurred_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  account_id INTEGER,
  api_key_id INTEGER,
  action TEXT NOT NULL,
  target_kind TEXT,
  target_id INTEGER,
  target_parent_id INTEGER,
  outcome TEXT NOT NULL CHECK (outcome IN ('success', 'refused')),
  reason TEXT,
  request_id TEXT,
  address TEXT,
  occurrences INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX audit_events_by_account ON audit_events (account_id);

CREATE TRIGGER audit_events_are_append_only BEFORE UPDATE ON audit_events
BEGIN
  SELECT RAISE(ABORT, 'audit events are never changed');
END;
