-- GET /v1/users/{id}/points: no row where there is no such user.  Locks nothing.
DROP PROCEDURE IF EXISTS points_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE points_get(p_user BINARY(16))
  READS SQL DATA
  SELECT id, name, role, bonus_points FROM user WHERE id = p_user$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE points_get TO 'loyalty_points'@'__HOST__';
