-- A process adds how many log lines it has dropped since it last said so.  Whose they are, the account tells; what is
-- not more than 0 changes nothing.  Locks: that row.
DROP PROCEDURE IF EXISTS metrics_log;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE metrics_log(p_dropped BIGINT)
  MODIFIES SQL DATA
  INSERT INTO metric_log (service, dropped)
    SELECT IF(account = 'loyalty_notifier', 'notifier', REPLACE(account, 'loyalty_', 'cgi-')), p_dropped
      FROM (SELECT SUBSTRING_INDEX(USER(), '@', 1) AS account) AS caller WHERE p_dropped > 0
    ON DUPLICATE KEY UPDATE dropped = dropped + p_dropped$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE metrics_log TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_log TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_log TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_log TO 'loyalty_notifier'@'__HOST__';
