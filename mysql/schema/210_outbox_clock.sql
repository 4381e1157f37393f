-- The latest time at which mails were claimed, ten seconds old at most while a notifier runs: a clock that is behind it went back (procs/outbox_claim.sql).
CREATE TABLE IF NOT EXISTS outbox_clock (
  id      TINYINT     NOT NULL COMMENT 'always 1',
  seen_at DATETIME(6) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO outbox_clock (id, seen_at) VALUES (1, UTC_TIMESTAMP(6));
