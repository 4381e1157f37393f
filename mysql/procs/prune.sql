-- prune_aged with the ages that it has by default, for a mysql/prune of before these were settings.
DROP PROCEDURE IF EXISTS prune;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE prune(p_batch INT)
  MODIFIES SQL DATA
CALL prune_aged(p_batch, 46, 30, 90)$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE prune TO 'loyalty_prune'@'__HOST__';
