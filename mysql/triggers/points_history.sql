-- Every change of a balance: one row of the points' history.  Every account that is made, renamed, given another role
-- or erased: one of the accounts' history.  None where nothing changed.  Names are compared as bytes: the collation pads.
DROP TRIGGER IF EXISTS user_inserted;
DROP TRIGGER IF EXISTS user_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER user_inserted AFTER INSERT ON user FOR EACH ROW
BEGIN
INSERT INTO loyalty_history.user_history (user_id, to_name, to_role, reason, actor, request_id, changed_at)
  VALUES (NEW.id, NEW.name, NEW.role, @loyalty_reason,
    COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
    COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
IF NEW.bonus_points <> 0 THEN
  INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, reason, reservation_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, 0, NEW.bonus_points, NEW.bonus_points, @loyalty_reason, @loyalty_reservation,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF;
END$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER user_updated AFTER UPDATE ON user FOR EACH ROW
BEGIN
IF NOT (NEW.role = OLD.role AND CAST(NEW.name AS BINARY) = CAST(OLD.name AS BINARY) AND NEW.erased_at <=> OLD.erased_at) THEN
  INSERT INTO loyalty_history.user_history (user_id, from_name, from_role, to_name, to_role, reason, actor, request_id, changed_at)
    VALUES (NEW.id, OLD.name, OLD.role, NEW.name, NEW.role, @loyalty_reason,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF;
IF NEW.bonus_points <> OLD.bonus_points THEN
  INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, reason, reservation_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, OLD.bonus_points, NEW.bonus_points, NEW.bonus_points - OLD.bonus_points,
      @loyalty_reason, @loyalty_reservation,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF;
END$$
DELIMITER ;
