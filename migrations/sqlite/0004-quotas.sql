-- How much each account holds, kept by triggers, so that nothing is counted when something is created. Deletions that
-- cascade fire them too. A deleted instance keeps its row as a tombstone, and counts no more.

ALTER TABLE accounts ADD COLUMN list_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN value_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN instance_count INTEGER NOT NULL DEFAULT 0;

UPDATE accounts SET
  list_count = (SELECT count(*) FROM secret_lists WHERE account_id = accounts.id),
  value_count = (SELECT count(*) FROM secret_values WHERE account_id = accounts.id),
  instance_count = (SELECT count(*) FROM instances WHERE account_id = accounts.id AND sealed_template IS NOT NULL);

CREATE TRIGGER secret_lists_count_up AFTER INSERT ON secret_lists
BEGIN
  UPDATE accounts SET list_count = list_count + 1 WHERE id = NEW.account_id;
END;
CREATE TRIGGER secret_lists_count_down AFTER DELETE ON secret_lists
BEGIN
  UPDATE accounts SET list_count = list_count - 1 WHERE id = OLD.account_id;
END;

CREATE TRIGGER secret_values_count_up AFTER INSERT ON secret_values
BEGIN
  UPDATE accounts SET value_count = value_count + 1 WHERE id = NEW.account_id;
END;
CREATE TRIGGER secret_values_count_down AFTER DELETE ON secret_values
BEGIN
  UPDATE accounts SET value_count = value_count - 1 WHERE id = OLD.account_id;
END;

CREATE TRIGGER instances_count_up AFTER INSERT ON instances WHEN NEW.sealed_template IS NOT NULL
BEGIN
  UPDATE accounts SET instance_count = instance_count + 1 WHERE id = NEW.account_id;
END;
CREATE TRIGGER instances_count_down AFTER DELETE ON instances WHEN OLD.sealed_template IS NOT NULL
BEGIN
  UPDATE accounts SET instance_count = instance_count - 1 WHERE id = OLD.account_id;
END;
CREATE TRIGGER instances_count_forgotten AFTER UPDATE OF sealed_template ON instances
  WHEN OLD.sealed_template IS NOT NULL AND NEW.sealed_template IS NULL
BEGIN
  UPDATE accounts SET instance_count = instance_count - 1 WHERE id = OLD.account_id;
END;
