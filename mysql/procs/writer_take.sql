-- Where the writer is from_host, to_host it is from now on; and which it is then and for how many ms, a row.  '' for from_host: where none
-- is agreed as yet.
-- Locks: nothing, where it changes nothing; else the one row of writer.  All programs see it within a second and go there.
DROP PROCEDURE IF EXISTS writer_take;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE writer_take(from_host VARCHAR(255), to_host VARCHAR(255))
  MODIFIES SQL DATA
BEGIN
  IF from_host <> to_host AND EXISTS (SELECT 1 FROM writer WHERE id = 1 AND host = from_host) THEN
    UPDATE writer SET host = to_host, since = UTC_TIMESTAMP(6) WHERE id = 1 AND host = from_host;
  END IF;
  SELECT host, TIMESTAMPDIFF(MICROSECOND, since, UTC_TIMESTAMP(6)) DIV 1000 FROM writer WHERE id = 1;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE writer_take TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE writer_take TO 'loyalty_points'@'__HOST__';
GRANT EXECUTE ON PROCEDURE writer_take TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE writer_take TO 'loyalty_notifier'@'__HOST__';
GRANT EXECUTE ON PROCEDURE writer_take TO 'loyalty_prune'@'__HOST__';
