-- Every change of a balance: one history row; none where nothing changed.
DROP TRIGGER IF EXISTS user_inserted;
DROP TRIGGER IF EXISTS user_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER user_inserted AFTER INSERT ON user FOR EACH ROW
IF NEW.bonus_points <> 0 THEN
  INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, reason, reservation_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, 0, NEW.bonus_points, NEW.bonus_points, @loyalty_reason, @loyalty_reservation,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER user_updated AFTER UPDATE ON user FOR EACH ROW
IF NEW.bonus_points <> OLD.bonus_points THEN
  INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, reason, reservation_id,
      actor, request_id, changed_at)
    VALUES (NEW.id, OLD.bonus_points, NEW.bonus_points, NEW.bonus_points - OLD.bonus_points,
      @loyalty_reason, @loyalty_reservation,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(@loyalty_at, UTC_TIMESTAMP(6)));
END IF$$
DELIMITER ;
