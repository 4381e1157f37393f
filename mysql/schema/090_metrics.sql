-- What all instances of all services have answered since the installation.  Each process adds its own counts every
-- few seconds, so the numbers outlive it.
CREATE TABLE IF NOT EXISTS metric_request (
  service   VARCHAR(20)  NOT NULL,
  method    VARCHAR(10)  NOT NULL,
  route     VARCHAR(100) NOT NULL COMMENT 'path with {id}, or empty: none of ours',
  status    SMALLINT     NOT NULL,
  time_us   BIGINT       NOT NULL COMMENT 'sum of the times that answering took, microseconds',
  le_1      BIGINT       NOT NULL COMMENT 'answered within 1 ms; each bucket counts what the one before it does not',
  le_2      BIGINT       NOT NULL COMMENT '2.5 ms',
  le_3      BIGINT       NOT NULL COMMENT '5 ms',
  le_4      BIGINT       NOT NULL COMMENT '10 ms',
  le_5      BIGINT       NOT NULL COMMENT '25 ms',
  le_6      BIGINT       NOT NULL COMMENT '50 ms',
  le_7      BIGINT       NOT NULL COMMENT '100 ms',
  le_8      BIGINT       NOT NULL COMMENT '250 ms',
  le_9      BIGINT       NOT NULL COMMENT '500 ms',
  le_10     BIGINT       NOT NULL COMMENT '1 s',
  le_11     BIGINT       NOT NULL COMMENT '2.5 s',
  le_12     BIGINT       NOT NULL COMMENT '5 s',
  le_inf    BIGINT       NOT NULL COMMENT 'longer',
  PRIMARY KEY (service, method, route, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS metric_retry (
  service  VARCHAR(20) NOT NULL,
  retries  BIGINT      NOT NULL COMMENT 'transactions that met another and were begun again',
  PRIMARY KEY (service)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
