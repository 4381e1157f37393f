-- What a room was called at a time; where its history begins later (a clock was set back), the first name.  Reads one row.
DROP FUNCTION IF EXISTS room_name_at;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION room_name_at(p_room BINARY(16), p_at DATETIME(6))
  RETURNS VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin
  READS SQL DATA
  RETURN COALESCE(
    (SELECT to_name FROM loyalty_history.room_history FORCE INDEX (room_history_room)
      WHERE room_id = p_room AND changed_at <= p_at ORDER BY changed_at DESC, id DESC LIMIT 1),
    (SELECT to_name FROM loyalty_history.room_history FORCE INDEX (room_history_room)
      WHERE room_id = p_room ORDER BY changed_at, id LIMIT 1))$$
DELIMITER ;
