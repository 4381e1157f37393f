-- GET /v1/admin/history/rooms: a page (history_page in frame.sql), of one room or of all (p_room NULL).  Locks nothing.
DROP PROCEDURE IF EXISTS history_rooms;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_rooms(
  p_room BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  -- @history_from room_history
  IF p_room IS NULL THEN
    SELECT h.id, h.room_id, h.reservation_id,
        h.from_name, h.from_total, h.from_available, h.from_points, h.from_archived,
        h.to_name, h.to_total, h.to_available, h.to_points, h.to_archived,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.room_history h FORCE INDEX (room_history_time)
      WHERE
        -- @history_page
  ELSE
    SELECT h.id, h.room_id, h.reservation_id,
        h.from_name, h.from_total, h.from_available, h.from_points, h.from_archived,
        h.to_name, h.to_total, h.to_available, h.to_points, h.to_archived,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.room_history h FORCE INDEX (room_history_room)
      WHERE h.room_id = p_room AND
        -- @history_page
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_rooms TO 'loyalty_admin'@'__HOST__';
