-- A process adds how many transactions it has begun again since it last said so.
-- Refused (45000) where the service is not the caller's, or the number is negative.  Locks: that row.
DROP PROCEDURE IF EXISTS metrics_retry;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE metrics_retry(p_service VARCHAR(20), p_retries BIGINT)
  MODIFIES SQL DATA
BEGIN
  IF NOT COALESCE(p_service = CONCAT('cgi-', SUBSTRING(SUBSTRING_INDEX(USER(), '@', 1), CHAR_LENGTH('loyalty_') + 1)) AND p_retries >= 0, 0) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'metrics: not the caller''s service, or a negative number';
  END IF;
  INSERT INTO metric_retry (service, retries) VALUES (p_service, p_retries)
    ON DUPLICATE KEY UPDATE retries = retries + p_retries;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_retry TO 'loyalty_admin'@'__HOST__';
