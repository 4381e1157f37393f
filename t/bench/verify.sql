-- Rooms, points, reservations, histories, outbox and idempotency records,
-- recomputed from one another in one snapshot.  A row per check: its name and
-- how many rows break it; 0 everywhere when all is well.
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT;

SELECT 'room: total = available + RESERVED, reservable', COUNT(*) FROM loyalty.room r
  LEFT JOIN (SELECT room_id, COUNT(*) n FROM loyalty.reservation WHERE status = 'RESERVED' GROUP BY room_id) v ON v.room_id = r.id
  WHERE r.total_amount <> r.available_amount + COALESCE(v.n, 0) OR r.available_amount < 0
    OR r.reservable <> (r.archived = 0 AND r.available_amount > 0);
SELECT 'reservation: has its room and its user', COUNT(*) FROM loyalty.reservation v
  LEFT JOIN loyalty.room r ON r.id = v.room_id LEFT JOIN loyalty.user u ON u.id = v.user_id
  WHERE r.id IS NULL OR u.id IS NULL;

SELECT 'user: balance = sum of deltas', COUNT(*) FROM loyalty.user u
  LEFT JOIN (SELECT user_id, SUM(delta) s FROM loyalty_history.points_history GROUP BY user_id) h ON h.user_id = u.id
  WHERE u.bonus_points <> COALESCE(h.s, 0) OR u.bonus_points < 0;
SELECT 'points_history: each row begins where the one before ended', COUNT(*) FROM (
  SELECT from_points, COALESCE(LAG(to_points) OVER (PARTITION BY user_id ORDER BY id), 0) was FROM loyalty_history.points_history) h
  WHERE from_points <> was;
SELECT 'points_history: what a reservation took, once', COUNT(*) FROM loyalty.reservation v
  LEFT JOIN (SELECT reservation_id, SUM(delta) s, COUNT(*) n, MAX(user_id) u FROM loyalty_history.points_history
    WHERE reservation_id IS NOT NULL GROUP BY reservation_id) h ON h.reservation_id = v.id
  WHERE COALESCE(h.s, 0) <> IF(v.status IN ('RESERVED', 'RELEASED'), -v.points, 0) OR h.u <> v.user_id
    OR COALESCE(h.n, 0) <> IF(v.points = 0, 0, IF(v.status = 'RESERVED', 1, COALESCE(h.n, 0)));
SELECT 'points_history: for no reservation', COUNT(*) FROM loyalty_history.points_history h
  LEFT JOIN loyalty.reservation v ON v.id = h.reservation_id WHERE h.reservation_id IS NOT NULL AND v.id IS NULL;

SELECT 'room_history: each row begins where the one before ended', COUNT(*) FROM (
  SELECT from_available, from_total, LAG(to_available) OVER w was_available, LAG(to_total) OVER w was_total
    FROM loyalty_history.room_history WINDOW w AS (PARTITION BY room_id ORDER BY id)) h
  WHERE NOT (from_available <=> was_available AND from_total <=> was_total);
SELECT 'room_history: ends at what is now', COUNT(*) FROM loyalty.room r
  LEFT JOIN (SELECT room_id, MAX(id) last FROM loyalty_history.room_history GROUP BY room_id) l ON l.room_id = r.id
  LEFT JOIN loyalty_history.room_history h ON h.id = l.last
  WHERE NOT (h.to_available <=> r.available_amount AND h.to_total <=> r.total_amount AND h.to_points <=> r.required_points
    AND h.to_archived <=> r.archived);
SELECT 'room_history: a unit for each reservation, once', COUNT(*) FROM loyalty.reservation v
  LEFT JOIN (SELECT reservation_id, SUM(from_available - to_available) taken FROM loyalty_history.room_history
    WHERE reservation_id IS NOT NULL GROUP BY reservation_id) h ON h.reservation_id = v.id
  WHERE COALESCE(h.taken, 0) <> (v.status = 'RESERVED');

SELECT 'reservation_history: the creation, once', COUNT(*) FROM loyalty.reservation v
  LEFT JOIN (SELECT reservation_id, COUNT(*) n FROM loyalty_history.reservation_history WHERE from_status IS NULL
    GROUP BY reservation_id) h ON h.reservation_id = v.id WHERE COALESCE(h.n, 0) <> 1;
SELECT 'reservation_history: ends at what is now', COUNT(*) FROM loyalty_history.reservation_history h
  JOIN (SELECT MAX(id) last FROM loyalty_history.reservation_history GROUP BY reservation_id) l ON l.last = h.id
  LEFT JOIN loyalty.reservation v ON v.id = h.reservation_id
  WHERE v.id IS NULL OR v.status <> h.to_status OR v.user_id <> h.user_id OR v.room_id <> h.room_id;

SELECT 'outbox: a mail for each change of a reservation, once', ABS(
  (SELECT COUNT(*) FROM loyalty_history.reservation_history) - (SELECT COUNT(*) FROM loyalty.outbox WHERE event = 'reservation'))
  + (SELECT COUNT(*) FROM loyalty_history.reservation_history h LEFT JOIN loyalty.outbox o ON o.id = h.mail_id
      WHERE NOT (o.reservation_id <=> h.reservation_id AND o.created_at <=> h.changed_at))
  + (SELECT COUNT(*) - COUNT(DISTINCT mail_id) FROM loyalty_history.reservation_history);
SELECT 'outbox: a mail for each new room, once', COUNT(*) FROM loyalty.room r
  LEFT JOIN (SELECT room_id, COUNT(*) n FROM loyalty.outbox WHERE event = 'room' GROUP BY room_id) o ON o.room_id = r.id
  WHERE COALESCE(o.n, 0) <> 1;

-- All of the bench's writes but the data set itself (request id "bench") bear a key.
SELECT 'idempotency: a record for each reservation, once', ABS(
  (SELECT COUNT(*) FROM loyalty_history.reservation_history WHERE from_status IS NULL AND request_id <> 'bench')
  - (SELECT COUNT(DISTINCT r.id) FROM loyalty.idempotency i
      JOIN loyalty.reservation r ON r.id = i.entity WHERE i.problem IS NULL));
SELECT 'idempotency: a record for each write, once', ABS(
  (SELECT COUNT(*) FROM loyalty_history.reservation_history WHERE request_id <> 'bench')
  + (SELECT COUNT(*) FROM loyalty_history.points_history WHERE reservation_id IS NULL AND request_id NOT IN ('bench', 'demo'))
  - (SELECT COUNT(*) FROM loyalty.idempotency));
SELECT 'history: names who and why', (SELECT COUNT(*) FROM loyalty_history.points_history WHERE actor NOT IN ('public', 'restricted', 'bench', 'demo'))
  + (SELECT COUNT(*) FROM loyalty_history.room_history WHERE actor NOT IN ('public', 'restricted', 'bench', 'demo'))
  + (SELECT COUNT(*) FROM loyalty_history.reservation_history WHERE actor NOT IN ('public', 'restricted', 'bench', 'demo'));
COMMIT;
