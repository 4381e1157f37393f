-- GET /v1/admin/history/reservations: a page (history_page in frame.sql), of one reservation or of all (p_reservation NULL).  Locks nothing.
DROP PROCEDURE IF EXISTS history_reservations;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_reservations(
  p_reservation BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  -- @history_from reservation_history
  IF p_reservation IS NULL THEN
    SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.reservation_history h FORCE INDEX (reservation_history_time)
      WHERE
        -- @history_page
  ELSE
    SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation)
      WHERE h.reservation_id = p_reservation AND
        -- @history_page
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_reservations TO 'loyalty_admin'@'__HOST__';
