-- What "eight bare INSERTs" means here: the rows that a reservation writes, into tables of the product's columns, checks and
-- indexes, and nothing else: no trigger, no read, no decision.  They are LIKE its own, so they follow the schema.
-- A reservation changes neither room_reservable nor any other index of room or user; the INSERTs shall not pay for one.
DROP DATABASE IF EXISTS bench;
CREATE DATABASE bench CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE bench;
CREATE TABLE b_user LIKE loyalty.user;
CREATE TABLE b_room LIKE loyalty.room;
ALTER TABLE b_room DROP KEY room_reservable;
CREATE TABLE b_reservation LIKE loyalty.reservation;
CREATE TABLE b_idempotency LIKE loyalty.idempotency;
CREATE TABLE b_outbox LIKE loyalty.outbox;
CREATE TABLE b_points_history LIKE loyalty_history.points_history;
CREATE TABLE b_room_history LIKE loyalty_history.room_history;
CREATE TABLE b_reservation_history LIKE loyalty_history.reservation_history;
DELIMITER $$
CREATE PROCEDURE bare(p_id BINARY(16), p_user BINARY(16), p_room BINARY(16), p_key BINARY(32), p_body BINARY(32), p_request VARCHAR(64))
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  START TRANSACTION;
  INSERT INTO b_user (id, name, role, bonus_points) VALUES (p_user, 'Bench User 1234', 'USER', 1000000);
  INSERT INTO b_room (id, name, total_amount, available_amount, required_points, archived, reservable)
    VALUES (p_room, 'Bench Room 1234', 1000000, 999999, 1, 0, 1);
  INSERT INTO b_reservation (id, user_id, room_id, status, points, created_at, updated_at) VALUES (p_id, p_user, p_room, 'RESERVED', 1, v_at, v_at);
  INSERT INTO b_points_history (user_id, from_points, to_points, delta, reservation_id, actor, request_id, changed_at)
    VALUES (p_user, 1000001, 1000000, -1, p_id, 'public', p_request, v_at);
  INSERT INTO b_room_history (room_id, reservation_id, from_name, from_total, from_available, from_points, from_archived,
      to_name, to_total, to_available, to_points, to_archived, actor, request_id, changed_at)
    VALUES (p_room, p_id, 'Bench Room 1234', 1000000, 1000000, 1, 0, 'Bench Room 1234', 1000000, 999999, 1, 0, 'public', p_request, v_at);
  INSERT INTO b_outbox (event, due_at, reservation_id, room_id, created_at, next_attempt_at) VALUES ('reservation', v_at, p_id, p_room, v_at, v_at);
  INSERT INTO b_reservation_history (reservation_id, room_id, user_id, to_status, points, mail_id, actor, request_id, changed_at)
    VALUES (p_id, p_room, p_user, 'RESERVED', 1, 1, 'public', p_request, v_at);
  INSERT INTO b_idempotency (id, body, created_at, entity, status, points, room_name, available_amount, required_points, user_name, role)
    VALUES (p_key, p_body, v_at, p_id, 'RESERVED', 1, 'Bench Room 1234', 999999, 1, 'Bench User 1234', 'USER');
  COMMIT;
END$$
DELIMITER ;
GRANT INSERT, EXECUTE ON bench.* TO 'loyalty_rooms'@'localhost';
