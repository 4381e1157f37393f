-- Who made, renamed or promoted which account; who had which dead mail sent again.  Written by triggers only.
CREATE TABLE IF NOT EXISTS loyalty_history.user_history (
  id          BIGINT                NOT NULL AUTO_INCREMENT,
  user_id     BINARY(16)            NOT NULL,
  from_name   VARCHAR(200)          NULL COMMENT 'all from_* NULL: the creation',
  from_role   ENUM('USER', 'ADMIN') NULL,
  to_name     VARCHAR(200)          NOT NULL,
  to_role     ENUM('USER', 'ADMIN') NOT NULL,
  reason      VARCHAR(200)          NULL,
  actor       VARCHAR(100)          NOT NULL,
  request_id  VARCHAR(64)           NOT NULL,
  changed_at  DATETIME(6)           NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY user_history_user (user_id, changed_at) COMMENT 'one account, by time',
  KEY user_history_time (changed_at) COMMENT 'all, by time'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Of accounts from before this table only the present is known.
INSERT INTO loyalty_history.user_history (user_id, to_name, to_role, reason, actor, request_id, changed_at)
  SELECT id, name, role, 'found by the migration', 'migration', 'migration', UTC_TIMESTAMP(6) FROM user u
    WHERE NOT EXISTS (SELECT 1 FROM loyalty_history.user_history h WHERE h.user_id = u.id);

CREATE TABLE IF NOT EXISTS loyalty_history.outbox_history (
  id           BIGINT       NOT NULL AUTO_INCREMENT,
  outbox_id    BIGINT       NOT NULL,
  from_status  VARCHAR(8)   NOT NULL,
  to_status    VARCHAR(8)   NOT NULL,
  actor        VARCHAR(100) NOT NULL,
  request_id   VARCHAR(64)  NOT NULL,
  changed_at   DATETIME(6)  NOT NULL COMMENT 'UTC; outbox.queued_at',
  PRIMARY KEY (id),
  KEY outbox_history_outbox (outbox_id, changed_at) COMMENT 'one mail, by time',
  KEY outbox_history_time (changed_at) COMMENT 'all, by time'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO loyalty_history.outbox_history (outbox_id, from_status, to_status, actor, request_id, changed_at)
  SELECT id, 'DEAD', 'PENDING', 'migration', 'migration', queued_at FROM outbox o
    WHERE queued_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM loyalty_history.outbox_history h WHERE h.outbox_id = o.id);
