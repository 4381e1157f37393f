-- A traveller's account, or a member of staff.
CREATE TABLE IF NOT EXISTS user (
  id            BINARY(16)            NOT NULL COMMENT 'UUID',
  name          VARCHAR(200)          NOT NULL,
  role          ENUM('USER', 'ADMIN') NOT NULL,
  bonus_points  BIGINT                NOT NULL DEFAULT 0 COMMENT 'the balance: sum of the deltas in points_history',
  PRIMARY KEY (id),
  CONSTRAINT user_balance CHECK (bonus_points BETWEEN 0 AND 9007199254740991)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
