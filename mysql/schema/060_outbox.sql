-- A mail to the service owner for each event, with the state of things at the event.
-- Rows come from triggers only.  Those of one reservation go out one after the other: a row
-- behind a pending one of its reservation has no due_at until that one is settled.
CREATE TABLE IF NOT EXISTS outbox (
  id               BIGINT       NOT NULL AUTO_INCREMENT,
  event            ENUM('reservation', 'room') NOT NULL,
  status           ENUM('PENDING', 'SENT', 'DEAD') NOT NULL DEFAULT 'PENDING',
  due_at           DATETIME(6)  NULL COMMENT 'UTC; when it may be claimed: next_attempt_at, or the end of a lease; NULL: never, or behind another',
  reservation_id   BINARY(16)   NULL,
  room_id          BINARY(16)   NOT NULL,
  user_id          BINARY(16)   NULL,
  room_name        VARCHAR(200) NOT NULL,
  room_total       INT          NOT NULL,
  room_available   INT          NOT NULL,
  room_points      INT          NOT NULL,
  room_archived    TINYINT      NOT NULL,
  user_name        VARCHAR(200) NULL,
  user_points      BIGINT       NULL COMMENT 'the balance after the event',
  from_status      VARCHAR(16)  NULL,
  to_status        VARCHAR(16)  NULL,
  points           INT          NULL,
  detail           VARCHAR(200) NULL COMMENT 'what happened to a room, or why a reservation was rejected',
  actor            VARCHAR(100) NOT NULL,
  request_id       VARCHAR(64)  NOT NULL,
  created_at       DATETIME(6)  NOT NULL COMMENT 'UTC',
  attempts         INT          NOT NULL DEFAULT 0,
  next_attempt_at  DATETIME(6)  NULL COMMENT 'UTC; NULL once SENT or DEAD',
  lease_owner      BINARY(16)   NULL COMMENT 'the notifier that has it at hand',
  sent_at          DATETIME(6)  NULL COMMENT 'UTC',
  last_error       VARCHAR(1000) NULL,
  PRIMARY KEY (id),
  KEY outbox_due (status, due_at) COMMENT 'outbox_claim',
  KEY outbox_reservation (reservation_id) COMMENT 'order within one reservation'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS outbox_pruned (
  id         TINYINT     NOT NULL COMMENT 'always 1: there is one row, or none yet',
  highest    BIGINT      NOT NULL COMMENT 'highest outbox id that was pruned: SENT rows up to here may be gone',
  pruned     BIGINT      NOT NULL COMMENT 'how many rows are gone',
  pruned_at  DATETIME(6) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  CONSTRAINT outbox_pruned_one CHECK (id = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
