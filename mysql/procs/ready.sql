-- Would a write work?  The only way to know is to make one: the caller's row is written, so keep the answer for a second or so.
-- A row with the schema's version, as of schema_version.  Locks: the row of the calling account, for as long as a commit takes.
-- Where the disk is full, MariaDB refuses it; MySQL with a binary log lets it wait, so call it with a deadline.
DROP PROCEDURE IF EXISTS ready;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE ready()
  MODIFIES SQL DATA
BEGIN
  UPDATE service_ready SET looked_at = UTC_TIMESTAMP(6)
    WHERE service = SUBSTRING(SUBSTRING_INDEX(USER(), '@', 1), CHAR_LENGTH('loyalty_') + 1);
  SELECT version FROM schema_info WHERE id = 1;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE ready TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE ready TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE ready TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE ready TO 'loyalty_notifier'@'__HOST__';
