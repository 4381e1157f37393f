-- What was answered under an Idempotency-Key: enough to give the same bytes again.
CREATE TABLE IF NOT EXISTS idempotency (
  id          BINARY(32)      NOT NULL COMMENT 'SHA-256 over role, method, path and key',
  body        BINARY(32)      NOT NULL COMMENT 'SHA-256 of the request body',
  status      SMALLINT        NOT NULL COMMENT 'HTTP status: 2xx or 409',
  problem     VARCHAR(40)     NOT NULL COMMENT 'name of the problem, or empty',
  fields      VARBINARY(4000) NOT NULL COMMENT 'values of the answer, joined with U+001F',
  created_at  DATETIME(6)     NOT NULL COMMENT 'UTC; pruned after 48 hours',
  PRIMARY KEY (id),
  KEY idempotency_age (created_at) COMMENT 'prune'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
