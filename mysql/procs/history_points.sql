-- GET /v1/admin/history/points: newest first, behind the row p_before (0 for the first page), of one user or of
-- all (p_user NULL), p_since <= changed_at < p_until.  Locks nothing.  Each branch reads one index from where the page
-- begins, so its cost is that of the page, however long the history is.
DROP PROCEDURE IF EXISTS history_points;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_points(
  p_user BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT p_until;
  IF p_before > 0 THEN
    SELECT changed_at INTO v_at FROM loyalty_history.points_history WHERE id = p_before;
  END IF;
  IF p_user IS NULL THEN
    SELECT h.id, h.user_id, h.from_points, h.to_points, h.delta, h.reason, h.reservation_id,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.points_history h FORCE INDEX (points_history_time)
      WHERE h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  ELSE
    SELECT h.id, h.user_id, h.from_points, h.to_points, h.delta, h.reason, h.reservation_id,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.points_history h FORCE INDEX (points_history_user)
      WHERE h.user_id = p_user AND h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_points TO 'loyalty_admin'@'__HOST__';
