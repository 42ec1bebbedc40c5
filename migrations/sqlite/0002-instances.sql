-- Machines that boot from a seed. A deleted instance keeps its row without its template: its tombstone is still served.

CREATE TABLE instances (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  instance_id TEXT NOT NULL,
  hostname TEXT NOT NULL,
  token_hash BLOB NOT NULL UNIQUE,
  sealed_template BLOB,
  data_key_version INTEGER NOT NULL,
  expires_in_seconds INTEGER,
  source_cidr TEXT,
  created_at TEXT NOT NULL,
  first_fetched_at TEXT,
  last_fetched_at TEXT,
  closed_at TEXT,
  closed_reason TEXT CHECK (closed_reason IN ('phone-home', 'deleted')),
  -- What the machine said of itself when it phoned home, as JSON.
  phone_home TEXT,
  FOREIGN KEY (account_id, data_key_version) REFERENCES data_keys (account_id, version)
) STRICT;
CREATE INDEX instances_by_account ON instances (account_id);
CREATE UNIQUE INDEX instances_by_name ON instances (account_id, instance_id) WHERE sealed_template IS NOT NULL;

-- Which value in which version a machine was given. Values are named, not referenced: the ledger outlives them.
CREATE TABLE instance_secrets (
  instance INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  value_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  secret_key TEXT NOT NULL,
  first_delivered_at TEXT NOT NULL,
  last_delivered_at TEXT NOT NULL,
  last_address TEXT NOT NULL,
  PRIMARY KEY (instance, value_id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX instance_secrets_by_value ON instance_secrets (value_id);
