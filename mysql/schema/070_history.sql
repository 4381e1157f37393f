-- Who changed what from what to what.  Written by triggers only, in the transaction of the change;
-- no account of a service, and no definer, may change or delete a row.
CREATE TABLE IF NOT EXISTS loyalty_history.room_history (
  id              BIGINT       NOT NULL AUTO_INCREMENT,
  room_id         BINARY(16)   NOT NULL,
  reservation_id  BINARY(16)   NULL COMMENT 'the reservation that took or returned the unit',
  from_name       VARCHAR(200) NULL COMMENT 'all from_* NULL: the creation',
  from_total      INT          NULL,
  from_available  INT          NULL,
  from_points     INT          NULL,
  from_archived   TINYINT      NULL,
  to_name         VARCHAR(200) NOT NULL,
  to_total        INT          NOT NULL,
  to_available    INT          NOT NULL,
  to_points       INT          NOT NULL,
  to_archived     TINYINT      NOT NULL,
  actor           VARCHAR(100) NOT NULL,
  request_id      VARCHAR(64)  NOT NULL,
  changed_at      DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY room_history_room (room_id, id) COMMENT 'the history of one room'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS loyalty_history.reservation_history (
  id              BIGINT       NOT NULL AUTO_INCREMENT,
  reservation_id  BINARY(16)   NOT NULL,
  room_id         BINARY(16)   NOT NULL,
  user_id         BINARY(16)   NOT NULL,
  from_status     ENUM('RESERVED', 'PENDING_APPROVAL', 'CANCELLED', 'REJECTED', 'RELEASED') NULL COMMENT 'NULL: the creation',
  to_status       ENUM('RESERVED', 'PENDING_APPROVAL', 'CANCELLED', 'REJECTED', 'RELEASED') NOT NULL,
  actor           VARCHAR(100) NOT NULL,
  request_id      VARCHAR(64)  NOT NULL,
  changed_at      DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY reservation_history_reservation (reservation_id, id) COMMENT 'the history of one reservation'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS loyalty_history.points_history (
  id              BIGINT       NOT NULL AUTO_INCREMENT,
  user_id         BINARY(16)   NOT NULL,
  from_points     BIGINT       NOT NULL COMMENT 'the balance before',
  to_points       BIGINT       NOT NULL COMMENT 'the balance after',
  delta           BIGINT       NOT NULL,
  reason          VARCHAR(200) NULL,
  reservation_id  BINARY(16)   NULL,
  actor           VARCHAR(100) NOT NULL,
  request_id      VARCHAR(64)  NOT NULL,
  changed_at      DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY points_history_user (user_id, id) COMMENT 'the history of one account',
  CONSTRAINT points_history_delta CHECK (delta = to_points - from_points AND delta <> 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
