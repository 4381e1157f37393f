-- GET /v1/rooms/{id}: no row where there is no such room or it is archived.  Locks nothing.
DROP PROCEDURE IF EXISTS room_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE room_get(p_id BINARY(16))
  READS SQL DATA
  SELECT id, name, available_amount, required_points FROM room WHERE id = p_id AND archived = 0$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE room_get TO 'loyalty_rooms'@'__HOST__';
