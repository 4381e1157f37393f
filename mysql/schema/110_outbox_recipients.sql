-- Who has a mail already: the mail server may take it for some recipients and not for others, and only those others
-- are tried again.  One column, since it is NULL in nearly every row: no second table to write, join and prune.
-- A column can't be added "if not exists" on both servers, so a procedure looks first.
DROP PROCEDURE IF EXISTS migrate_110;
DELIMITER $$
CREATE PROCEDURE migrate_110()
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty' AND table_name = 'outbox' AND column_name = 'recipients') THEN
    ALTER TABLE outbox ADD COLUMN recipients VARCHAR(6000) CHARACTER SET ascii COLLATE ascii_bin NULL
      COMMENT 'of a PENDING mail: +address who got it, -address who was refused for good, separated by blanks';
  END IF;
END$$
DELIMITER ;
CALL migrate_110();
DROP PROCEDURE migrate_110;
