-- GET /v1/rooms: rooms that are not archived, by id, after p_after ('' for the first page).
-- Locks nothing; reads p_limit rows from where the page begins, and the archived ones between them, which are few.
-- The indexes are forced: left alone, the optimizer takes the flag alone and walks to the page from the beginning.
DROP PROCEDURE IF EXISTS room_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE room_list(
  p_available TINYINT, p_after VARBINARY(16), p_limit INT)
  READS SQL DATA
IF p_available THEN
  SELECT id, name, available_amount, required_points FROM room FORCE INDEX (room_reservable)
    WHERE reservable = 1 AND id > p_after ORDER BY id LIMIT p_limit;
ELSE
  SELECT id, name, available_amount, required_points FROM room FORCE INDEX (PRIMARY)
    WHERE archived = 0 AND id > p_after ORDER BY id LIMIT p_limit;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE room_list TO 'loyalty_rooms'@'__HOST__';
