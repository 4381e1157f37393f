-- A process adds how many transactions it has begun again since it last said so.  Locks: that row.
DROP PROCEDURE IF EXISTS metrics_retry;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE metrics_retry(p_service VARCHAR(20), p_retries BIGINT)
  MODIFIES SQL DATA
  INSERT INTO metric_retry (service, retries) VALUES (p_service, p_retries)
    ON DUPLICATE KEY UPDATE retries = retries + p_retries$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_admin'@'__HOST__';
