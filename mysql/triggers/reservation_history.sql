-- Every change of a reservation's status: one mail, and one history row that names it.  What the mail says is read from the
-- history when it is claimed.
--
-- Order: a mail behind a pending one of its reservation is not due (due_at NULL) until that one is settled.  The shared lock on
-- the earlier row makes outbox_settle wait for our commit, so it can't miss the row that it has to wake.  A new reservation has
-- no earlier mail.  No local variable stands in an INSERT: the server would write its value into the statement's text each time.
DROP TRIGGER IF EXISTS reservation_inserted;
DROP TRIGGER IF EXISTS reservation_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER reservation_inserted AFTER INSERT ON reservation FOR EACH ROW
BEGIN
  INSERT INTO outbox (event, due_at, reservation_id, room_id, created_at, next_attempt_at)
    VALUES ('reservation', NEW.created_at, NEW.id, NEW.room_id, NEW.created_at, NEW.created_at);
  INSERT INTO loyalty_history.reservation_history (reservation_id, room_id, user_id, to_status, points, mail_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.room_id, NEW.user_id, NEW.status, NEW.points, LAST_INSERT_ID(),
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())), NEW.created_at);
END$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER reservation_updated AFTER UPDATE ON reservation FOR EACH ROW
IF NEW.status <> OLD.status THEN
BEGIN
  DECLARE v_earlier BIGINT DEFAULT (SELECT o.id
    FROM loyalty_history.reservation_history h STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
    WHERE h.reservation_id = NEW.id AND o.status = 'PENDING' LIMIT 1 LOCK IN SHARE MODE);

  INSERT INTO outbox (event, due_at, reservation_id, room_id, created_at, next_attempt_at)
    VALUES ('reservation', IF(v_earlier IS NULL, NEW.updated_at, NULL), NEW.id, NEW.room_id, NEW.updated_at, NEW.updated_at);
  INSERT INTO loyalty_history.reservation_history (reservation_id, room_id, user_id, from_status, to_status, points, reason, mail_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.room_id, NEW.user_id, OLD.status, NEW.status, NEW.points, @loyalty_reason, LAST_INSERT_ID(),
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())), NEW.updated_at);
END;
END IF$$
DELIMITER ;
