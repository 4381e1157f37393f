-- When a guest was erased (procs/user_erase.sql).  A column of the row that every call on an account reads and locks anyway.
-- A column can't be added "if not exists" on both servers, so a procedure looks first.
DROP PROCEDURE IF EXISTS migrate_191;
DELIMITER $$
CREATE PROCEDURE migrate_191()
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty' AND table_name = 'user' AND column_name = 'erased_at') THEN
    ALTER TABLE user ADD COLUMN erased_at DATETIME(6) NULL COMMENT 'UTC; the account is closed and nameless since then; NULL: it is not';
  END IF;
END$$
DELIMITER ;
CALL migrate_191();
DROP PROCEDURE migrate_191;
