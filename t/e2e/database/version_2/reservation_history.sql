-- As schema version 2 had it: what it wrote is what a migration finds.
DROP TRIGGER IF EXISTS reservation_inserted;
DROP TRIGGER IF EXISTS reservation_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER reservation_inserted AFTER INSERT ON reservation FOR EACH ROW
BEGIN
  DECLARE v_actor VARCHAR(100) DEFAULT COALESCE(@loyalty_actor, 'database');
  DECLARE v_request VARCHAR(64) DEFAULT COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID()));

  INSERT INTO loyalty_history.reservation_history (reservation_id, room_id, user_id, to_status,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.room_id, NEW.user_id, NEW.status, v_actor, v_request, NEW.created_at);
  INSERT INTO outbox (event, due_at, reservation_id, room_id, user_id,
      room_name, room_total, room_available, room_points, room_archived, user_name, user_points,
      to_status, points, actor, request_id, created_at, next_attempt_at)
    SELECT 'reservation', NEW.created_at, NEW.id, r.id, u.id,
        r.name, r.total_amount, r.available_amount, r.required_points, r.archived, u.name, u.bonus_points,
        NEW.status, NEW.points, v_actor, v_request, NEW.created_at, NEW.created_at
      FROM room r JOIN user u ON u.id = NEW.user_id WHERE r.id = NEW.room_id;
END$$

CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER reservation_updated AFTER UPDATE ON reservation FOR EACH ROW
IF NEW.status <> OLD.status THEN
BEGIN
  DECLARE v_actor VARCHAR(100) DEFAULT COALESCE(@loyalty_actor, 'database');
  DECLARE v_request VARCHAR(64) DEFAULT COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID()));
  DECLARE v_earlier BIGINT DEFAULT (SELECT id FROM outbox
    WHERE reservation_id = NEW.id AND status = 'PENDING' ORDER BY id DESC LIMIT 1 LOCK IN SHARE MODE);

  INSERT INTO loyalty_history.reservation_history (reservation_id, room_id, user_id, from_status, to_status,
      actor, request_id, changed_at)
    VALUES (NEW.id, NEW.room_id, NEW.user_id, OLD.status, NEW.status, v_actor, v_request, NEW.updated_at);
  INSERT INTO outbox (event, due_at, reservation_id, room_id, user_id,
      room_name, room_total, room_available, room_points, room_archived, user_name, user_points,
      from_status, to_status, points, detail, actor, request_id, created_at, next_attempt_at)
    SELECT 'reservation', IF(v_earlier IS NULL, NEW.updated_at, NULL), NEW.id, r.id, u.id,
        r.name, r.total_amount, r.available_amount, r.required_points, r.archived, u.name, u.bonus_points,
        OLD.status, NEW.status, NEW.points, @loyalty_reason, v_actor, v_request, NEW.updated_at, NEW.updated_at
      FROM room r JOIN user u ON u.id = NEW.user_id WHERE r.id = NEW.room_id;
END;
END IF$$
DELIMITER ;
