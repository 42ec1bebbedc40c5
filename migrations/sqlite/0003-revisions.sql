-- Revisions: random, and another one after each change, whoever makes it; so that what is kept in memory, or by a
-- client under an ETag, is known to be current. Never a counter: a restored database must not repeat one.

-- Of an account's lists and values; empty until the first change.
ALTER TABLE accounts ADD COLUMN revision BLOB NOT NULL DEFAULT x'';
UPDATE accounts SET revision = randomblob(16);

-- Of all API keys together: one row.
CREATE TABLE api_keys_revision (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  revision BLOB NOT NULL
) STRICT;
INSERT INTO api_keys_revision VALUES (1, randomblob(16));

CREATE TRIGGER revision_after_list_insert AFTER INSERT ON secret_lists
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = NEW.account_id; END;
CREATE TRIGGER revision_after_list_update AFTER UPDATE ON secret_lists
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = NEW.account_id; END;
CREATE TRIGGER revision_after_list_delete AFTER DELETE ON secret_lists
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = OLD.account_id; END;

CREATE TRIGGER revision_after_value_insert AFTER INSERT ON secret_values
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = NEW.account_id; END;
-- A value that is sealed again under another data key says what it said.
CREATE TRIGGER revision_after_value_update AFTER UPDATE OF version ON secret_values
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = NEW.account_id; END;
CREATE TRIGGER revision_after_value_delete AFTER DELETE ON secret_values
BEGIN UPDATE accounts SET revision = randomblob(16) WHERE id = OLD.account_id; END;

CREATE TRIGGER revision_after_api_key_insert AFTER INSERT ON api_keys
BEGIN UPDATE api_keys_revision SET revision = randomblob(16); END;
CREATE TRIGGER revision_after_api_key_update AFTER UPDATE ON api_keys
BEGIN UPDATE api_keys_revision SET revision = randomblob(16); END;
CREATE TRIGGER revision_after_api_key_delete AFTER DELETE ON api_keys
BEGIN UPDATE api_keys_revision SET revision = randomblob(16); END;
