-- GET /v1/admin/metrics, four results: requests by service, method, route and status with their buckets; retries by
-- service; dropped log lines by service; and one row of what is now: reservations that wait for approval, mails queued, age of the oldest of them in
-- seconds, dead mails, rooms sold out.  Locks nothing.  The last counts index entries only.
DROP PROCEDURE IF EXISTS metrics_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE metrics_get()
  READS SQL DATA
BEGIN
  SELECT service, method, route, status, time_us, le_1, le_2, le_3, le_4, le_5, le_6, le_7, le_8, le_9, le_10, le_11, le_12, le_inf
    FROM metric_request ORDER BY service, method, route, status;
  -- 0 where nothing was counted yet: so that the first one is an increase.
  SELECT service, SUM(retries) FROM (SELECT service, retries FROM metric_retry UNION ALL SELECT 'cgi-admin', 0 UNION ALL SELECT 'cgi-points', 0
      UNION ALL SELECT 'cgi-rooms', 0) AS counted
    GROUP BY service ORDER BY service;
  SELECT service, SUM(dropped) FROM (SELECT service, dropped FROM metric_log UNION ALL SELECT 'cgi-admin', 0 UNION ALL SELECT 'cgi-points', 0
      UNION ALL SELECT 'cgi-rooms', 0 UNION ALL SELECT 'notifier', 0) AS counted
    GROUP BY service ORDER BY service;
  SELECT (SELECT COUNT(*) FROM reservation WHERE status = 'PENDING_APPROVAL'),
    (SELECT COUNT(*) FROM outbox WHERE status = 'PENDING'),
    COALESCE((SELECT GREATEST(0, TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP(6))) FROM outbox FORCE INDEX (outbox_status)
      WHERE status = 'PENDING' ORDER BY id LIMIT 1), 0),
    (SELECT COUNT(*) FROM outbox WHERE status = 'DEAD'),
    (SELECT COUNT(*) FROM room WHERE reservable = 0 AND archived = 0);
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE metrics_get TO 'loyalty_admin'@'__HOST__';
