-- GET /v1/reservations: newest first, before the id p_before (sixteen 0xff bytes for the first page);
-- p_user and p_status may be NULL.  Locks nothing.  The page of ids comes from one index, then its rows
-- are joined, so the cost does not grow with the table.  (One user's with one status walks that user's.)
DROP PROCEDURE IF EXISTS reservation_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_list(
  p_user BINARY(16), p_status VARCHAR(16), p_before BINARY(16), p_limit INT)
  READS SQL DATA
IF p_user IS NOT NULL AND p_status IS NOT NULL THEN
  SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role,
      DATE_FORMAT(v.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v.updated_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM (SELECT * FROM reservation FORCE INDEX (reservation_user)
        WHERE user_id = p_user AND status = p_status AND id < p_before ORDER BY id DESC LIMIT p_limit) v
      JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id
    ORDER BY v.id DESC;
ELSEIF p_user IS NOT NULL THEN
  SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role,
      DATE_FORMAT(v.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v.updated_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM (SELECT * FROM reservation FORCE INDEX (reservation_user)
        WHERE user_id = p_user AND id < p_before ORDER BY id DESC LIMIT p_limit) v
      JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id
    ORDER BY v.id DESC;
ELSEIF p_status IS NOT NULL THEN
  SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role,
      DATE_FORMAT(v.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v.updated_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM (SELECT * FROM reservation FORCE INDEX (reservation_status)
        WHERE status = p_status AND id < p_before ORDER BY id DESC LIMIT p_limit) v
      JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id
    ORDER BY v.id DESC;
ELSE
  SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role,
      DATE_FORMAT(v.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v.updated_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM (SELECT * FROM reservation WHERE id < p_before ORDER BY id DESC LIMIT p_limit) v
      JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id
    ORDER BY v.id DESC;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_list TO 'loyalty_rooms'@'__HOST__';
