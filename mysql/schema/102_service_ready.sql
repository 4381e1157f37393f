-- What `ready` writes, to see that a write would work.
CREATE TABLE IF NOT EXISTS service_ready (
  service    VARCHAR(20)  NOT NULL COMMENT 'its account, without loyalty_',
  looked_at  DATETIME(6)  NOT NULL COMMENT 'UTC; the last time that it was found fit to work',
  PRIMARY KEY (service)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO service_ready (service, looked_at) VALUES
  ('rooms', '2000-01-01'), ('points', '2000-01-01'), ('admin', '2000-01-01'), ('notifier', '2000-01-01');
