-- GET /v1/admin/rooms: all rooms, archived ones too, by id, after p_after ('' for the first page).  Locks nothing.
DROP PROCEDURE IF EXISTS stock_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE stock_list(p_after VARBINARY(16), p_limit INT)
  READS SQL DATA
  SELECT id, name, available_amount, required_points, total_amount, archived FROM room
    WHERE id > p_after ORDER BY id LIMIT p_limit$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE stock_list TO 'loyalty_admin'@'__HOST__';
