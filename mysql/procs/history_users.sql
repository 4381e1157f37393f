-- GET /v1/admin/history/users: a page (history_page in frame.sql), of one user or of all (p_user NULL).  Locks nothing.
DROP PROCEDURE IF EXISTS history_users;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_users(
  p_user BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  -- @history_from user_history
  IF p_user IS NULL THEN
    SELECT h.id, h.user_id, h.from_name, h.from_role, h.to_name, h.to_role, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.user_history h FORCE INDEX (user_history_time)
      WHERE
        -- @history_page
  ELSE
    SELECT h.id, h.user_id, h.from_name, h.from_role, h.to_name, h.to_role, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.user_history h FORCE INDEX (user_history_user)
      WHERE h.user_id = p_user AND
        -- @history_page
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_users TO 'loyalty_admin'@'__HOST__';
