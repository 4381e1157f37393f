-- GET /v1/admin/history/points: a page (history_page in frame.sql), of one user or of all (p_user NULL).  Locks nothing.
DROP PROCEDURE IF EXISTS history_points;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_points(
  p_user BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  -- @history_from points_history
  IF p_user IS NULL THEN
    SELECT h.id, h.user_id, h.from_points, h.to_points, h.delta, h.reason, h.reservation_id,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.points_history h FORCE INDEX (points_history_time)
      WHERE
        -- @history_page
  ELSE
    SELECT h.id, h.user_id, h.from_points, h.to_points, h.delta, h.reason, h.reservation_id,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.points_history h FORCE INDEX (points_history_user)
      WHERE h.user_id = p_user AND
        -- @history_page
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_points TO 'loyalty_admin'@'__HOST__';
