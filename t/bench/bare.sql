-- What "eight bare single-row INSERTs in one transaction" means here: tables
-- of the columns that a reservation writes, with their primary keys and
-- nothing else: no trigger, no secondary index, no check.
CREATE DATABASE IF NOT EXISTS bench CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE bench;
CREATE TABLE b_user (id BINARY(16) PRIMARY KEY, name VARCHAR(200) NOT NULL, role ENUM('USER','ADMIN') NOT NULL, bonus_points BIGINT NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_room (id BINARY(16) PRIMARY KEY, name VARCHAR(200) NOT NULL, total_amount INT NOT NULL, available_amount INT NOT NULL,
  required_points INT NOT NULL, archived TINYINT NOT NULL, reservable TINYINT NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_reservation (id BINARY(16) PRIMARY KEY, user_id BINARY(16) NOT NULL, room_id BINARY(16) NOT NULL,
  status ENUM('RESERVED','PENDING_APPROVAL') NOT NULL, points INT NOT NULL, created_at DATETIME(6) NOT NULL, updated_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_idempotency (id BINARY(32) PRIMARY KEY, body BINARY(32) NOT NULL, status SMALLINT NOT NULL, problem VARCHAR(40) NOT NULL,
  fields VARBINARY(4000) NOT NULL, created_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_points_history (id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BINARY(16) NOT NULL, from_points BIGINT NOT NULL, to_points BIGINT NOT NULL,
  delta BIGINT NOT NULL, reason VARCHAR(200), reservation_id BINARY(16), actor VARCHAR(100) NOT NULL, request_id VARCHAR(64) NOT NULL,
  changed_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_room_history (id BIGINT AUTO_INCREMENT PRIMARY KEY, room_id BINARY(16) NOT NULL, reservation_id BINARY(16),
  from_name VARCHAR(200), from_total INT, from_available INT, from_points INT, from_archived TINYINT,
  to_name VARCHAR(200) NOT NULL, to_total INT NOT NULL, to_available INT NOT NULL, to_points INT NOT NULL, to_archived TINYINT NOT NULL, mail_id BIGINT,
  actor VARCHAR(100) NOT NULL, request_id VARCHAR(64) NOT NULL, changed_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_reservation_history (id BIGINT AUTO_INCREMENT PRIMARY KEY, reservation_id BINARY(16) NOT NULL, room_id BINARY(16) NOT NULL,
  user_id BINARY(16) NOT NULL, from_status ENUM('RESERVED','PENDING_APPROVAL'), to_status ENUM('RESERVED','PENDING_APPROVAL') NOT NULL,
  points INT, reason VARCHAR(200), mail_id BIGINT, actor VARCHAR(100) NOT NULL, request_id VARCHAR(64) NOT NULL, changed_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE b_outbox (id BIGINT AUTO_INCREMENT PRIMARY KEY, event ENUM('reservation','room') NOT NULL, status ENUM('PENDING','SENT','DEAD') NOT NULL,
  due_at DATETIME(6), reservation_id BINARY(16), room_id BINARY(16) NOT NULL, created_at DATETIME(6) NOT NULL, attempts INT NOT NULL,
  next_attempt_at DATETIME(6), queued_at DATETIME(6), lease_owner BINARY(16), sent_at DATETIME(6), last_error VARCHAR(1000),
  recipients VARCHAR(6000) CHARACTER SET ascii) ENGINE=InnoDB;
DELIMITER $$
CREATE PROCEDURE bare(p_id BINARY(16), p_user BINARY(16), p_room BINARY(16), p_key BINARY(32), p_body BINARY(32), p_request VARCHAR(64))
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  START TRANSACTION;
  INSERT INTO b_user VALUES (p_user, 'User Name', 'USER', 1000000);
  INSERT INTO b_room VALUES (p_room, 'Room Name 1234', 1000000, 999999, 1, 0, 1);
  INSERT INTO b_reservation VALUES (p_id, p_user, p_room, 'RESERVED', 1, v_at, v_at);
  INSERT INTO b_idempotency VALUES (p_key, p_body, 201, '', REPEAT('x', 200), v_at);
  INSERT INTO b_points_history VALUES (NULL, p_user, 1000001, 1000000, -1, NULL, p_id, 'public', p_request, v_at);
  INSERT INTO b_room_history VALUES (NULL, p_room, p_id, 'Room Name 1234', 1000000, 1000000, 1, 0, 'Room Name 1234', 1000000, 999999, 1, 0,
    NULL, 'public', p_request, v_at);
  INSERT INTO b_reservation_history VALUES (NULL, p_id, p_room, p_user, NULL, 'RESERVED', 1, NULL, 1, 'public', p_request, v_at);
  INSERT INTO b_outbox VALUES (NULL, 'reservation', 'PENDING', v_at, p_id, p_room, v_at, 0, v_at, NULL, NULL, NULL, NULL, NULL);
  COMMIT;
END$$
DELIMITER ;
GRANT INSERT, EXECUTE ON bench.* TO 'loyalty_rooms'@'localhost';
