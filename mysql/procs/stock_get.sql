-- GET /v1/admin/rooms/{id}: no row where there is no such room.  Locks nothing.
DROP PROCEDURE IF EXISTS stock_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE stock_get(p_id BINARY(16))
  READS SQL DATA
  SELECT id, name, available_amount, required_points, total_amount, archived FROM room WHERE id = p_id$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE stock_get TO 'loyalty_admin'@'__HOST__';
