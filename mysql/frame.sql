-- What all writing procedures have in common.  mysql/migrate puts each part in place of its marks in procs/*.sql (see expand).
--
-- begin    locals, the handler of errors, the transaction.  Behind it a procedure takes its locks.
-- context  who, what and when, for the triggers: once the locks are held, so that the time is that of the change.  ARGS: more.
-- keep     the record under the Idempotency-Key, and COMMIT.  ARGS: columns of the record that the answer is made from;
--          what the request's path and body tell, and what never changes, needs none.
-- answer   the result, one row.  ARGS: the columns of a success.
-- mail_names  (of those that read mails) what room and guest were called at the event of m, a row of outbox_mail; where the history
--          begins later (a clock was set back), the first name.
--
-- From context to keep stands the procedure's decision: it writes, or sets v_problem and what the sentence of that problem
-- names (lib/problem.c): v_text, v_n, v_m.
-- Result: replayed (0 or 1) and ARGS; or problem, id of the request that it was first given to, replayed, v_text, v_n, v_m.
--
-- The key is not looked up: most are new.  The decision is made and its record inserted, last of all; where there is one already,
-- everything is undone, and that one is the answer.  So what is at hand may also meet its own traces, as where the answer to
-- it was lost and it is sent again: a duplicate key of any table is looked up.  If the record has nothing to do with it, two made
-- the same room or account at once: the error is the caller's, who tries again.
-- What is not to be kept is undone with its record.
-- @begin
  DECLARE v_problem VARCHAR(40);
  DECLARE v_replayed TINYINT DEFAULT 0;
  DECLARE v_text VARCHAR(200);
  DECLARE v_n, v_m BIGINT;
  DECLARE v_at DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;
  BEGIN
  DECLARE EXIT HANDLER FOR 1062 SET v_problem = 'duplicate';

  START TRANSACTION;
-- @context
  SET v_at = UTC_TIMESTAMP(6);
  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id, @loyalty_at = v_at__ARGS__;
-- @keep
  IF v_problem IS NULL THEN
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, created_at, __ARGS__) VALUES (p_key, p_body, v_at, __V_ARGS__);
    END IF;
    COMMIT;
  ELSE
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, created_at, problem, request_id, text, n, m)
        VALUES (p_key, p_body, v_at, v_problem, p_request_id, v_text, v_n, v_m);
    END IF;
    IF v_problem IN ('user-not-found', 'room-not-found', 'reservation-not-found', 'mail-not-found', 'points-above-price',
        'precondition-failed') THEN
      ROLLBACK;
    ELSE
      COMMIT;
    END IF;
  END IF;
  END;
  IF v_problem = 'duplicate' THEN
    SELECT 1, problem, request_id, text, n, m, created_at, __ARGS__
      INTO v_replayed, v_problem, p_request_id, v_text, v_n, v_m, v_at, __V_ARGS__
      FROM idempotency WHERE id = p_key AND body = p_body LOCK IN SHARE MODE;
    IF v_replayed = 0 THEN
      IF NOT EXISTS (SELECT 1 FROM idempotency WHERE id = p_key) THEN
        SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = 'another made the same at the same time';
      END IF;
      SET v_problem = 'idempotency-key-reused';
    END IF;
    ROLLBACK;
  END IF;
-- @answer
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  IF v_problem IS NULL THEN
    SELECT v_replayed, __ARGS__;
  ELSE
    SELECT v_problem, p_request_id, v_replayed, v_text, v_n, v_m;
  END IF;
-- @reservation
  DECLARE v_status VARCHAR(16);
  DECLARE v_points, v_available_amount, v_required_points INT;
  DECLARE v_user_name, v_room_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
-- @existing
  DECLARE v_user, v_room BINARY(16);
  DECLARE v_created DATETIME(6);
-- @begin_existing
  SELECT user_id, room_id, created_at INTO v_user, v_room, v_created FROM reservation WHERE id = p_id;
  SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user WHERE id = v_user FOR UPDATE;
  SELECT status, points INTO v_status, v_points FROM reservation WHERE id = p_id FOR UPDATE;
-- @room
    SELECT name, available_amount, required_points INTO v_room_name, v_available_amount, v_required_points
      FROM room WHERE id = v_room;
-- @mail_names
        COALESCE(m.to_name,
          (SELECT t.to_name FROM loyalty_history.room_history t FORCE INDEX (room_history_room)
            WHERE t.room_id = m.room_id AND t.changed_at <= m.created_at ORDER BY t.changed_at DESC, t.id DESC LIMIT 1),
          (SELECT t.to_name FROM loyalty_history.room_history t FORCE INDEX (room_history_room)
            WHERE t.room_id = m.room_id ORDER BY t.changed_at, t.id LIMIT 1)) AS room_name,
        COALESCE(
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id AND t.changed_at <= m.created_at ORDER BY t.changed_at DESC, t.id DESC LIMIT 1),
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id ORDER BY t.changed_at, t.id LIMIT 1)) AS user_name
