-- GET /v1/admin/events: the changes of reservations' statuses, each once, in an order to which later commits only append.
--
-- p_id and p_check are those of the last row that was given, (0, NULL) at the beginning; p_since: not before this time, where p_id is 0.
-- Results: known (0: no row of this feed has p_id and p_check), and the check of (0); the rows.
--
-- 1. Settle: low moves up to what high was ten seconds ago.  Rows in between that have no place, which a dirty read sees whether they
--    are committed or not, are kept in feed_open by their ids, so they may take as long as they like.  A row that is not even inserted ten
--    seconds after a greater id was given would be missed; but between taking an id and inserting the row nothing waits,
--    and a new writer has as long to apply what the old one gave.
--    A feed that was not read for long (10,000 rows) first takes all that is older than a minute as settled.
-- 2. Place: every committed row that has no place gets one behind all others: those above high in the order of their ids;
--    those below, of which a greater id was given before, late.  These are looked for above low, and by their ids in feed_open, and after
--    the end of the new ones was taken: who is new and followed a late one does not come before it.  At once where that is
--    cheap, else every 0.3 s, whoever asks.
-- 3. Read, on one snapshot.
--
-- A database that is read-only (1290, 1792, 1836) gives what has its place: to place the rest takes a write, so it
-- comes when it can be written again.
--
-- Locks feed and nothing in the history, which is read as it was committed, also as the source of INSERT … SELECT.
DROP PROCEDURE IF EXISTS event_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE event_list(p_id BIGINT, p_check BINARY(8), p_since DATETIME(6), p_limit INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_mid_at, v_looked_at DATETIME(6);
  DECLARE v_epoch BINARY(16);
  DECLARE v_look, v_settle TINYINT;
  DECLARE v_top, v_low, v_mid, v_high, v_late, v_jump, v_old, v_gone, v_after, v_seq BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  SELECT COALESCE(MAX(id), 0) INTO v_top FROM loyalty_history.reservation_history;
  SELECT high, mid_at, looked_at,
      (v_top > high OR high > low OR EXISTS (SELECT 1 FROM feed_open))
        AND (high < low + 1000 OR v_now < looked_at OR v_now >= looked_at + INTERVAL 300000 MICROSECOND),
      high > low AND (v_now < mid_at OR v_now >= mid_at + INTERVAL 10 SECOND)
    INTO v_high, v_mid_at, v_looked_at, v_look, v_settle FROM feed WHERE id = 1;

  SELECT id INTO v_jump FROM loyalty_history.reservation_history WHERE id > v_high ORDER BY id LIMIT 10000, 1;
  IF v_jump IS NOT NULL THEN
    SELECT id INTO v_old FROM loyalty_history.reservation_history FORCE INDEX (reservation_history_time)
      WHERE changed_at < v_now - INTERVAL 1 MINUTE ORDER BY changed_at DESC, id DESC LIMIT 1;
  END IF;
  IF v_settle OR v_old > v_high THEN
  BEGIN
    DECLARE EXIT HANDLER FOR 1290, 1792, 1836 ROLLBACK;
    SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;
    START TRANSACTION;
    SET v_low = NULL;
    SELECT low, IF(v_old > high, high, mid), GREATEST(high, COALESCE(v_old, 0)) INTO v_low, v_mid, v_high
      FROM feed WHERE id = 1 AND mid_at = v_mid_at FOR UPDATE;
    IF v_low IS NOT NULL THEN
      INSERT INTO feed_open (id)
        SELECT h.id FROM loyalty_history.reservation_history h FORCE INDEX (PRIMARY) LEFT JOIN feed_seen s ON s.id = h.id
          WHERE h.id > v_low AND h.id <= v_mid AND s.id IS NULL;
      SELECT o.id INTO v_gone FROM feed_open o LEFT JOIN loyalty_history.reservation_history h ON h.id = o.id
        WHERE h.id IS NULL LIMIT 1;
      DELETE FROM feed_open WHERE id = v_gone;
      DELETE FROM feed_seen WHERE id <= v_mid;
      UPDATE feed SET low = IF(v_high > high, v_high, mid), mid = v_high, high = v_high, mid_at = v_now WHERE id = 1;
    END IF;
    COMMIT;
  END;
  END IF;

  IF v_look THEN
  BEGIN
    DECLARE EXIT HANDLER FOR 1290, 1792, 1836 ROLLBACK;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT low, high, late, looked_at = v_looked_at INTO v_low, v_high, v_late, v_look FROM feed WHERE id = 1 FOR UPDATE;
    IF v_look THEN
      SELECT COALESCE(MAX(id), 0) INTO v_top FROM loyalty_history.reservation_history;
      INSERT INTO feed_late (id, after_id, seq)
        SELECT n.id, v_high, v_late + ROW_NUMBER() OVER (ORDER BY n.id) FROM (
          SELECT h.id FROM loyalty_history.reservation_history h FORCE INDEX (PRIMARY) LEFT JOIN feed_seen s ON s.id = h.id
            WHERE h.id > v_low AND h.id <= v_high AND s.id IS NULL
          UNION ALL
          SELECT h.id FROM feed_open o STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (PRIMARY) ON h.id = o.id) n;
      SET v_late = v_late + ROW_COUNT();
      INSERT INTO feed_seen (id) SELECT l.id FROM feed f JOIN feed_late l FORCE INDEX (feed_late_place)
        ON l.after_id = v_high AND l.seq > f.late AND l.id > v_low;
      DELETE o FROM feed_open o JOIN feed_late l ON l.id = o.id;
      INSERT INTO feed_seen (id)
        SELECT id FROM loyalty_history.reservation_history WHERE id > v_high AND id <= v_top ORDER BY id LIMIT 10000;
      SELECT GREATEST(v_high, COALESCE(MAX(id), 0)) INTO v_high FROM feed_seen;
      UPDATE feed SET looked_at = IF(v_high < low + 1000, looked_at, v_now), high = v_high, late = v_late WHERE id = 1;
    END IF;
    COMMIT;
  END;
  END IF;

  SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
  SELECT low, high, epoch INTO v_low, v_high, v_epoch FROM feed WHERE id = 1;
  IF p_id > 0 THEN
    SELECT COALESCE(l.after_id, h.id), COALESCE(l.seq, 0) INTO v_after, v_seq
      FROM loyalty_history.reservation_history h LEFT JOIN feed_late l ON l.id = h.id
      WHERE h.id = p_id AND p_check = UNHEX(LEFT(SHA2(CONCAT(v_epoch, h.id, h.reservation_id, h.request_id, h.changed_at), 256), 16));
    SET p_since = '1000-01-01';
  ELSE
    -- whoever has changed something at p_since took its id after those who had ended then
    SELECT id INTO v_after FROM loyalty_history.reservation_history FORCE INDEX (reservation_history_time)
      WHERE changed_at < p_since - INTERVAL 10 SECOND ORDER BY changed_at DESC, id DESC LIMIT 1;
    SET v_after = COALESCE(v_after, 0), v_seq = 0;
  END IF;
  SELECT v_after IS NOT NULL AND (p_id > 0 OR COALESCE(p_check = UNHEX(LEFT(SHA2(v_epoch, 256), 16)), 1)),
    UNHEX(LEFT(SHA2(v_epoch, 256), 16));
  SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.actor, h.request_id,
      DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      UNHEX(LEFT(SHA2(CONCAT(v_epoch, h.id, h.reservation_id, h.request_id, h.changed_at), 256), 16))
    FROM (
      (SELECT h.id AS after_id, 0 AS seq, h.id
        FROM loyalty_history.reservation_history h FORCE INDEX (PRIMARY) LEFT JOIN feed_seen s ON s.id = h.id
          LEFT JOIN feed_open o ON o.id = h.id LEFT JOIN feed_late l ON l.id = h.id
        WHERE h.id > v_after AND h.id <= v_high AND (h.id <= v_low OR s.id IS NOT NULL) AND o.id IS NULL AND l.id IS NULL
          AND h.changed_at >= p_since
        ORDER BY h.id LIMIT p_limit)
      UNION ALL
      (SELECT l.after_id, l.seq, l.id
        FROM feed_late l FORCE INDEX (feed_late_place) STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (PRIMARY) ON h.id = l.id
        WHERE l.after_id >= v_after AND (l.after_id > v_after OR l.seq > v_seq) AND h.changed_at >= p_since
        ORDER BY l.after_id, l.seq LIMIT p_limit)
      ORDER BY after_id, seq LIMIT p_limit) n
    STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (PRIMARY) ON h.id = n.id
    ORDER BY n.after_id, n.seq;
  COMMIT;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE event_list TO 'loyalty_admin'@'__HOST__';
