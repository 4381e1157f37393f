-- GET /v1/admin/history/reservations: newest first, behind the row p_before (0 for the first page), of one reservation or of
-- all (p_reservation NULL), p_since <= changed_at < p_until.  Locks nothing.  Each branch reads one index from where the page
-- begins, so its cost is that of the page, however long the history is.
DROP PROCEDURE IF EXISTS history_reservations;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_reservations(
  p_reservation BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT p_until;
  IF p_before > 0 THEN
    SELECT changed_at INTO v_at FROM loyalty_history.reservation_history WHERE id = p_before;
  END IF;
  IF p_reservation IS NULL THEN
    SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.reservation_history h FORCE INDEX (reservation_history_time)
      WHERE h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  ELSE
    SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation)
      WHERE h.reservation_id = p_reservation AND h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_reservations TO 'loyalty_admin'@'__HOST__';
