-- GET /v1/admin/history/rooms: newest first, behind the row p_before (0 for the first page), of one room or of
-- all (p_room NULL), p_since <= changed_at < p_until.  Locks nothing.  Each branch reads one index from where the page
-- begins, so its cost is that of the page, however long the history is.
DROP PROCEDURE IF EXISTS history_rooms;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_rooms(
  p_room BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT p_until;
  IF p_before > 0 THEN
    SELECT changed_at INTO v_at FROM loyalty_history.room_history WHERE id = p_before;
  END IF;
  IF p_room IS NULL THEN
    SELECT h.id, h.room_id, h.reservation_id,
        h.from_name, h.from_total, h.from_available, h.from_points, h.from_archived,
        h.to_name, h.to_total, h.to_available, h.to_points, h.to_archived,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.room_history h FORCE INDEX (room_history_time)
      WHERE h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  ELSE
    SELECT h.id, h.room_id, h.reservation_id,
        h.from_name, h.from_total, h.from_available, h.from_points, h.from_archived,
        h.to_name, h.to_total, h.to_available, h.to_points, h.to_archived,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.room_history h FORCE INDEX (room_history_room)
      WHERE h.room_id = p_room AND h.changed_at >= p_since AND h.changed_at < p_until
        AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_rooms TO 'loyalty_admin'@'__HOST__';
