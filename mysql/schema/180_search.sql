-- What lists are searched and ordered by: names with case and accents folded, in a column of their own, and what tells a page of
-- an ordered list who has moved since its first page.  No reservation changes any of it, so none pays for the indexes.
-- The columns are filled by triggers (triggers/*_folded.sql), by the procedures that rename, and for what was there before by
-- procs/z_names_folded.sql.  MariaDB before 10.8 makes no descending index; there those two lists are sorted at each page.
-- Neither a column nor an index can be added "if not exists" on both servers, so a procedure looks first.
CREATE TABLE IF NOT EXISTS list_move (
  list   VARCHAR(8)  NOT NULL COMMENT 'room or user',
  moves  BIGINT      NOT NULL COMMENT 'how often one of them got another name or price; locked by who does so up to the COMMIT',
  PRIMARY KEY (list)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO list_move (list, moves) VALUES ('room', 0), ('user', 0);
DROP PROCEDURE IF EXISTS migrate_180;
DELIMITER $$
CREATE PROCEDURE migrate_180()
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty' AND table_name = 'room' AND column_name = 'name_folded') THEN
    ALTER TABLE room
      ADD COLUMN name_folded VARBINARY(2400) NULL COMMENT 'fold(name); who changes a name by hand changes it, too',
      ADD COLUMN renamed BIGINT NOT NULL DEFAULT 0 COMMENT 'list_move.moves at the last change of the name',
      ADD COLUMN repriced BIGINT NOT NULL DEFAULT 0 COMMENT 'list_move.moves at the last change of the price';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.columns
      WHERE table_schema = 'loyalty' AND table_name = 'user' AND column_name = 'name_folded') THEN
    ALTER TABLE user
      ADD COLUMN name_folded VARBINARY(2400) NULL COMMENT 'fold(name); who changes a name by hand changes it, too',
      ADD COLUMN renamed BIGINT NOT NULL DEFAULT 0 COMMENT 'list_move.moves at the last change of the name';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty' AND table_name = 'room' AND index_name = 'room_name') THEN
    ALTER TABLE room
      ADD KEY room_name (name_folded, id, required_points) COMMENT 'sort=name',
      ADD KEY room_name_down (name_folded DESC, id, required_points) COMMENT 'sort=-name',
      ADD KEY room_price (required_points, id, name_folded) COMMENT 'sort=required_points',
      ADD KEY room_price_down (required_points DESC, id, name_folded) COMMENT 'sort=-required_points';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
      WHERE table_schema = 'loyalty' AND table_name = 'user' AND index_name = 'user_name') THEN
    ALTER TABLE user
      ADD KEY user_name (name_folded, id) COMMENT 'q, sort=name',
      ADD KEY user_name_down (name_folded DESC, id) COMMENT 'sort=-name';
  END IF;
END$$
DELIMITER ;
CALL migrate_180();
DROP PROCEDURE migrate_180;
