-- As schema version 2 had it: what it wrote is what a migration finds.
DROP TRIGGER IF EXISTS room_inserted;
DROP TRIGGER IF EXISTS room_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER room_inserted AFTER INSERT ON room FOR EACH ROW
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT COALESCE(@loyalty_at, UTC_TIMESTAMP(6));
  DECLARE v_actor VARCHAR(100) DEFAULT COALESCE(@loyalty_actor, 'database');
  DECLARE v_request VARCHAR(64) DEFAULT COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID()));

  INSERT INTO loyalty_history.room_history (room_id, to_name, to_total, to_available, to_points, to_archived,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.name, NEW.total_amount, NEW.available_amount, NEW.required_points, NEW.archived,
      v_actor, v_request, v_at);
  INSERT INTO outbox (event, due_at, room_id, room_name, room_total, room_available, room_points, room_archived,
      detail, actor, request_id, created_at, next_attempt_at)
    VALUES ('room', v_at, NEW.id, NEW.name, NEW.total_amount, NEW.available_amount, NEW.required_points, NEW.archived,
      'new room', v_actor, v_request, v_at, v_at);
END$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER room_updated AFTER UPDATE ON room FOR EACH ROW
IF NOT (NEW.available_amount = OLD.available_amount AND NEW.total_amount = OLD.total_amount
    AND NEW.required_points = OLD.required_points AND NEW.archived = OLD.archived
    AND CAST(NEW.name AS BINARY) = CAST(OLD.name AS BINARY)) THEN
  INSERT INTO loyalty_history.room_history (room_id, reservation_id,
      from_name, from_total, from_available, from_points, from_archived,
      to_name, to_total, to_available, to_points, to_archived, actor, request_id, changed_at)
    VALUES (NEW.id, @loyalty_reservation,
      OLD.name, OLD.total_amount, OLD.available_amount, OLD.required_points, OLD.archived,
      NEW.name, NEW.total_amount, NEW.available_amount, NEW.required_points, NEW.archived,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
  IF NEW.total_amount <> OLD.total_amount OR NEW.archived <> OLD.archived THEN
    INSERT INTO outbox (event, due_at, room_id, room_name, room_total, room_available, room_points, room_archived,
        detail, actor, request_id, created_at, next_attempt_at)
      VALUES ('room', COALESCE(@loyalty_at, UTC_TIMESTAMP(6)), NEW.id, NEW.name, NEW.total_amount,
        NEW.available_amount, NEW.required_points, NEW.archived,
        CONCAT_WS(', ',
          CASE WHEN NEW.archived > OLD.archived THEN 'archived' WHEN NEW.archived < OLD.archived THEN 'brought back' END,
          IF(NEW.total_amount <> OLD.total_amount, CONCAT('total ', OLD.total_amount, ' to ', NEW.total_amount), NULL)),
        COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
        COALESCE(@loyalty_at, UTC_TIMESTAMP(6)), COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
  END IF;
END IF$$
DELIMITER ;
