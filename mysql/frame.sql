-- What procedures have in common, first of all those that write.  mysql/migrate puts each part in place of its marks in procs/*.sql (see expand).
--
-- begin    what is done about errors, and the transaction.  Behind it a procedure takes its locks.  ARGS: columns of the record that
--          the answer is made from; what the request's path and body tell, and what never changes, needs none.
-- context  who, what and when, for the triggers: once the locks are held, so that the time is that of the change.  ARGS: more.
-- refuse   ends it with a problem (lib/problem.c).  ARGS: its name, and what its sentence names: text, n, m.  It is kept under the key.
-- refuse_unkept  the same, with nothing kept: all is undone.
-- keep     the record under the Idempotency-Key, and COMMIT.  ARGS: as of begin.
-- clear    the context again, whatever came of it.
-- row      (of those that answer with a row) a local.
-- answer   clear, and the row.  ARGS: the columns of a success.
-- mail_names  (of those that read mails) what room and guest were called at the event of m, a row of outbox_mail; where the history
--          begins later (a clock was set back), the first name.  What takes or gives back a unit has a row of the room at its own time; for
--          the others a function is called, in which that time is a constant: a subquery would read all later rows of the room.
-- subject_names  what they were called when the reservation was made, for the subject, which is that of all its mails; NULL where that is
--          the event.  Stands before mail_names.
-- rooms_found, users_found  (of room_find, user_find) the rooms or accounts that pass its filters, by the index ARGS;
--          what follows is where the page begins, and its order.
-- history_from, history_page  (of histories) where the page begins, ARGS: the table; and the page: newest first, behind the row p_before
--          (0 for the first page), p_since <= changed_at < p_until.  It is read from one index from where it begins, so its cost is that of
--          the page, however long the history is.
--
-- FORCE INDEX (PRIMARY): else the server weighs every index that has a column of the condition, which costs an UPDATE of a room 50 thousand
-- instructions.
-- From context to keep stands the procedure's decision: it writes, or refuses.
-- Result of a success: v_replayed (1: it was answered before) and what the answer needs, as a row or, which costs less, in OUT
-- parameters, which are locals that need no DECLARE.  Of a refusal: a row, problem, text, n, m, id of the request that it was
-- first given to, replayed (0 or 1).
--
-- The key is not looked up: most are new.  The decision is made and its record inserted, last of all; where there is one already,
-- everything is undone, and that one is the answer.  So what is at hand may also meet its own traces, as where the answer to
-- it was lost and it is sent again: a duplicate key of any table is looked up.  If the record has nothing to do with it, two made
-- the same room or account at once: the error is the caller's, who tries again.
--
-- Each DECLARE, each IF and each column of a row is paid for at every call, with some thousand instructions of MariaDB. So the frame has no local
-- of its own, and what is nearly always so meets one IF.
-- @begin
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;
  decision: BEGIN
  DECLARE EXIT HANDLER FOR 1062
  BEGIN
    SELECT IF(problem IS NULL, 1, 2), created_at, __ARGS__ INTO v_replayed, @loyalty_at, __V_ARGS__
      FROM idempotency WHERE id = p_key AND body = p_body LOCK IN SHARE MODE;
    IF v_replayed = 2 THEN
      SELECT problem, text, n, m, request_id, 1 FROM idempotency WHERE id = p_key;
      SET v_replayed = NULL;
    ELSEIF COALESCE(v_replayed, 0) = 0 THEN
      IF NOT EXISTS (SELECT 1 FROM idempotency WHERE id = p_key) THEN
        SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = 'another made the same at the same time';
      END IF;
      SELECT 'idempotency-key-reused', NULL, NULL, NULL, p_request_id, 0;
      SET v_replayed = NULL;
    END IF;
    ROLLBACK;
  END;

  START TRANSACTION;
-- @context
  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id, @loyalty_at = UTC_TIMESTAMP(6)__ARGS__;
-- @refuse
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, created_at, request_id, problem, text, n, m)
        VALUES (p_key, p_body, UTC_TIMESTAMP(6), p_request_id, __ARGS__);
    END IF;
    COMMIT;
    SELECT __ARGS__, p_request_id, 0;
    SET v_replayed = NULL;
    LEAVE decision;
-- @refuse_unkept
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, created_at) VALUES (p_key, p_body, UTC_TIMESTAMP(6));
    END IF;
    ROLLBACK;
    SELECT __ARGS__, p_request_id, 0;
    SET v_replayed = NULL;
    LEAVE decision;
-- @keep
  IF p_key IS NOT NULL THEN
    INSERT INTO idempotency (id, body, created_at, __ARGS__) VALUES (p_key, p_body, COALESCE(@loyalty_at, UTC_TIMESTAMP(6)), __V_ARGS__);
  END IF;
  COMMIT;
  END;
-- @clear
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
-- @row
  DECLARE v_replayed TINYINT DEFAULT 0;
-- @answer
  IF v_replayed IS NOT NULL THEN
    SELECT v_replayed, __ARGS__;
  END IF;
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
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
            WHERE t.room_id = m.room_id AND t.changed_at = m.created_at ORDER BY t.id DESC LIMIT 1),
          room_name_at(m.room_id, m.created_at)) AS room_name,
        COALESCE(
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id AND t.changed_at <= m.created_at ORDER BY t.changed_at DESC, t.id DESC LIMIT 1),
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id ORDER BY t.changed_at, t.id LIMIT 1)) AS user_name
-- @subject_names
        IF(m.begun_at < m.created_at, COALESCE(
          (SELECT t.to_name FROM loyalty_history.room_history t FORCE INDEX (room_history_room)
            WHERE t.room_id = m.room_id AND t.changed_at = m.begun_at ORDER BY t.id DESC LIMIT 1),
          room_name_at(m.room_id, m.begun_at)), NULL) AS subject_room,
        IF(m.begun_at < m.created_at, COALESCE(
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id AND t.changed_at <= m.begun_at ORDER BY t.changed_at DESC, t.id DESC LIMIT 1),
          (SELECT t.to_name FROM loyalty_history.user_history t FORCE INDEX (user_history_user)
            WHERE t.user_id = m.user_id ORDER BY t.changed_at, t.id LIMIT 1)), NULL) AS subject_user,
-- @rooms_found
      SELECT id, name, available_amount, required_points, total_amount, archived, name_folded, v_mark FROM room FORCE INDEX (__ARGS__)
        WHERE archived <= p_archived AND reservable >= p_available AND required_points <= v_max AND LOCATE(v_q, name_folded) > 0
-- @users_found
    SELECT id, name, role, bonus_points, name_folded, v_mark FROM user FORCE INDEX (__ARGS__) WHERE LOCATE(v_q, name_folded) > 0
-- @history_from
  DECLARE v_at DATETIME(6) DEFAULT p_until;
  IF p_before > 0 THEN
    SELECT changed_at INTO v_at FROM loyalty_history.__ARGS__ WHERE id = p_before;
  END IF;
-- @history_page
        h.changed_at >= p_since AND h.changed_at < p_until AND h.changed_at <= v_at AND (h.changed_at < v_at OR h.id < p_before)
      ORDER BY h.changed_at DESC, h.id DESC LIMIT p_limit;
