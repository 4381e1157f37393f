-- An outbox row says which change its mail is of and how far its delivery is, no more: what the mail says is read from the
-- history and the tables when it is claimed or listed (procs/outbox_mail.sql).  The history row of the change names the mail, so
-- that both are found by a primary key, and keeps what only the mail had: a reservation's points and the reason.
-- In pieces of 10,000 rows, each of which can be done twice, so an interrupted run is completed by the next one.
DROP VIEW IF EXISTS audit_mail;
DROP PROCEDURE IF EXISTS migrate_150;
DELIMITER $$
CREATE PROCEDURE migrate_150()
BEGIN
  DECLARE v_at BIGINT DEFAULT 0;
  DECLARE v_last BIGINT;

  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty_history' AND table_name = 'reservation_history' AND column_name = 'mail_id') THEN
    ALTER TABLE loyalty_history.reservation_history
      ADD COLUMN points INT NULL COMMENT 'after the change; NULL: from before this column, and nobody knows' AFTER to_status,
      ADD COLUMN reason VARCHAR(200) NULL AFTER points,
      ADD COLUMN mail_id BIGINT NULL COMMENT 'outbox.id of its mail; NULL: the mail was pruned before this column was there' AFTER reason;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty_history' AND table_name = 'room_history' AND column_name = 'mail_id') THEN
    ALTER TABLE loyalty_history.room_history
      ADD COLUMN mail_id BIGINT NULL COMMENT 'outbox.id of its mail; NULL: none, or pruned before this column was there' AFTER to_archived;
  END IF;

  IF EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty' AND table_name = 'outbox' AND column_name = 'room_name') THEN
    SELECT COALESCE(MAX(id), 0) INTO v_last FROM outbox;
    WHILE v_at < v_last DO
      UPDATE outbox o STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation)
          ON h.reservation_id = o.reservation_id AND h.changed_at = o.created_at AND h.request_id = o.request_id
            AND h.from_status <=> o.from_status AND h.to_status = o.to_status
        SET h.mail_id = o.id, h.points = o.points, h.reason = o.detail
        WHERE o.id > v_at AND o.id <= v_at + 10000;
      UPDATE outbox o STRAIGHT_JOIN loyalty_history.room_history h FORCE INDEX (room_history_room)
          ON h.room_id = o.room_id AND h.changed_at = o.created_at AND h.request_id = o.request_id
            AND (h.from_total IS NULL OR h.from_total <> h.to_total OR h.from_archived <> h.to_archived)
        SET h.mail_id = o.id
        WHERE o.event = 'room' AND o.id > v_at AND o.id <= v_at + 10000;
      SET v_at = v_at + 10000;
    END WHILE;
    -- What an approval has lowered is known from it on; what none has lowered, from the beginning.
    SELECT 0, COALESCE(MAX(id), 0) INTO v_at, v_last FROM loyalty_history.reservation_history;
    WHILE v_at < v_last DO
      UPDATE loyalty_history.reservation_history h STRAIGHT_JOIN reservation v ON v.id = h.reservation_id
          LEFT JOIN loyalty_history.reservation_history a FORCE INDEX (reservation_history_reservation)
            ON a.reservation_id = h.reservation_id AND a.from_status = 'PENDING_APPROVAL' AND a.to_status = 'RESERVED'
        SET h.points = v.points
        WHERE h.id > v_at AND h.id <= v_at + 10000 AND h.points IS NULL AND (a.id IS NULL OR a.id <= h.id);
      SET v_at = v_at + 10000;
    END WHILE;
    IF EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = 'loyalty' AND table_name = 'outbox' AND index_name = 'outbox_reservation') THEN
      ALTER TABLE outbox DROP KEY outbox_reservation;
    END IF;
    ALTER TABLE outbox DROP COLUMN user_id, DROP COLUMN room_name, DROP COLUMN room_total, DROP COLUMN room_available,
      DROP COLUMN room_points, DROP COLUMN room_archived, DROP COLUMN user_name, DROP COLUMN user_points, DROP COLUMN from_status,
      DROP COLUMN to_status, DROP COLUMN points, DROP COLUMN detail, DROP COLUMN actor, DROP COLUMN request_id;
  END IF;
END$$
DELIMITER ;
CALL migrate_150();
DROP PROCEDURE migrate_150;
