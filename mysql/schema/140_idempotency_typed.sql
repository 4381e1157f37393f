-- The idempotency record in typed columns.  Those of before held the answer's values joined with U+001F, and of a refusal the
-- English sentence; what is kept for 48 hours is taken over, so that a replay gives the same bytes.
DROP PROCEDURE IF EXISTS migrate_140;
DELIMITER $$
CREATE PROCEDURE migrate_140()
IF EXISTS (SELECT 1 FROM information_schema.columns
    WHERE table_schema = 'loyalty' AND table_name = 'idempotency' AND column_name = 'fields') THEN
BEGIN
  DECLARE s CHAR(1) DEFAULT _utf8mb4 X'1F';
  DECLARE pending VARCHAR(60) DEFAULT '; the reservation stays PENDING_APPROVAL.';

  DROP TABLE IF EXISTS migrate_idempotency;
  CREATE TABLE migrate_idempotency (
    id                BINARY(32)    NOT NULL COMMENT 'SHA-256 over role, method, path and key',
    body              BINARY(32)    NOT NULL COMMENT 'SHA-256 of the request body',
    problem           VARCHAR(40)   NULL COMMENT 'what was refused with 409, as lib/problem.c names it; NULL: a success',
    request_id        VARCHAR(64)   NULL COMMENT 'of the request that was answered',
    text              VARCHAR(200)  NULL COMMENT 'what the problem names: a status, a room',
    n                 BIGINT        NULL COMMENT 'a number that the problem names',
    m                 BIGINT        NULL COMMENT 'the other',
    created_at        DATETIME(6)   NOT NULL COMMENT 'UTC; the time of the change; pruned after 48 hours',
    entity            BINARY(16)    NULL COMMENT 'the reservation or room that was made',
    status            VARCHAR(16)   NULL COMMENT 'of the reservation; all that follows as it was answered, where it was',
    points            INT           NULL,
    room_name         VARCHAR(200)  NULL,
    available_amount  INT           NULL,
    required_points   INT           NULL,
    user_name         VARCHAR(200)  NULL,
    role              VARCHAR(8)    NULL,
    bonus_points      BIGINT        NULL COMMENT 'the balance after an adjustment',
    attempts          INT           NULL COMMENT 'of a mail that was queued again',
    subject           VARCHAR(700)  NULL,
    last_error        VARCHAR(1000) NULL,
    PRIMARY KEY (id),
    KEY idempotency_age (created_at) COMMENT 'prune'
  ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

  -- Of a refusal the sentence (f2) tells which of its problem it was.
  INSERT INTO migrate_idempotency
    SELECT id, body,
        IF(kind = 'refusal', CONCAT(problem, CASE
          WHEN problem IN ('sold-out', 'insufficient-points') THEN IF(RIGHT(f2, CHAR_LENGTH(pending)) = pending, '-pending', '')
          WHEN problem = 'balance-limit' THEN IF(f2 LIKE 'The refund %', '-refund', '')
          WHEN problem <> 'invalid-transition' THEN ''
          WHEN f2 LIKE '%cancelled.' THEN '-cancel' WHEN f2 LIKE '%approved.' THEN '-approve'
          WHEN f2 LIKE '%rejected.' THEN '-reject' WHEN f2 LIKE '%released.' THEN '-release' ELSE '-retry' END), NULL),
        IF(kind = 'refusal', f1, NULL),
        CASE problem
          WHEN 'invalid-transition' THEN SUBSTRING_INDEX(SUBSTRING_INDEX(f2, ';', 1), ' ', -1)
          WHEN 'sold-out' THEN SUBSTRING(f2, 13, CHAR_LENGTH(f2) - 12
            - CHAR_LENGTH(CONCAT('" is left', IF(RIGHT(f2, CHAR_LENGTH(pending)) = pending, pending, '.')))) END,
        IF(problem = 'insufficient-points', SUBSTRING_INDEX(SUBSTRING_INDEX(f2, ' points: ', 1), ' ', -1), NULL),
        IF(problem = 'insufficient-points', SUBSTRING_INDEX(SUBSTRING_INDEX(f2, ' points: ', -1), ' ', 1), NULL),
        created_at,
        IF(kind IN ('reservation', 'stock'), UNHEX(f1), NULL), IF(kind = 'reservation', f2, NULL), IF(kind = 'reservation', f3, NULL),
        IF(kind = 'reservation', f5, NULL), IF(kind = 'reservation', f6, NULL), IF(kind = 'reservation', f7, NULL),
        CASE kind WHEN 'reservation' THEN f9 WHEN 'points' THEN f2 END, CASE kind WHEN 'reservation' THEN f10 WHEN 'points' THEN f3 END,
        IF(kind = 'points', f5, NULL),
        IF(kind = 'mail', f4, NULL), IF(kind = 'mail', f5, NULL), IF(kind = 'mail', NULLIF(last, ''), NULL)
      FROM (SELECT id, body, problem, created_at,
          SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 1), s, -1) f1, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 2), s, -1) f2, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 3), s, -1) f3,
          SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 4), s, -1) f4, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 5), s, -1) f5, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 6), s, -1) f6,
          SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 7), s, -1) f7, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 9), s, -1) f9, SUBSTRING_INDEX(SUBSTRING_INDEX(f, s, 10), s, -1) f10,
          SUBSTRING_INDEX(f, s, -1) last,
          CASE WHEN problem <> '' THEN 'refusal' WHEN CHAR_LENGTH(SUBSTRING_INDEX(f, s, 1)) < 32 THEN 'mail'
            ELSE ELT(CHAR_LENGTH(f) - CHAR_LENGTH(REPLACE(f, s, '')) - 3, 'points', 'stock', '', '', '', '', '', 'reservation') END kind
        FROM (SELECT id, body, problem, created_at, CONVERT(fields USING utf8mb4) COLLATE utf8mb4_bin f FROM idempotency) i) o;
  RENAME TABLE idempotency TO migrate_idempotency_old, migrate_idempotency TO idempotency;
END;
END IF$$
DELIMITER ;
CALL migrate_140();
DROP PROCEDURE migrate_140;
DROP TABLE IF EXISTS migrate_idempotency_old;
