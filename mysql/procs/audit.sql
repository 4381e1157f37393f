-- GET /v1/admin/audit and loyalty-audit: every invariant of the contract, recomputed from the history, on one
-- snapshot.  Locks nothing; the system runs on meanwhile.
--
-- One result set for each check: name, checked, violation.  Its first row has how many things were checked and
-- violation NULL; at most p_most rows follow (never more than 10,000), each with a sentence that names what
-- is wrong, checked 0.
--
--   room-stock               total = available + reservations that are RESERVED
--   room-bounds              amounts, price and flags of a room are possible ones
--   room-history-chain       each row begins where the room's row before it (by id) ended; the last ends at the room
--   room-history-complete    each unit taken or given back has one row, of its request; no other row moves a unit
--   balance-sum              balance = sum of the deltas
--   balance-bounds           0 to 2^53 - 1
--   points-history-chain     as of rooms; to = from + delta, delta is not 0
--   points-history-complete  each taking and each refund has one row, of its request; no other row names a reservation
--   user-history-chain       each row begins where the account's row before it ended; the last ends at the account
--   user-erased             of an erased account nothing is left: no name, no reason, no points, nothing open; one row says since when
--   reservation-history-chain  legal steps, one after the other; the last ends at the reservation
--   reservation-references   room and user are there
--   reservation-points       the price was the room's; only an approval may have lowered it; the history says the same
--   outbox-reservations      each change of a reservation names one mail, which is of it, and each mail is named
--   outbox-rooms             so has each staff change of what guests can reserve
--   outbox-pruned            as many changes lack their mail as prune has counted
--   outbox-state             times fit the status: nothing PENDING is forgotten, nothing SENT is due
--   outbox-order             mails of one reservation wait for each other and went in order
--   outbox-history           each mail that staff queued again has its row
--   actor-request            every history row names who did it, and in which request
--
-- Mails that prune took are known by their number only: outbox_pruned.pruned.  Where more changes lack their
-- mail than that, the latest of them are named, for prune takes the oldest.
--
-- Memory is bounded whatever the size: the big sets are sorted on disk and read once in order.  SQL_BIG_RESULT
-- is for that: a temporary table with a key would be updated at random.  Two chains are followed by a cursor, for
-- MariaDB's window functions keep an address of every row in memory.  Time grows with the number of rows.
DROP FUNCTION IF EXISTS audit_uuid;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION audit_uuid(p_id BINARY(16))
  RETURNS VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin
  DETERMINISTIC NO SQL
  RETURN LOWER(CONCAT_WS('-', HEX(SUBSTR(p_id, 1, 4)), HEX(SUBSTR(p_id, 5, 2)), HEX(SUBSTR(p_id, 7, 2)),
    HEX(SUBSTR(p_id, 9, 2)), HEX(SUBSTR(p_id, 11, 6))))$$

-- Each beside its own DROP: who waits for a lock on the one must not leave the other dropped.
DROP PROCEDURE IF EXISTS audit$$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE audit(p_most INT)
  READS SQL DATA
BEGIN
  DECLARE v_most INT DEFAULT LEAST(GREATEST(COALESCE(p_most, 100), 0), 10000);
  DECLARE v_rows INT DEFAULT v_most + 1;
  DECLARE v_rooms, v_users, v_erased, v_reservations, v_outbox BIGINT;
  DECLARE v_room_rows, v_reservation_rows, v_points_rows, v_staff_rows, v_user_rows, v_retries BIGINT;
  DECLARE v_missing, v_lost, v_pruned, v_highest, v_kept, v_latest BIGINT;
  DECLARE v_since DATETIME(6);
  DECLARE v_of_all VARCHAR(100);
  DECLARE v_thing, v_thing_before BINARY(16);
  DECLARE v_id, v_id_before, v_was, v_is, v_is_before, v_expected BIGINT;
  DECLARE v_wrong TINYINT;
  DECLARE v_broken LONGTEXT;
  DECLARE v_breaks INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    COMMIT;
    RESIGNAL;
  END;

  SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
  SELECT COUNT(*) INTO v_rooms FROM room;
  SELECT COUNT(*), COUNT(erased_at) INTO v_users, v_erased FROM user;
  SELECT COUNT(*) INTO v_reservations FROM reservation;
  SELECT COUNT(*) INTO v_outbox FROM outbox;
  SELECT COUNT(*) INTO v_reservation_rows FROM loyalty_history.reservation_history;
  SELECT COUNT(*) INTO v_points_rows FROM loyalty_history.points_history;
  SELECT COUNT(*) INTO v_user_rows FROM loyalty_history.user_history;
  SELECT COUNT(*) INTO v_retries FROM loyalty_history.outbox_history;
  SELECT COUNT(*), COALESCE(SUM(from_total IS NULL OR from_total <> to_total OR from_archived <> to_archived), 0)
    INTO v_room_rows, v_staff_rows FROM loyalty_history.room_history;

  -- Rooms
  SELECT 'room-stock' AS name, v_rooms AS checked, NULL AS violation
  UNION ALL
  (SELECT 'room-stock', 0, LEFT(CONCAT('room ', audit_uuid(r.id), ': total ', r.total_amount, ', but ',
      r.available_amount, ' available and ', COALESCE(v.reserved, 0), ' reserved'), 500)
    FROM room r LEFT JOIN (SELECT room_id, COUNT(*) AS reserved FROM reservation WHERE status = 'RESERVED' GROUP BY room_id) v
      ON v.room_id = r.id
    WHERE r.total_amount <> r.available_amount + COALESCE(v.reserved, 0) LIMIT v_most)
  ORDER BY violation;

  SELECT 'room-bounds' AS name, v_rooms AS checked, NULL AS violation
  UNION ALL
  (SELECT 'room-bounds', 0, LEFT(CONCAT('room ', audit_uuid(id), ': total ', total_amount, ', available ',
      available_amount, ', price ', required_points, ', archived ', archived, ', reservable ', reservable), 500)
    FROM room
    WHERE total_amount NOT BETWEEN 0 AND 1000000 OR available_amount NOT BETWEEN 0 AND total_amount
      OR required_points NOT BETWEEN 0 AND 1000000000 OR archived NOT IN (0, 1)
      OR reservable <> (archived = 0 AND available_amount > 0) LIMIT v_most)
  ORDER BY violation;

  -- A state is 64 bits, in a derived table of its own (the LIMIT keeps it apart): names make rows so wide that
  -- MariaDB would sort their addresses and then fetch each from anywhere.  CONCAT_WS leaves out NULL: a row that
  -- lacks part of its beginning matches nothing.
  BEGIN
    DECLARE rows_in_order CURSOR FOR
      SELECT room_id, id, was, is_now, was <=> is_now
        FROM (SELECT room_id, id,
              IF(COALESCE(from_total, from_available, from_points, from_archived, from_name) IS NULL, NULL,
                (CRC32(CONCAT_WS('/', from_total, from_available, from_points, from_archived, from_name)) << 31)
                ^ CRC32(REVERSE(CONCAT_WS('/', from_total, from_available, from_points, from_archived, from_name)))) AS was,
              (CRC32(CONCAT_WS('/', to_total, to_available, to_points, to_archived, to_name)) << 31)
                ^ CRC32(REVERSE(CONCAT_WS('/', to_total, to_available, to_points, to_archived, to_name))) AS is_now
            FROM loyalty_history.room_history LIMIT 18446744073709551615) narrow
        ORDER BY room_id, id;
    DECLARE EXIT HANDLER FOR NOT FOUND BEGIN END;
    SET v_broken = NULL, v_breaks = 0, v_thing_before = NULL;
    OPEN rows_in_order;
    WHILE v_breaks < v_most DO
      FETCH rows_in_order INTO v_thing, v_id, v_was, v_is, v_wrong;
      IF v_thing <=> v_thing_before THEN
        SET v_expected = v_is_before;
      ELSE
        SET v_expected = NULL, v_thing_before = v_thing, v_id_before = 0;
      END IF;
      IF v_wrong OR NOT (v_was <=> v_expected) THEN
        SET v_broken = CONCAT_WS(',', v_broken, CONCAT('[', v_id, ',', v_id_before, ']')), v_breaks = v_breaks + 1;
      END IF;
      SET v_id_before = v_id, v_is_before = v_is;
    END WHILE;
    CLOSE rows_in_order;
  END;

  SELECT 'room-history-chain' AS name, v_room_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT 'room-history-chain', 0, LEFT(CONCAT('room_history row ', h.id, ' of room ', audit_uuid(h.room_id), ' goes from ',
      IF(h.from_total IS NULL, 'nothing (a creation)',
        CONCAT_WS(' ', h.from_available, 'of', h.from_total, 'at', h.from_points, 'points, archived', h.from_archived)),
      ' to ', CONCAT_WS(' ', h.to_available, 'of', h.to_total, 'at', h.to_points, 'points, archived', h.to_archived),
      IF(p.id IS NULL, ', and is the first', CONCAT(', and row ', p.id, ' before it ended at ',
        CONCAT_WS(' ', p.to_available, 'of', p.to_total, 'at', p.to_points, 'points, archived', p.to_archived))),
      IF(p.id IS NOT NULL AND NOT CAST(h.from_name AS BINARY) <=> CAST(p.to_name AS BINARY), ', by another name', '')), 500)
    FROM JSON_TABLE(CONCAT('[', COALESCE(v_broken, ''), ']'), '$[*]' COLUMNS (id BIGINT PATH '$[0]', before_id BIGINT PATH '$[1]')) c
      STRAIGHT_JOIN loyalty_history.room_history h ON h.id = c.id
      LEFT JOIN loyalty_history.room_history p ON p.id = c.before_id)
  UNION ALL
  (SELECT 'room-history-chain', 0, LEFT(CONCAT('room ', audit_uuid(l.room_id), IF(r.id IS NULL, ' is not there',
        CONCAT(' is at ', r.available_amount, ' of ', r.total_amount, ' at ', r.required_points, ' points, archived ', r.archived)),
      ', but its last room_history row ', h.id, ' ended at ', h.to_available, ' of ', h.to_total, ' at ', h.to_points,
      ' points, archived ', h.to_archived,
      IF(CAST(r.name AS BINARY) <> CAST(h.to_name AS BINARY), ', by another name', '')), 500)
    FROM (SELECT room_id, MAX(id) AS id FROM loyalty_history.room_history GROUP BY room_id) l
      STRAIGHT_JOIN loyalty_history.room_history h ON h.id = l.id LEFT JOIN room r ON r.id = l.room_id
    WHERE r.id IS NULL OR r.available_amount <> h.to_available OR r.total_amount <> h.to_total
      OR r.required_points <> h.to_points OR r.archived <> h.to_archived
      OR CAST(r.name AS BINARY) <> CAST(h.to_name AS BINARY) LIMIT v_most)
  UNION ALL
  (SELECT 'room-history-chain', 0, LEFT(CONCAT('room ', audit_uuid(r.id), ' has no room_history row'), 500)
    FROM room r WHERE NOT EXISTS (SELECT 1 FROM loyalty_history.room_history h WHERE h.room_id = r.id) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- units: how many a row takes; side: 1 what is to be, -1 what is.
  SELECT 'room-history-complete' AS name, v_reservation_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT SQL_BIG_RESULT 'room-history-complete', 0, LEFT(IF(SUM(side) > 0,
        CONCAT('reservation_history row ', MAX(IF(side = 1, id, NULL)), ' of reservation ', audit_uuid(reservation_id), IF(units > 0, ' takes', ' gives back'),
          ' a unit, but has no room_history row of its room, request and actor'),
        CONCAT('room_history row ', MAX(IF(side = -1, id, NULL)), ' of reservation ', audit_uuid(reservation_id), IF(units > 0, ' takes ', ' gives back '),
          ABS(units), IF(ABS(units) = 1, ' unit', ' units'), IF(COUNT(*) > -SUM(side), ' a second time', ', but no change of it has this room, request and actor'))), 500)
    FROM (SELECT id, reservation_id, IF(to_status = 'RESERVED', 1, -1) AS units, CRC32(CONCAT(room_id, request_id, '/', actor)) AS doing, 1 AS side
          FROM loyalty_history.reservation_history WHERE to_status = 'RESERVED' OR from_status = 'RESERVED'
        UNION ALL
        SELECT id, reservation_id, COALESCE(from_available, 0) - to_available, CRC32(CONCAT(room_id, request_id, '/', actor)), -1
          FROM loyalty_history.room_history WHERE reservation_id IS NOT NULL) u
    GROUP BY reservation_id, units, doing HAVING SUM(side) <> 0 LIMIT v_most)
  UNION ALL
  (SELECT 'room-history-complete', 0, LEFT(CONCAT('room_history row ', id, ' of room ', audit_uuid(room_id),
      IF(reservation_id IS NULL,
        CONCAT(' changes what is available by ', to_available - COALESCE(from_available, 0), ' and the total by ', to_total - COALESCE(from_total, 0), ', for no reservation'),
        CONCAT(' is of reservation ', audit_uuid(reservation_id), ', but changes more than what is available'))), 500)
    FROM loyalty_history.room_history
    WHERE (reservation_id IS NULL AND to_available - COALESCE(from_available, 0) <> to_total - COALESCE(from_total, 0))
      OR (reservation_id IS NOT NULL AND NOT (from_total <=> to_total AND from_points <=> to_points
        AND from_archived <=> to_archived AND CAST(from_name AS BINARY) <=> CAST(to_name AS BINARY))) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- Points
  SELECT 'balance-sum' AS name, v_users AS checked, NULL AS violation
  UNION ALL
  (SELECT SQL_BIG_RESULT 'balance-sum', 0, LEFT(CONCAT('user ', audit_uuid(id), ' has ', SUM(balance),
      ' points, but the deltas of the history sum up to ', SUM(delta)), 500)
    FROM (SELECT id, bonus_points AS balance, 0 AS delta, 1 AS there FROM user
        UNION ALL
        SELECT user_id, 0, delta, 0 FROM loyalty_history.points_history) p
    GROUP BY id HAVING SUM(balance) <> SUM(delta) AND SUM(there) > 0 LIMIT v_most)
  ORDER BY violation;

  SELECT 'balance-bounds' AS name, v_users AS checked, NULL AS violation
  UNION ALL
  (SELECT 'balance-bounds', 0, LEFT(CONCAT('user ', audit_uuid(id), ' has ', bonus_points, ' points'), 500)
    FROM user WHERE bonus_points NOT BETWEEN 0 AND 9007199254740991 LIMIT v_most)
  ORDER BY violation;

  BEGIN
    DECLARE rows_in_order CURSOR FOR
      SELECT user_id, id, from_points, to_points,
          to_points <> from_points + delta OR delta = 0 OR to_points NOT BETWEEN 0 AND 9007199254740991
        FROM loyalty_history.points_history ORDER BY user_id, id;
    DECLARE EXIT HANDLER FOR NOT FOUND BEGIN END;
    SET v_broken = NULL, v_breaks = 0, v_thing_before = NULL;
    OPEN rows_in_order;
    WHILE v_breaks < v_most DO
      FETCH rows_in_order INTO v_thing, v_id, v_was, v_is, v_wrong;
      IF v_thing <=> v_thing_before THEN
        SET v_expected = v_is_before;
      ELSE
        SET v_expected = 0, v_thing_before = v_thing, v_id_before = 0;
      END IF;
      IF v_wrong OR NOT (v_was <=> v_expected) THEN
        SET v_broken = CONCAT_WS(',', v_broken, CONCAT('[', v_id, ',', v_id_before, ']')), v_breaks = v_breaks + 1;
      END IF;
      SET v_id_before = v_id, v_is_before = v_is;
    END WHILE;
    CLOSE rows_in_order;
  END;

  SELECT 'points-history-chain' AS name, v_points_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT 'points-history-chain', 0, LEFT(CONCAT('points_history row ', h.id, ' of user ', audit_uuid(h.user_id), ' goes from ',
      h.from_points, ' by ', h.delta, ' to ', h.to_points,
      IF(p.id IS NULL, ', and is the first', CONCAT(', and row ', p.id, ' before it ended at ', p.to_points))), 500)
    FROM JSON_TABLE(CONCAT('[', COALESCE(v_broken, ''), ']'), '$[*]' COLUMNS (id BIGINT PATH '$[0]', before_id BIGINT PATH '$[1]')) c
      STRAIGHT_JOIN loyalty_history.points_history h ON h.id = c.id
      LEFT JOIN loyalty_history.points_history p ON p.id = c.before_id)
  UNION ALL
  (SELECT 'points-history-chain', 0, LEFT(CONCAT('user ', audit_uuid(l.user_id),
      IF(u.id IS NULL, ' is not there', CONCAT(' has ', u.bonus_points, ' points')),
      ', but the last points_history row ', h.id, ' ended at ', h.to_points), 500)
    FROM (SELECT user_id, MAX(id) AS id FROM loyalty_history.points_history GROUP BY user_id) l
      STRAIGHT_JOIN loyalty_history.points_history h ON h.id = l.id LEFT JOIN user u ON u.id = l.user_id
    WHERE NOT (u.bonus_points <=> h.to_points) LIMIT v_most)
  UNION ALL
  (SELECT 'points-history-chain', 0, LEFT(CONCAT('user ', audit_uuid(u.id), ' has ', u.bonus_points, ' points, but no points_history row'), 500)
    FROM user u WHERE u.bonus_points <> 0
      AND NOT EXISTS (SELECT 1 FROM loyalty_history.points_history h WHERE h.user_id = u.id) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- reservation.points is what was taken: it changes at an approval only, and nothing was taken before that.
  SELECT 'points-history-complete' AS name, v_reservation_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT SQL_BIG_RESULT 'points-history-complete', 0, LEFT(IF(SUM(side) > 0,
        CONCAT('reservation_history row ', MAX(IF(side = 1, id, NULL)), ' of reservation ', audit_uuid(reservation_id), IF(delta < 0, ' takes ', ' refunds '),
          ABS(delta), ' points, but has no points_history row of this delta, its user, request and actor'),
        CONCAT('points_history row ', MAX(IF(side = -1, id, NULL)), ' of reservation ', audit_uuid(reservation_id), IF(delta < 0, ' takes ', ' refunds '),
          ABS(delta), ' points', IF(COUNT(*) > -SUM(side), ' a second time', ', but no change of it has this delta, user, request and actor'))), 500)
    FROM (SELECT h.id, h.reservation_id, IF(h.to_status = 'RESERVED', -v.points, v.points) AS delta,
            CRC32(CONCAT(h.user_id, h.request_id, '/', h.actor)) AS doing, 1 AS side
          FROM loyalty_history.reservation_history h STRAIGHT_JOIN reservation v ON v.id = h.reservation_id
          WHERE (h.to_status = 'RESERVED' OR (h.from_status = 'RESERVED' AND h.to_status = 'CANCELLED')) AND v.points <> 0
        UNION ALL
        SELECT id, reservation_id, delta, CRC32(CONCAT(user_id, request_id, '/', actor)), -1
          FROM loyalty_history.points_history WHERE reservation_id IS NOT NULL) p
    GROUP BY reservation_id, delta, doing HAVING SUM(side) <> 0 LIMIT v_most)
  ORDER BY violation;

  -- Accounts' names and roles change seldom, so what is before a row is looked up.
  SELECT 'user-history-chain' AS name, v_user_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT 'user-history-chain', 0, LEFT(CONCAT('user_history row ', h.id, ' of user ', audit_uuid(h.user_id), ' goes from ',
      COALESCE(CONCAT_WS(' ', h.from_role, h.from_name), 'nothing'), ' to ', h.to_role, ' ', h.to_name,
      IF(p.id IS NULL, ', and is the first', CONCAT(', and row ', p.id, ' before it ended at ', p.to_role, ' ', p.to_name))), 500)
    FROM loyalty_history.user_history h
      LEFT JOIN loyalty_history.user_history p ON p.id = (SELECT MAX(b.id) FROM loyalty_history.user_history b
        WHERE b.user_id = h.user_id AND b.id < h.id)
      LEFT JOIN user u ON u.id = h.user_id
    WHERE NOT (h.from_role <=> p.to_role AND CAST(h.from_name AS BINARY) <=> CAST(p.to_name AS BINARY))
      OR (u.erased_at IS NULL AND h.from_role <=> h.to_role AND CAST(h.from_name AS BINARY) <=> CAST(h.to_name AS BINARY)) LIMIT v_most)
  UNION ALL
  (SELECT 'user-history-chain', 0, LEFT(CONCAT('user ', audit_uuid(l.user_id), COALESCE(CONCAT(' is ', u.role, ' ', u.name), ' is not there'),
      ', but the last user_history row ', h.id, ' ended at ', h.to_role, ' ', h.to_name), 500)
    FROM (SELECT user_id, MAX(id) AS id FROM loyalty_history.user_history GROUP BY user_id) l
      STRAIGHT_JOIN loyalty_history.user_history h ON h.id = l.id LEFT JOIN user u ON u.id = l.user_id
    WHERE NOT (u.role <=> h.to_role AND CAST(u.name AS BINARY) <=> CAST(h.to_name AS BINARY)) LIMIT v_most)
  UNION ALL
  (SELECT 'user-history-chain', 0, LEFT(CONCAT('user ', audit_uuid(u.id), ' is ', u.role, ' ', u.name, ', but has no user_history row'), 500)
    FROM user u WHERE NOT EXISTS (SELECT 1 FROM loyalty_history.user_history h WHERE h.user_id = u.id) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'user-erased' AS name, v_erased AS checked, NULL AS violation
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(id), ' is erased, but has ',
      CONCAT_WS(', ', IF(CAST(name AS BINARY) <> 'Erased', 'a name', NULL), IF(role <> 'USER', CONCAT('the role ', role), NULL),
        IF(bonus_points <> 0, CONCAT(bonus_points, ' points'), NULL)))
    FROM user WHERE erased_at IS NOT NULL AND NOT (CAST(name AS BINARY) = 'Erased' AND role = 'USER' AND bonus_points = 0) LIMIT v_most)
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(u.id), ' is erased, but reservation ', audit_uuid(v.id), ' is ', v.status)
    FROM user u STRAIGHT_JOIN reservation v FORCE INDEX (reservation_user) ON v.user_id = u.id
    WHERE u.erased_at IS NOT NULL AND v.status IN ('RESERVED', 'PENDING_APPROVAL') LIMIT v_most)
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(u.id), ' is erased, but user_history row ', h.id, ' has a name')
    FROM user u STRAIGHT_JOIN loyalty_history.user_history h FORCE INDEX (user_history_user) ON h.user_id = u.id
    WHERE u.erased_at IS NOT NULL AND NOT (CAST(h.to_name AS BINARY) = 'Erased' AND CAST(COALESCE(h.from_name, 'Erased') AS BINARY) = 'Erased')
    LIMIT v_most)
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(u.id), ' is erased, but points_history row ', h.id, ' has a reason')
    FROM user u STRAIGHT_JOIN loyalty_history.points_history h FORCE INDEX (points_history_user) ON h.user_id = u.id
    WHERE u.erased_at IS NOT NULL AND h.reason IS NOT NULL AND NOT (h.reason = 'Erased' AND h.changed_at = u.erased_at) LIMIT v_most)
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(u.id), ' is erased, but reservation_history row ', h.id, ' has a reason')
    FROM user u STRAIGHT_JOIN reservation v FORCE INDEX (reservation_user) ON v.user_id = u.id
      STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation) ON h.reservation_id = v.id
    WHERE u.erased_at IS NOT NULL AND h.reason IS NOT NULL LIMIT v_most)
  UNION ALL
  (SELECT 'user-erased', 0, CONCAT('user ', audit_uuid(u.id), ' is erased since ', u.erased_at, ', but has no user_history row of that')
    FROM user u WHERE u.erased_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM loyalty_history.user_history h
      WHERE h.user_id = u.id AND h.changed_at = u.erased_at) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- Reservations.  The legal ways are few, so each is one string.
  SELECT 'reservation-history-chain' AS name, v_reservation_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT SQL_BIG_RESULT 'reservation-history-chain', 0, LEFT(CONCAT('reservation ', audit_uuid(h.reservation_id), ' ',
      COALESCE(CONCAT('is ', MAX(v.status)), 'is not there'),
      ', its reservation_history rows ', MIN(h.id), ' to ', MAX(h.id), ' say ',
      LEFT(GROUP_CONCAT(CONCAT(COALESCE(h.from_status, 'new'), '>', h.to_status) ORDER BY h.id SEPARATOR ' '), 200),
      IF(SUM(h.room_id <> v.room_id OR h.user_id <> v.user_id) > 0, ', of another room or user', '')), 500)
    FROM loyalty_history.reservation_history h LEFT JOIN reservation v ON v.id = h.reservation_id
    GROUP BY h.reservation_id
    HAVING NOT COALESCE(CONCAT(GROUP_CONCAT(CONCAT(COALESCE(h.from_status, 'new'), '>', h.to_status) ORDER BY h.id SEPARATOR ' '), '=', MAX(v.status)), '') IN (
        'new>RESERVED=RESERVED',
        'new>RESERVED RESERVED>CANCELLED=CANCELLED',
        'new>RESERVED RESERVED>RELEASED=RELEASED',
        'new>PENDING_APPROVAL=PENDING_APPROVAL',
        'new>PENDING_APPROVAL PENDING_APPROVAL>CANCELLED=CANCELLED',
        'new>PENDING_APPROVAL PENDING_APPROVAL>REJECTED=REJECTED',
        'new>PENDING_APPROVAL PENDING_APPROVAL>RESERVED=RESERVED',
        'new>PENDING_APPROVAL PENDING_APPROVAL>RESERVED RESERVED>CANCELLED=CANCELLED',
        'new>PENDING_APPROVAL PENDING_APPROVAL>RESERVED RESERVED>RELEASED=RELEASED')
      OR SUM(h.room_id <> v.room_id OR h.user_id <> v.user_id) > 0 LIMIT v_most)
  UNION ALL
  (SELECT 'reservation-history-chain', 0, LEFT(CONCAT('reservation ', audit_uuid(v.id), ' is ', v.status, ', but has no reservation_history row'), 500)
    FROM reservation v
    WHERE NOT EXISTS (SELECT 1 FROM loyalty_history.reservation_history h WHERE h.reservation_id = v.id) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'reservation-references' AS name, v_reservations AS checked, NULL AS violation
  UNION ALL
  (SELECT 'reservation-references', 0, LEFT(CONCAT('reservation ', audit_uuid(v.id), ':',
      IF(r.id IS NULL, CONCAT(' room ', audit_uuid(v.room_id), ' is not there'), ''),
      IF(u.id IS NULL, CONCAT(' user ', audit_uuid(v.user_id), ' is not there'), '')), 500)
    FROM reservation v LEFT JOIN room r ON r.id = v.room_id LEFT JOIN user u ON u.id = v.user_id
    WHERE r.id IS NULL OR u.id IS NULL LIMIT v_most)
  ORDER BY violation;

  -- Exactly known is the price at a taking without approval (in its room_history row) and at each change (in its history row,
  -- but for some from before it had that column); of the others, which prices the room has ever had.
  SELECT 'reservation-points' AS name, v_reservations AS checked, NULL AS violation
  UNION ALL
  (SELECT 'reservation-points', 0, LEFT(CONCAT('reservation ', audit_uuid(v.id), ' is ', v.status, ' at ', v.points, ' points, which room ',
      audit_uuid(v.room_id), ' has never cost'), 500)
    FROM reservation v STRAIGHT_JOIN (SELECT room_id, MAX(points) AS highest
        FROM (SELECT room_id, to_points AS points FROM loyalty_history.room_history GROUP BY room_id, to_points) a GROUP BY room_id) m
        ON m.room_id = v.room_id
      LEFT JOIN (SELECT room_id, to_points AS points FROM loyalty_history.room_history GROUP BY room_id, to_points) p
        ON p.room_id = v.room_id AND p.points = v.points
    WHERE v.points < 0 OR v.points > m.highest OR (v.points = 0 AND v.status IN ('PENDING_APPROVAL', 'REJECTED'))
      OR (p.room_id IS NULL AND NOT EXISTS (SELECT 1 FROM loyalty_history.reservation_history h
        WHERE h.reservation_id = v.id AND h.from_status = 'PENDING_APPROVAL' AND h.to_status = 'RESERVED')) LIMIT v_most)
  UNION ALL
  (SELECT 'reservation-points', 0, LEFT(CONCAT('reservation ', audit_uuid(v.id), ' is ', v.status, ' at ', v.points,
      ' points, but room_history row ', h.id, ', which took its unit, has a price of ', h.to_points), 500)
    FROM loyalty_history.room_history h STRAIGHT_JOIN reservation v ON v.id = h.reservation_id
    WHERE h.from_available > h.to_available AND v.points <> h.to_points
      AND EXISTS (SELECT 1 FROM loyalty_history.reservation_history n
        WHERE n.reservation_id = v.id AND n.from_status IS NULL AND n.to_status = 'RESERVED') LIMIT v_most)
  UNION ALL
  (SELECT 'reservation-points', 0, LEFT(CONCAT('reservation ', audit_uuid(v.id), ' is ', v.status, ' at ', v.points,
      ' points, but reservation_history row ', h.id, ' of its change to ', h.to_status, ' says ', COALESCE(h.points, 'nothing')), 500)
    FROM loyalty_history.reservation_history h STRAIGHT_JOIN reservation v ON v.id = h.reservation_id
    WHERE (h.points IS NULL AND h.mail_id IS NOT NULL) OR (h.points <> v.points AND (h.from_status IS NOT NULL OR v.points > h.points
      OR NOT EXISTS (SELECT 1 FROM loyalty_history.reservation_history a
        WHERE a.reservation_id = v.id AND a.from_status = 'PENDING_APPROVAL' AND a.to_status = 'RESERVED'))) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- The outbox.  First only numbers: how many changes lack their mail.
  SELECT COUNT(*) INTO v_missing FROM loyalty_history.reservation_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE o.id IS NULL;
  SELECT v_missing + COUNT(*) INTO v_missing FROM loyalty_history.room_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE (h.from_total IS NULL OR h.from_total <> h.to_total OR h.from_archived <> h.to_archived) AND o.id IS NULL;
  SELECT COALESCE(MAX(pruned), 0), COALESCE(MAX(highest), 0) INTO v_pruned, v_highest FROM outbox_pruned;
  SELECT COUNT(*) INTO v_kept FROM outbox WHERE id <= v_highest;
  SET v_lost = GREATEST(v_missing - v_pruned, 0);
  IF v_lost > 0 AND v_pruned > 0 THEN
    SET v_latest = LEAST(v_lost, v_rows);
    SELECT MIN(changed_at) INTO v_since FROM (
      SELECT h.changed_at FROM loyalty_history.reservation_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
        WHERE o.id IS NULL
      UNION ALL
      SELECT h.changed_at FROM loyalty_history.room_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
        WHERE (h.from_total IS NULL OR h.from_total <> h.to_total OR h.from_archived <> h.to_archived) AND o.id IS NULL
      ORDER BY changed_at DESC LIMIT v_latest) latest;
  END IF;
  SET v_of_all = IF(v_pruned > 0, CONCAT(' (', v_missing, ' changes have none, ', v_pruned, ' were pruned)'), '');

  SELECT 'outbox-reservations' AS name, v_reservation_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-reservations', 0, LEFT(CONCAT('reservation_history row ', h.id, ' of reservation ', audit_uuid(h.reservation_id),
      ' has no outbox row', v_of_all), 500)
    FROM loyalty_history.reservation_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE v_lost > 0 AND o.id IS NULL AND (v_since IS NULL OR h.changed_at >= v_since) LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-reservations', 0, LEFT(CONCAT('outbox row ', o.id, ' is of another reservation, room or time than reservation_history row ',
      h.id, ' of reservation ', audit_uuid(h.reservation_id), ', which names it'), 500)
    FROM loyalty_history.reservation_history h STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE NOT (o.event = 'reservation' AND o.reservation_id <=> h.reservation_id AND o.room_id = h.room_id AND o.created_at = h.changed_at)
    LIMIT v_most)
  UNION ALL
  (SELECT SQL_BIG_RESULT 'outbox-reservations', 0, CONCAT('reservation_history rows ', MIN(id), ' and ', MAX(id), ' name the same outbox row ', mail_id)
    FROM loyalty_history.reservation_history WHERE mail_id IS NOT NULL GROUP BY mail_id HAVING COUNT(*) > 1 LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-reservations', 0, LEFT(CONCAT('outbox row ', o.id, ' of reservation ', COALESCE(audit_uuid(o.reservation_id), 'NULL'),
      IF(EXISTS (SELECT 1 FROM loyalty_history.reservation_history t STRAIGHT_JOIN outbox n FORCE INDEX (PRIMARY) ON n.id = t.mail_id
          WHERE t.reservation_id = o.reservation_id AND t.changed_at = o.created_at AND n.reservation_id = o.reservation_id),
        ' is of a change that has one already', ' has no reservation_history row that names it')), 500)
    FROM outbox o LEFT JOIN loyalty_history.reservation_history h ON h.reservation_id = o.reservation_id AND h.mail_id = o.id
    WHERE o.event = 'reservation' AND h.id IS NULL LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'outbox-rooms' AS name, v_staff_rows AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-rooms', 0, LEFT(CONCAT('room_history row ', h.id, ' of room ', audit_uuid(h.room_id), ' has no outbox row', v_of_all), 500)
    FROM loyalty_history.room_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE v_lost > 0 AND o.id IS NULL AND (v_since IS NULL OR h.changed_at >= v_since)
      AND (h.from_total IS NULL OR h.from_total <> h.to_total OR h.from_archived <> h.to_archived) LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-rooms', 0, LEFT(CONCAT('room_history row ', h.id, ' of room ', audit_uuid(h.room_id), ' names outbox row ', h.mail_id,
      IF(h.from_total <> h.to_total OR h.from_archived <> h.to_archived OR h.from_total IS NULL, ', which is of another room or time',
        ', but changes nothing that is mailed')), 500)
    FROM loyalty_history.room_history h LEFT JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE h.mail_id IS NOT NULL AND (NOT (h.from_total IS NULL OR h.from_total <> h.to_total OR h.from_archived <> h.to_archived)
      OR NOT (o.event = 'room' AND o.room_id = h.room_id AND o.created_at = h.changed_at)) LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-rooms', 0, LEFT(CONCAT('outbox row ', o.id, ' of room ', audit_uuid(o.room_id),
      IF(EXISTS (SELECT 1 FROM loyalty_history.room_history t STRAIGHT_JOIN outbox n FORCE INDEX (PRIMARY) ON n.id = t.mail_id
          WHERE t.room_id = o.room_id AND t.changed_at = o.created_at AND n.room_id = o.room_id),
        ' is of a change that has one already', ' has no room_history row that names it')), 500)
    FROM outbox o LEFT JOIN loyalty_history.room_history h ON h.room_id = o.room_id AND h.changed_at = o.created_at AND h.mail_id = o.id
    WHERE o.event = 'room' AND h.id IS NULL LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'outbox-pruned' AS name, v_pruned AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-pruned', 0, CONCAT('prune has counted ', v_pruned, ' mails, but only ', v_missing, ' changes lack theirs')
    FROM DUAL WHERE v_missing < v_pruned LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-pruned', 0, CONCAT('prune has counted ', v_pruned, ' mails up to id ', v_highest, ', and ', v_kept, ' of those are there')
    FROM DUAL WHERE v_pruned + v_kept > v_highest LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'outbox-state' AS name, v_outbox AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-state', 0, LEFT(CONCAT('outbox row ', id, ' is ', status, ', ',
      IF(next_attempt_at IS NULL, 'has no next attempt', 'has a next attempt'), ', ', IF(due_at IS NULL, 'is not due', 'is due'), ', ',
      IF(sent_at IS NULL, 'was never sent', 'was sent'),
      IF(due_at IS NULL AND reservation_id IS NULL, ', and waits for no reservation', '')), 500)
    FROM outbox
    WHERE NOT CASE status
      WHEN 'PENDING' THEN next_attempt_at IS NOT NULL AND sent_at IS NULL AND (due_at IS NOT NULL OR reservation_id IS NOT NULL)
      WHEN 'SENT' THEN sent_at IS NOT NULL AND due_at IS NULL
      ELSE sent_at IS NULL AND due_at IS NULL END LIMIT v_most)
  ORDER BY violation;

  -- A mail that staff queued again has lost its place.  Times tell the order only where the clock was not set
  -- back: where what came later is later.
  SELECT 'outbox-order' AS name, v_outbox AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-order', 0, LEFT(CONCAT('outbox row ', o.id, ' of reservation ', audit_uuid(o.reservation_id),
      ' is PENDING and never due, but no earlier mail is PENDING'), 500)
    FROM outbox o
    WHERE o.status = 'PENDING' AND o.due_at IS NULL AND o.reservation_id IS NOT NULL AND NOT EXISTS (SELECT 1
      FROM loyalty_history.reservation_history h STRAIGHT_JOIN outbox e FORCE INDEX (PRIMARY) ON e.id = h.mail_id
      WHERE h.reservation_id = o.reservation_id AND e.id < o.id AND e.status = 'PENDING') LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-order', 0, LEFT(CONCAT('outbox row ', o.id, ' of reservation ', audit_uuid(o.reservation_id), ' is ',
      IF(o.status = 'PENDING', 'due', o.status), ', but the earlier row ', e.id, ' is still PENDING'), 500)
    FROM outbox e STRAIGHT_JOIN loyalty_history.reservation_history h ON h.reservation_id = e.reservation_id AND h.mail_id > e.id
      STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE e.status = 'PENDING' AND e.queued_at IS NULL AND (o.status <> 'PENDING' OR o.due_at IS NOT NULL) LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-order', 0, LEFT(CONCAT('outbox row ', o.id, ' of reservation ', audit_uuid(o.reservation_id), ' was sent ', o.sent_at,
      ', the earlier row ', e.id, ' only ', e.sent_at), 500)
    FROM outbox e STRAIGHT_JOIN loyalty_history.reservation_history h ON h.reservation_id = e.reservation_id AND h.mail_id > e.id
      STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE e.status = 'SENT' AND e.queued_at IS NULL AND o.status = 'SENT' AND o.sent_at < e.sent_at
      AND o.created_at >= e.created_at AND o.sent_at >= o.created_at LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  SELECT 'outbox-history' AS name, v_outbox AS checked, NULL AS violation
  UNION ALL
  (SELECT 'outbox-history', 0, LEFT(CONCAT('outbox row ', o.id, ' was queued again at ', o.queued_at, ', but has no outbox_history row of that'), 500)
    FROM outbox o WHERE o.queued_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM loyalty_history.outbox_history h
      WHERE h.outbox_id = o.id AND h.changed_at = o.queued_at AND h.from_status = 'DEAD' AND h.to_status = 'PENDING') LIMIT v_most)
  UNION ALL
  (SELECT 'outbox-history', 0, LEFT(CONCAT('outbox_history row ', h.id, ' says that outbox row ', o.id, ' was queued again at ', h.changed_at,
      ', which it says was ', COALESCE(o.queued_at, 'never')), 500)
    FROM loyalty_history.outbox_history h STRAIGHT_JOIN outbox o ON o.id = h.outbox_id
    WHERE o.queued_at IS NULL OR NOT EXISTS (SELECT 1 FROM loyalty_history.outbox_history l WHERE l.outbox_id = o.id AND l.changed_at = o.queued_at) LIMIT v_most)
  ORDER BY violation LIMIT v_rows;

  -- The collation pads: blanks alone are equal to ''.
  SELECT 'actor-request' AS name, v_room_rows + v_reservation_rows + v_points_rows + v_user_rows + v_retries AS checked, NULL AS violation
  UNION ALL
  (SELECT 'actor-request', 0, CONCAT('room_history row ', id, ' of room ', audit_uuid(room_id), ' has no actor or no request id')
    FROM loyalty_history.room_history WHERE actor = '' OR request_id = '' LIMIT v_most)
  UNION ALL
  (SELECT 'actor-request', 0, CONCAT('reservation_history row ', id, ' of reservation ', audit_uuid(reservation_id), ' has no actor or no request id')
    FROM loyalty_history.reservation_history WHERE actor = '' OR request_id = '' LIMIT v_most)
  UNION ALL
  (SELECT 'actor-request', 0, CONCAT('points_history row ', id, ' of user ', audit_uuid(user_id), ' has no actor or no request id')
    FROM loyalty_history.points_history WHERE actor = '' OR request_id = '' LIMIT v_most)
  UNION ALL
  (SELECT 'actor-request', 0, CONCAT('user_history row ', id, ' of user ', audit_uuid(user_id), ' has no actor or no request id')
    FROM loyalty_history.user_history WHERE actor = '' OR request_id = '' LIMIT v_most)
  UNION ALL
  (SELECT 'actor-request', 0, CONCAT('outbox_history row ', id, ' of outbox row ', outbox_id, ' has no actor or no request id')
    FROM loyalty_history.outbox_history WHERE actor = '' OR request_id = '' LIMIT v_most)
  ORDER BY violation LIMIT v_rows;
  COMMIT;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE audit TO 'loyalty_admin'@'__HOST__';
