-- A process adds what it has answered since it last said so: one route and status, the sum of the times and the
-- number of answers in each bucket.  Refused (45000) where the service is not the caller's, or a number is negative.  Locks: that row.
DROP PROCEDURE IF EXISTS metrics_add;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE metrics_add(
  p_service VARCHAR(20), p_method VARCHAR(10), p_route VARCHAR(100), p_status SMALLINT, p_time_us BIGINT,
  p_le_1 BIGINT, p_le_2 BIGINT, p_le_3 BIGINT, p_le_4 BIGINT, p_le_5 BIGINT, p_le_6 BIGINT, p_le_7 BIGINT,
  p_le_8 BIGINT, p_le_9 BIGINT, p_le_10 BIGINT, p_le_11 BIGINT, p_le_12 BIGINT, p_le_inf BIGINT)
  MODIFIES SQL DATA
BEGIN
  IF NOT COALESCE(p_service = CONCAT('cgi-', SUBSTRING(SUBSTRING_INDEX(USER(), '@', 1), CHAR_LENGTH('loyalty_') + 1))
      AND LEAST(p_time_us, p_le_1, p_le_2, p_le_3, p_le_4, p_le_5, p_le_6, p_le_7, p_le_8, p_le_9, p_le_10, p_le_11, p_le_12, p_le_inf) >= 0, 0) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'metrics: not the caller''s service, or a negative number';
  END IF;
  INSERT INTO metric_request (service, method, route, status, time_us, le_1, le_2, le_3, le_4, le_5, le_6, le_7, le_8, le_9, le_10, le_11, le_12, le_inf)
    VALUES (p_service, p_method, p_route, p_status, p_time_us, p_le_1, p_le_2, p_le_3, p_le_4, p_le_5, p_le_6,
      p_le_7, p_le_8, p_le_9, p_le_10, p_le_11, p_le_12, p_le_inf)
    ON DUPLICATE KEY UPDATE time_us = time_us + p_time_us, le_1 = le_1 + p_le_1, le_2 = le_2 + p_le_2, le_3 = le_3 + p_le_3,
      le_4 = le_4 + p_le_4, le_5 = le_5 + p_le_5, le_6 = le_6 + p_le_6, le_7 = le_7 + p_le_7,
      le_8 = le_8 + p_le_8, le_9 = le_9 + p_le_9, le_10 = le_10 + p_le_10, le_11 = le_11 + p_le_11,
      le_12 = le_12 + p_le_12, le_inf = le_inf + p_le_inf;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE metrics_add TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_add TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE metrics_add TO 'loyalty_admin'@'__HOST__';
