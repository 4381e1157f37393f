-- Log lines that were dropped since the installation, because standard error did not take them.
CREATE TABLE IF NOT EXISTS metric_log (
  service  VARCHAR(20) NOT NULL,
  dropped  BIGINT      NOT NULL COMMENT 'log lines',
  PRIMARY KEY (service)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
