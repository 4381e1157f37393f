-- Which host of several all programs write to and read from, as their lists of hosts have it (procs/writer_take.sql); '': none is agreed.
-- Only programs that have several hosts of a cluster any node of which takes writes (Galera) look at it.
CREATE TABLE IF NOT EXISTS writer (
  id    TINYINT      NOT NULL COMMENT 'always 1',
  host  VARCHAR(255) NOT NULL,
  since DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO writer (id, host, since) VALUES (1, '', UTC_TIMESTAMP(6));
