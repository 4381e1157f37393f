-- What was done to this database, and which programs fit it.
CREATE TABLE IF NOT EXISTS schema_migration (
  step        VARCHAR(100) NOT NULL COMMENT 'file below mysql/, e.g. schema/020_room.sql',
  checksum    CHAR(64)     NOT NULL COMMENT 'SHA-256 of the file as it was applied, hexadecimal',
  applied_at  DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (step)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS schema_info (
  id       TINYINT NOT NULL COMMENT 'always 1: there is one row',
  version  INT     NOT NULL COMMENT 'a program refuses to work on any other than its own (mysql/VERSION)',
  PRIMARY KEY (id),
  CONSTRAINT schema_info_one CHECK (id = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
