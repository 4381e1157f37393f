-- GET /v1/reservations/{id}: no row where there is none.  Locks nothing.
DROP PROCEDURE IF EXISTS reservation_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_get(p_id BINARY(16))
  READS SQL DATA
  SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role,
      DATE_FORMAT(v.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v.updated_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM reservation v JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id
    WHERE v.id = p_id$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_get TO 'loyalty_rooms'@'__HOST__';
