-- Keys that change: how often each was used, which root keys the server has, and what is still under an old one.

-- Every wrap so far was one of the two system keys, or the first data key of an account.
ALTER TABLE root_keys ADD COLUMN wraps INTEGER NOT NULL DEFAULT 0;
UPDATE root_keys SET wraps = 2 + (
  SELECT count(*) FROM audit_events WHERE action = 'account.create' AND outcome = 'success'
);
-- 1 when the server that runs, or ran last, has the key: nothing is wrapped by one that it hasn't.
ALTER TABLE root_keys ADD COLUMN at_hand INTEGER NOT NULL DEFAULT 0;
UPDATE root_keys SET at_hand = 1;
CREATE INDEX data_keys_by_root_key ON data_keys (root_key_fingerprint);

-- Every seal so far has its audit event.
ALTER TABLE data_keys ADD COLUMN seals INTEGER NOT NULL DEFAULT 0;
UPDATE data_keys SET seals = (
  SELECT count(*) FROM audit_events
  WHERE account_id = data_keys.account_id AND outcome = 'success'
    AND action IN ('value.create', 'value.update', 'instance.create')
);
CREATE INDEX secret_values_by_data_key ON secret_values (account_id, data_key_version);
CREATE INDEX instances_by_data_key ON instances (account_id, data_key_version);
