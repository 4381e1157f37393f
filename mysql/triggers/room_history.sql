-- Every change of a room's name, amounts, price or archived flag: one history row.
-- What staff change of what guests can reserve (made, total, archived or back): one mail as well, which the history row names.
-- Names are compared as bytes: the collation pads, so 'A' and 'A ' would pass for equal.
DROP TRIGGER IF EXISTS room_inserted;
DROP TRIGGER IF EXISTS room_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER room_inserted AFTER INSERT ON room FOR EACH ROW
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT COALESCE(@loyalty_at, UTC_TIMESTAMP(6));

  INSERT INTO outbox (event, due_at, room_id, created_at, next_attempt_at) VALUES ('room', v_at, NEW.id, v_at, v_at);
  INSERT INTO loyalty_history.room_history (room_id, to_name, to_total, to_available, to_points, to_archived, mail_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.name, NEW.total_amount, NEW.available_amount, NEW.required_points, NEW.archived, LAST_INSERT_ID(),
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())), v_at);
END$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER room_updated AFTER UPDATE ON room FOR EACH ROW
IF NOT (NEW.available_amount = OLD.available_amount AND NEW.total_amount = OLD.total_amount
    AND NEW.required_points = OLD.required_points AND NEW.archived = OLD.archived
    AND CAST(NEW.name AS BINARY) = CAST(OLD.name AS BINARY)) THEN
  IF NEW.total_amount <> OLD.total_amount OR NEW.archived <> OLD.archived THEN
    INSERT INTO outbox (event, due_at, room_id, created_at, next_attempt_at)
      VALUES ('room', COALESCE(@loyalty_at, UTC_TIMESTAMP(6)), NEW.id,
        COALESCE(@loyalty_at, UTC_TIMESTAMP(6)), COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
  END IF;
  INSERT INTO loyalty_history.room_history (room_id, reservation_id,
      from_name, from_total, from_available, from_points, from_archived,
      to_name, to_total, to_available, to_points, to_archived, mail_id, actor, request_id, changed_at)
    VALUES (NEW.id, @loyalty_reservation,
      OLD.name, OLD.total_amount, OLD.available_amount, OLD.required_points, OLD.archived,
      NEW.name, NEW.total_amount, NEW.available_amount, NEW.required_points, NEW.archived,
      IF(NEW.total_amount <> OLD.total_amount OR NEW.archived <> OLD.archived, LAST_INSERT_ID(), NULL),
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF$$
DELIMITER ;
