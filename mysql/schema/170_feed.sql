-- The feed of reservations' changes (procs/event_list.sql): the order in which it gives the rows of reservation_history.
--
-- A row has its place once the feed has seen it committed.  Most are seen in the order of their ids, and their id is their place.  Who
-- commits behind a greater id that was given already is late, and comes behind it: feed_late, the only table that grows.
CREATE TABLE IF NOT EXISTS feed (
  id         TINYINT     NOT NULL COMMENT 'always 1; its lock is the feed''s',
  epoch      BINARY(16)  NOT NULL COMMENT 'another after each restore, and in every cursor',
  low        BIGINT      NOT NULL COMMENT 'the ids up to here are settled: whoever still comes is in feed_open',
  mid        BIGINT      NOT NULL COMMENT 'high at mid_at, and the next low',
  high       BIGINT      NOT NULL COMMENT 'the greatest id that has a place',
  late       BIGINT      NOT NULL COMMENT 'the greatest feed_late.seq',
  looked_at  DATETIME(6) NOT NULL COMMENT 'when late rows were last looked for, UTC',
  mid_at     DATETIME(6) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO feed (id, epoch, low, mid, high, late, looked_at, mid_at)
  VALUES (1, UNHEX(REPLACE(UUID(), '-', '')), 0, 0, 0, 0, '2000-01-01', '2000-01-01');

CREATE TABLE IF NOT EXISTS feed_seen (
  id  BIGINT NOT NULL COMMENT 'of reservation_history, low < id <= high: it has a place',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS feed_open (
  id  BIGINT NOT NULL COMMENT 'of a row that was not committed when the ids around it were settled',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS feed_late (
  id        BIGINT NOT NULL COMMENT 'of reservation_history',
  after_id  BIGINT NOT NULL COMMENT 'its place: behind this id,',
  seq       BIGINT NOT NULL COMMENT 'and among those that are there in this order',
  PRIMARY KEY (id),
  UNIQUE KEY feed_late_place (after_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
