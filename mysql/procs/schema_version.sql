-- The version that a program compares with its own before it works.  Locks nothing.
DROP PROCEDURE IF EXISTS schema_version;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE schema_version()
  READS SQL DATA
  SELECT version FROM schema_info WHERE id = 1$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE schema_version TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE schema_version TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE schema_version TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE schema_version TO 'loyalty_notifier'@'__HOST__';
GRANT EXECUTE ON PROCEDURE schema_version TO 'loyalty_prune'@'__HOST__';
