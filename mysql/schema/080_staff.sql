-- What the staff's lists need: histories by time, of all and of one thing; the outbox by status; and when a
-- dead mail was queued again, so that it gets a new lifetime.
-- An index can't be added "if not exists" on both servers, so a procedure looks first.
DROP PROCEDURE IF EXISTS migrate_080;
DELIMITER $$
CREATE PROCEDURE migrate_080()
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty_history' AND table_name = 'room_history' AND index_name = 'room_history_time') THEN
    ALTER TABLE loyalty_history.room_history ADD KEY room_history_time (changed_at) COMMENT 'all, by time',
      DROP KEY room_history_room, ADD KEY room_history_room (room_id, changed_at) COMMENT 'one room, by time';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty_history' AND table_name = 'reservation_history' AND index_name = 'reservation_history_time') THEN
    ALTER TABLE loyalty_history.reservation_history ADD KEY reservation_history_time (changed_at) COMMENT 'all, by time',
      DROP KEY reservation_history_reservation,
      ADD KEY reservation_history_reservation (reservation_id, changed_at) COMMENT 'one reservation, by time';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty_history' AND table_name = 'points_history' AND index_name = 'points_history_time') THEN
    ALTER TABLE loyalty_history.points_history ADD KEY points_history_time (changed_at) COMMENT 'all, by time',
      DROP KEY points_history_user, ADD KEY points_history_user (user_id, changed_at) COMMENT 'one account, by time';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty' AND table_name = 'outbox' AND index_name = 'outbox_status') THEN
    ALTER TABLE outbox ADD COLUMN queued_at DATETIME(6) NULL COMMENT 'UTC; when staff queued a dead mail again' AFTER next_attempt_at,
      ADD KEY outbox_status (status, id) COMMENT 'GET /v1/admin/outbox?status=';
  END IF;
END$$
DELIMITER ;
CALL migrate_080();
DROP PROCEDURE migrate_080;
