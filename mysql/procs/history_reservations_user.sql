-- GET /v1/admin/history/reservations?user_id=: as history_reservations, of all reservations of p_user.  These are read from the index
-- of the user's reservations, and the history of each from its own: the cost is that of the user's history, whatever the others' is.
DROP PROCEDURE IF EXISTS history_reservations_user;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE history_reservations_user(
  p_user BINARY(16), p_since DATETIME(6), p_until DATETIME(6), p_before BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  -- @history_from reservation_history
  SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
      h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM reservation v FORCE INDEX (reservation_user)
      STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation) ON h.reservation_id = v.id
    WHERE v.user_id = p_user AND
        -- @history_page
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE history_reservations_user TO 'loyalty_admin'@'__HOST__';
