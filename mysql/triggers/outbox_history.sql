-- Who had a dead mail sent again: one history row.  What a notifier does leaves none: the mail's row tells.
DROP TRIGGER IF EXISTS outbox_updated;
DELIMITER $$
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER outbox_updated AFTER UPDATE ON outbox FOR EACH ROW
IF OLD.status = 'DEAD' AND NEW.status <> 'DEAD' THEN
  INSERT INTO loyalty_history.outbox_history (outbox_id, from_status, to_status, actor, request_id, changed_at)
    VALUES (NEW.id, OLD.status, NEW.status,
      COALESCE(@loyalty_actor, 'database'), COALESCE(@loyalty_request_id, CONCAT('connection-', CONNECTION_ID())),
      COALESCE(NEW.queued_at, UTC_TIMESTAMP(6)));
END IF$$
DELIMITER ;
