-- Is this server, by its @@server_uuid, the primary of its MySQL group, and does it reach a majority of it?  A name and a value, a row.  One that was
-- cut off calls itself primary until group_replication_unreachable_majority_timeout; one that is in no group, as after a crash, lists nobody who is ONLINE.
-- For LOYALTY_DB_HOSTS (lib/db_hosts.h), which calls it on MySQL alone: MariaDB has no such table.
-- Locks: nothing.
DROP PROCEDURE IF EXISTS group_primary;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE group_primary(server VARCHAR(64))
  READS SQL DATA
BEGIN
  SELECT 'group_primary', IF(SUM(member_state IN ('ONLINE', 'RECOVERING')) * 2 > COUNT(*) AND SUM(member_role = 'PRIMARY') = 1
    AND SUM(member_id = server AND member_state = 'ONLINE' AND member_role = 'PRIMARY') = 1, 'ON', 'OFF')
    FROM performance_schema.replication_group_members;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE group_primary TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE group_primary TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE group_primary TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE group_primary TO 'loyalty_notifier'@'__HOST__';
GRANT EXECUTE ON PROCEDURE group_primary TO 'loyalty_prune'@'__HOST__';
