-- What these read, the services read by SELECTs of their own, on columns that reads.sql grants.
DROP PROCEDURE IF EXISTS room_list;
DROP PROCEDURE IF EXISTS room_get;
DROP PROCEDURE IF EXISTS reservation_get;
DROP PROCEDURE IF EXISTS reservation_list;
DROP PROCEDURE IF EXISTS points_get;
DROP PROCEDURE IF EXISTS user_get;
DROP PROCEDURE IF EXISTS stock_get;
DROP PROCEDURE IF EXISTS stock_list;
