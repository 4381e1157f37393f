-- What the writing procedures have in common.  mysql/migrate puts each part in place of its marks in procs/*.sql (see expand).
-- @locals
  DECLARE v_status SMALLINT;
  DECLARE v_problem VARCHAR(40) DEFAULT '';
  DECLARE v_fields VARBINARY(4000);
  DECLARE v_replayed TINYINT DEFAULT 0;
  DECLARE v_kept_body BINARY(32);
-- @key
    IF p_key IS NOT NULL THEN
      SELECT body, status, problem, fields INTO v_kept_body, v_status, v_problem, v_fields
        FROM idempotency WHERE id = p_key;
      IF v_kept_body = p_body THEN
        SET v_replayed = 1;
        LEAVE decide;
      ELSEIF v_kept_body IS NOT NULL THEN
        SET v_status = 422, v_problem = 'idempotency-key-reused', v_fields = CONCAT(p_request_id, X'1F');
        LEAVE decide;
      END IF;
    END IF;
-- @record
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, status, problem, fields, created_at)
        VALUES (p_key, p_body, v_status, v_problem, v_fields, v_at);
    END IF;
  END;
  COMMIT;
